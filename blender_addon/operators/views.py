"""Labelled views: rendered by the worker, shown as Blender images, added to the data set of a folder."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import counted
from dnerf_core.labels import LabelSet

from .. import session
from ..data_set.cameras import one_side
from ..data_set.views import VIEW_CHANNELS, ViewOptions, WantedViews, wanted_views
from ..lasting.identity import hold
from ..model_facts import ModelFacts, chosen_model, is_panels, with_facts
from ..places import output_folder
from ..posing.driver import current_pose, pose_params
from ..scene import views as scene_views
from ..scene.cameras import ScenePose, SquareView
from ..scene.errors import SceneError
from ..scripting.options import scripted
from ..scripting.which import ChosenSubject
from ..shown_views import ShownViews, add_shown
from ..view_list.images import note_depth_file, refresh_file_image
from ..view_list.items import add_item
from ..view_list.thumbnails import forget_thumbnail
from ..viewpoints import camera_params, squares_of
from .base import WaitingOperator, results_arrived


class DNERF_OT_render_views(scripted(ViewOptions), WaitingOperator, bpy.types.Operator):
    """Render image, labels and depth from the chosen cameras into the folder; the list below shows them"""

    bl_idname = "dnerf.render_views"
    bl_label = "Render Views"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        wanted = wanted_views(context, self)
        folder = output_folder(self.output or scene.dnerf.views_folder, "views: save to")
        with_facts(
            scene,
            "Rendering views",
            lambda scene, facts: render_views(scene, facts, wanted, folder),
            wanted.subjects[0].model,
        )


@dataclass(frozen=True, eq=False)
class SeenView:
    """A view that came in: rgb uint8 [H, W, 3], and mask uint8 [H, W] of label ids; None: the model has no labels."""

    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None


class CollectedViews:
    """Views as they come in, in any order: each becomes Blender images at once, or those of its images that there are already."""

    def __init__(
        self,
        poses: Sequence[ScenePose],
        squares: Sequence[SquareView],
        labels: LabelSet | None,
        overlay: bool,
        *,
        makes_all: bool = True,
        keeps: bool = True,
    ) -> None:
        """Nothing has come in yet.

        Args:
            makes_all: whether images are made that there are not yet.
            keeps: whether Blender keeps the images while nothing uses them; otherwise, as it has kept them before.
        """
        self.poses, self.squares = poses, squares
        self._labels, self._overlay = labels, overlay
        self._makes_all, self._keeps = makes_all, keeps
        self._views: dict[int, SeenView] = {}

    def take(self, index: int, part: dict[str, Any]) -> None:
        """One part of the answer to `render` or `add_views`: the view of that number."""
        holder, square, name = session.current(), self.squares[index], self.poses[index].name
        cut: dict[str, Any] = {channel: square.crop(holder.array(part[channel])) for channel in VIEW_CHANNELS if channel in part}
        if self._makes_all:
            self._views[index] = SeenView(cut["rgb"], cut.get("mask"))
        labels = self._labels
        self._fill(name, lambda: scene_views.image_from_array(name, cut["rgb"]))
        if "mask" in cut and labels is not None:
            self._fill(f"{name} labels", lambda: scene_views.mask_image(f"{name} labels", cut["mask"], labels))
            if self._overlay or not self._makes_all:
                title = f"{name} overlay"
                self._fill(title, lambda: scene_views.overlay_image(title, cut["rgb"], cut["mask"], labels))
        if "depth" in cut:
            self._fill(f"{name} depth", lambda: scene_views.depth_image(f"{name} depth", cut["depth"]))

    def _fill(self, name: str, make: Callable[[], bpy.types.Image]) -> None:
        before = scene_views.own_image(name)
        if not self._makes_all and (before is None or scene_views.is_file_itself(before)):
            return  # it is made when it is shown; or it is a file, which has the view
        kept_before = before is not None and before.use_fake_user
        make().use_fake_user = self._keeps or kept_before

    def in_order(self) -> list[SeenView]:
        """All of them, as the cameras were given; only where images of all of them are made."""
        return [self._views[index] for index in range(len(self.poses))]


def render_views(scene: bpy.types.Scene, facts: ModelFacts, wanted: WantedViews, folder: Path) -> None:
    """The step of the job after the model is known: ask for the views, one subject after the other."""
    held, began = hold(scene), time.monotonic()
    subjects, counts = list(wanted.subjects), [0, 0]

    def ask_next() -> None:
        scene_now = held.needed(f"its views are in {folder}")
        _render_subject(scene_now, facts, wanted, subjects.pop(0), folder, taken)

    def taken(views: int, result: dict[str, Any]) -> None:
        counts[0] += views
        counts[1] += result["written"]
        if subjects:
            ask_next()
            return
        there = f"{counted(result['views'], 'view')} of {counted(result['subjects'], 'subject')}"
        session.current().finish(
            f"{counted(counts[0], 'view')} in {time.monotonic() - began:.1f} s, {counts[1]} of them new in {folder}: {there}"
        )

    ask_next()


def _render_subject(
    scene: bpy.types.Scene,
    facts: ModelFacts,
    wanted: WantedViews,
    subject: ChosenSubject,
    folder: Path,
    then: Callable[[int, dict[str, Any]], None],
) -> None:
    """Ask for the views of one subject; `then` hears how many they are, and the worker's answer."""
    settings = scene.dnerf
    poses = wanted.poses(scene, facts, subject.stem)
    pose = current_pose(scene, facts)
    shown = ShownViews(
        subject.token,
        subject.stem,
        tuple(poses),
        settings.want_overlay,
        settings.want_depth if wanted.channels is None else "depth" in wanted.channels,
        (None if pose is None else tuple(pose),) * len(poses),
    )
    squares, packs = squares_of(shown.poses), settings.pack_views
    collected = CollectedViews(shown.poses, squares, facts.labels, shown.overlay, makes_all=packs, keeps=packs)
    request = {
        **subject.params,
        **pose_params(pose),
        "channels": view_channels(facts, shown) if wanted.channels is None else list(wanted.channels),
        "cameras": [
            {**square.camera.to_json(), "name": title}
            for square, title in zip(squares, camera_names(poses, shown.stem), strict=True)
        ],
        "size_px": one_side(squares),
        "output": str(folder),
    }
    held = hold(scene)

    def take(part: dict[str, Any]) -> None:
        index = int(part["index"])
        collected.take(index, part)
        list_view(held.found(), shown, index, folder, str(part["name"]))

    def done(result: dict[str, Any]) -> None:
        scene_now = held.needed(f"its views are in {folder}")
        if is_panels(scene_now, subject.model):  # or the views could not follow edits of the panel's
            add_shown(scene_now, shown.with_images())
        results_arrived("Render Views")
        then(len(poses), result)

    session.current().continue_job("add_views", request, done, title="Rendering views", on_part=take)


