"""Which views the scene's images show, and of which subject, so that they can be rendered anew when it is edited, or the edit undone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

import bpy

from dnerf_core.camera import Camera

from .scene.cameras import ScenePose
from .scene.views import IMAGE_PROPERTY, own_image

KINDS = ("", " labels", " overlay", " depth")
"""What the names of a view's images end in."""


@dataclass(frozen=True)
class ShownViews:
    """Views that have become images.

    Attributes:
        subject: its `subjects.subject_token`.
        stem: what the views' names begin with.
        poses: named as the images are.
        overlay, depth: whether there are such images.
        body_poses: of each of `poses`, the numbers of the pose that the subject's body was in; None: its own. Empty: its own in all.
    """

    subject: str
    stem: str
    poses: tuple[ScenePose, ...]
    overlay: bool
    depth: bool
    body_poses: tuple[tuple[float, ...] | None, ...] = ()

    def body_pose(self, index: int) -> tuple[float, ...] | None:
        """Of one of the views."""
        return self.body_poses[index] if self.body_poses else None

    def by_body_pose(self) -> list[tuple[tuple[float, ...] | None, list[int]]]:
        """The body's poses, each once, with the views that have it."""
        groups: dict[tuple[float, ...] | None, list[int]] = {}
        for index in range(len(self.poses)):
            groups.setdefault(self.body_pose(index), []).append(index)
        return list(groups.items())

    def with_images(self) -> ShownViews:
        """Those of the views of which there are images now."""
        kept = [index for index, pose in enumerate(self.poses) if any(own_image(pose.name + kind) is not None for kind in KINDS)]
        poses, body_poses = tuple(self.poses[index] for index in kept), tuple(self.body_pose(index) for index in kept)
        return dataclasses.replace(self, poses=poses, body_poses=body_poses)

    def for_subject(self, subject: str, stem: str) -> ShownViews:
        """The same views of another subject."""
        poses = [dataclasses.replace(pose, name=stem + pose.name.removeprefix(self.stem)) for pose in self.poses]
        return dataclasses.replace(self, subject=subject, stem=stem, poses=tuple(poses))


_pixels: dict[int, str] = {}
"""By the scene's `session_uid`, whose views its images hold now. What the scene says of them goes back with undo, pixels need not."""


def keep_shown(scene: bpy.types.Scene, shown: ShownViews) -> None:
    """Note what the images show."""
    fields = dataclasses.asdict(dataclasses.replace(shown, poses=()))
    fields["poses"] = [
        {"camera": pose.camera.to_json(), "width_px": pose.width_px, "height_px": pose.height_px, "name": pose.name}
        for pose in shown.poses
    ]
    scene.dnerf.shown_views = json.dumps(fields)
    _pixels[scene.session_uid] = shown.subject


def known_shown(scene: bpy.types.Scene) -> ShownViews | None:
    """What was noted; None: nothing."""
    text = scene.dnerf.shown_views
    if not text:
        return None
    fields = json.loads(text)
    poses = [ScenePose(Camera.from_json(pose.pop("camera"), "view"), **pose) for pose in fields.pop("poses")]
    body_poses = tuple(None if numbers is None else tuple(numbers) for numbers in fields.pop("body_poses", ()))
    return ShownViews(**fields, poses=tuple(poses), body_poses=body_poses)


def add_shown(scene: bpy.types.Scene, shown: ShownViews) -> None:
    """Note further views; those of another subject are noted no more. None are no matter."""
    if not shown.poses:
        return
    before = known_shown(scene)
    if before is not None and before.subject == shown.subject:
        names = {pose.name for pose in shown.poses}
        kept = [(pose, before.body_pose(index)) for index, pose in enumerate(before.poses) if pose.name not in names]
        added = [(pose, shown.body_pose(index)) for index, pose in enumerate(shown.poses)]
        poses, body_poses = zip(*kept, *added, strict=True)
        overlay, depth = before.overlay or shown.overlay, before.depth or shown.depth
        shown = dataclasses.replace(shown, poses=poses, body_poses=body_poses, overlay=overlay, depth=depth)
    keep_shown(scene, shown)


def rename_images(before: Sequence[ScenePose], after: Sequence[ScenePose]) -> None:
    """The images of views get the names of the same views of another subject; editors go on showing them."""
    for old_pose, new_pose in zip(before, after, strict=True):
        for kind in KINDS:
            old, new = bpy.data.images.get(old_pose.name + kind), bpy.data.images.get(new_pose.name + kind)
            if old is None or old is new or not old.get(IMAGE_PROPERTY):
                continue
            if new is None:
                old.name = new_pose.name + kind
            else:
                old.user_remap(new)


def are_stale(scene: bpy.types.Scene) -> bool:
    """Whether the images hold another subject's views than the scene says: after undo."""
    shown = known_shown(scene)
    return shown is not None and _pixels.get(scene.session_uid, shown.subject) != shown.subject


def forget() -> None:
    """Another file is opened: what is in its images is what it says."""
    _pixels.clear()
