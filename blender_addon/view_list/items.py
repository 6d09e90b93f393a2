"""The list of a scene's views by subject and camera: where each one's files are, and how it is seen."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.camera import Camera

from ..scene.cameras import ScenePose
from ..scene.errors import SceneError
from ..scene.views import IMAGE_PROPERTY, SHOWN_PROPERTY, own_image
from ..shown_views import KINDS, ShownViews

DEPTH_SUFFIXES = (".exr", ".npy")
"""Of depth files that can be shown."""
_NAME_CHARACTERS = 63
"""Blender cuts the names of images there."""


class ViewItem(bpy.types.PropertyGroup):
    """A view; `name` is that of its image, and begins those of its labels, overlay and depth."""

    subject: bpy.props.StringProperty(description="How names of what is made of the subject begin")
    camera: bpy.props.StringProperty(description="The camera's name")
    folder: bpy.props.StringProperty(description="The data set's folder; empty: its images are in the .blend file alone")
    folder_beside: bpy.props.StringProperty(description="The same from the .blend file, as it was saved")
    stem: bpy.props.StringProperty(description="What its files in the folder are called")
    seen: bpy.props.StringProperty(description="Subject, camera and pose, as JSON")


def add_item(scene: bpy.types.Scene, shown: ShownViews, index: int, folder: Path, stem: str) -> bpy.types.PropertyGroup:
    """Put one of the views, whose files are in a folder, into the list; one of the same camera and files is the same item.

    An earlier one of the same subject and camera, from elsewhere or of another folder, gets a longer name.
    """
    items, pose, files = scene.dnerf.view_items, shown.poses[index], (str(folder), stem)
    item = before = items.get(pose.name)
    if before is not None and (before.folder, before.stem) != files:
        item = next((other for other in _numbered(items, pose.name) if (other.folder, other.stem) == files), None)
        before.name = _free_name(items, pose.name) if item is None else _freed_name(item)
    if item is None:
        item = items.add()
    item.name, item.folder, item.stem = pose.name, *files
    item.subject, item.camera = shown.stem, pose.name.removeprefix(f"{shown.stem}_")
    fields = {
        "subject": shown.subject,
        "camera": pose.camera.to_json(),
        "width_px": pose.width_px,
        "height_px": pose.height_px,
        "body_pose": shown.body_pose(index),
    }
    item.seen = json.dumps(fields)
    return item


def add_kept_item(scene: bpy.types.Scene, name: str) -> None:
    """Put a view into the list whose images are in the .blend file alone."""
    subject, _, camera = name.partition("_")
    item = scene.dnerf.view_items.add()
    item.name, item.subject, item.camera = name, subject, camera


def _numbered(items: Any, name: str) -> Iterator[bpy.types.PropertyGroup]:
    """The items that had that name before others did."""
    number = 2
    while (item := items.get(_with_number(name, number))) is not None:
        yield item
        number += 1


def _free_name(items: Any, name: str) -> str:
    """A longer one, which neither an item nor an image has."""
    number = 2
    while (longer := _with_number(name, number)) in items or any(longer + kind in bpy.data.images for kind in KINDS):
        number += 1
    return longer


def _freed_name(item: bpy.types.PropertyGroup) -> str:
    """The name of an item that gets another one; its images, which go on being shown, are the artist's now."""
    for image in [own_image(item.name + kind) for kind in KINDS]:
        for name in (IMAGE_PROPERTY, SHOWN_PROPERTY):
            if image is not None and name in image:
                del image[name]
    return str(item.name)


def _with_number(name: str, number: int) -> str:
    return f"{name[: _NAME_CHARACTERS - 16]} ({number})"  # with room for what the names of its other images end in


def chosen_item(scene: bpy.types.Scene) -> bpy.types.PropertyGroup:
    """The view that is chosen in the list.

    Raises:
        SceneError: there is none.
    """
    items, index = scene.dnerf.view_items, scene.dnerf.view_index
    if not 0 <= index < len(items):
        raise SceneError("views: expected one that is chosen in the list, found none; render views, and choose one")
    return items[index]


def pose_of(item: bpy.types.PropertyGroup) -> ScenePose:
    """How a view with files is seen."""
    fields = json.loads(item.seen)
    return ScenePose(Camera.from_json(fields["camera"], item.name), fields["width_px"], fields["height_px"], item.name)


def shown_view(item: bpy.types.PropertyGroup, kind: str) -> ShownViews:
    """A view with files as one that has become an image, of one of `KINDS`."""
    fields = json.loads(item.seen)
    body_pose = fields["body_pose"]
    return ShownViews(
        fields["subject"],
        item.subject,
        (pose_of(item),),
        overlay=kind == " overlay",
        depth=kind == " depth",
        body_poses=(None if body_pose is None else tuple(body_pose),),
    )


def file_of(item: bpy.types.PropertyGroup, kind: str) -> Path | None:
    """The file that an image of one of `KINDS` is made of, the mask's for an overlay; None: there is none."""
    if not item.folder or Path(item.stem).name != item.stem:  # of a .blend file that somebody else has made
        return None
    folder = Path(item.folder)
    if kind == " depth":
        paths = [folder / "depth" / f"{item.stem}{suffix}" for suffix in DEPTH_SUFFIXES]
    else:
        paths = [folder / ("images" if kind == "" else "masks") / f"{item.stem}.png"]
    return next((path for path in paths if path.is_file()), None)


def kept_kinds(item: bpy.types.PropertyGroup) -> list[str]:
    """Those of `KINDS` that the .blend file has an image of."""
    return [kind for kind in KINDS if item.name + kind in bpy.data.images]


def own_scenes() -> list[bpy.types.Scene]:
    """The scenes of this file: those of linked files cannot be written to."""
    return [scene for scene in bpy.data.scenes if scene.library is None]


def note_places(blend_path: str) -> None:
    """Note where the folders are from the .blend file that is about to be saved."""
    for scene in own_scenes():
        for item in scene.dnerf.view_items:
            try:
                item.folder_beside = os.path.relpath(item.folder, os.path.dirname(blend_path)) if item.folder else ""
            except ValueError:  # on another drive of Windows
                item.folder_beside = ""


def find_places() -> None:
    """A .blend file has been opened: where it and the folders have been moved together, the folders are at their new place."""
    if not bpy.data.filepath:
        return
    moved: dict[str, str] = {}
    for scene in own_scenes():
        for item in scene.dnerf.view_items:
            if item.folder_beside and item.folder_beside not in moved:
                place = os.path.abspath(Path(bpy.data.filepath).parent / item.folder_beside)
                moved[item.folder_beside] = place if os.path.isdir(place) else ""
            item.folder = moved.get(item.folder_beside) or item.folder