def list_view(scene: bpy.types.Scene | None, shown: ShownViews, index: int, folder: Path, stem: str) -> None:
    """A view's files are whole: put it into the list of its scene, unless that has been deleted.

    Views come in the order in which they are done. In a list that was empty the first camera's is chosen, whichever comes first.
    """
    forget_thumbnail(folder / "images" / f"{stem}.png")
    if scene is not None:
        item = add_item(scene, shown, index, folder, stem)
        settings = scene.dnerf
        if index == 0 and all(other.subject == shown.stem for other in settings.view_items):
            settings.view_index = settings.view_items.find(item.name)
        refresh_file_image(item)
        note_depth_file(item)


def view_channels(facts: ModelFacts, shown: ShownViews) -> list[str]:
    """What is asked for of each view."""
    return ["rgb", *(["mask"] if facts.labels is not None else []), *(["depth"] if shown.depth else [])]


def camera_names(poses: Sequence[ScenePose], stem: str) -> list[str]:
    """What the data set's lists call the cameras: as the scene does."""
    return [pose.name.removeprefix(f"{stem}_") for pose in poses]


def render_poses(
    scene: bpy.types.Scene,
    facts: ModelFacts,
    shown: ShownViews,
    then: Callable[[CollectedViews], None],
    title: str,
    *,
    makes_all: bool = True,
    model: str = "",
) -> None:
    """A step of the job that runs: views become images as they come in, then `then` is called with all of them.

    Args:
        model: as requests have it; "": the scene's.
        makes_all: whether images are made that there are not yet; otherwise those that there are, are filled anew.
    """
    squares = squares_of(shown.poses)
    params = {"model": model or chosen_model(scene), **json.loads(shown.subject), "channels": view_channels(facts, shown)}
    collected = CollectedViews(shown.poses, squares, facts.labels, shown.overlay, makes_all=makes_all)
    groups = shown.by_body_pose()

    def ask_next() -> None:
        if not groups:
            then(collected)
            return
        body_pose, indices = groups.pop(0)
        request = {
            **params,
            **pose_params(None if body_pose is None else list(body_pose)),
            "cameras": camera_params([shown.poses[index] for index in indices], [squares[index] for index in indices]),
            "sizes_px": [squares[index].side_px for index in indices],
        }

        def take(part: dict[str, Any]) -> None:
            collected.take(indices[int(part["index"])], part)

        session.current().continue_job("render", request, lambda _: ask_next(), title=title, on_part=take)

    ask_next()


def image_editor_area(context: bpy.types.Context) -> bpy.types.Area:
    """An Image Editor that shows pictures: one that is open, or a new window's."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.ui_type == "IMAGE_EDITOR":
                return area
    if not bpy.ops.wm.window_new.poll():
        raise SceneError(
            "Image Editor: expected a window to show it in, found Blender without one; start Blender with its window"
        )
    before = set(context.window_manager.windows)
    bpy.ops.wm.window_new()
    (window,) = set(context.window_manager.windows) - before
    area = max(window.screen.areas, key=lambda item: item.width * item.height)
    area.ui_type = "IMAGE_EDITOR"
    return area


CLASSES = (DNERF_OT_render_views,)
