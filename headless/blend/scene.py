"""A .blend file of results: cameras, their pictures and fused clouds in one scene, made by the extension's own scene code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.scene.cameras import place_cameras
from blender_addon.scene.clouds import add_cloud
from blender_addon.scene.subject import update
from blender_addon.scene.views import depth_image, image_from_array, mask_image, note_exact_depth, overlay_image
from dnerf_core.camera import Camera, WorldUp
from dnerf_core.errors import OutputError
from dnerf_core.files.whole import whole_file
from dnerf_core.labels import LabelSet
from dnerf_core.pointcloud.cloud import PointCloud
from headless.blend.module import quiet_stdout


@dataclass(frozen=True, eq=False)
class BlendView:
    """One view: its camera and pictures, those that are given.

    Attributes:
        depth_file: where the exact depths are, as a .blend file has paths; "": nowhere.
    """

    name: str
    camera: Camera
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    depth_planar: NDArray[np.float32]
    depth_file: str = ""


@dataclass(frozen=True, eq=False)
class BlendSubject:
    """What a file holds of one subject; all subjects stand at the same place, and the first one's cloud is shown."""

    name: str
    cloud: PointCloud
    views: Sequence[BlendView] = field(default_factory=tuple)


def write_blend(path: Path, subjects: Iterator[BlendSubject], labels: LabelSet | None, world_up: WorldUp) -> int:
    """Write the subjects to a new .blend file, whole or not at all.

    Returns:
        The points of all clouds.

    Raises:
        OutputError: the file cannot be written.
        DNeRFError: what the subjects raise as they are made.
    """
    points = 0
    with quiet_stdout():
        bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.view_settings.view_transform = "Standard"  # colours as they are, not as a film would show them
    first_camera = None
    for index, subject in enumerate(subjects):
        if subject.views:
            first_camera = _add_views(scene, subject, labels, world_up, first_camera)
        cloud = _scene_cloud(subject.cloud, labels)
        item = add_cloud(scene, cloud, subject.name, world_up=world_up)
        item.hide_viewport = item.hide_render = index > 0
        points += len(cloud)
    scene.camera = first_camera or scene.camera
    update(scene)
    with _blend_file(path) as temporary, quiet_stdout():
        bpy.ops.wm.save_as_mainfile(filepath=str(temporary), compress=True, copy=True)
    return points


def _add_views(scene: Any, subject: BlendSubject, labels: LabelSet | None, world_up: WorldUp, first_camera: Any) -> Any:
    """Cameras in a collection named after the subject, each with its picture behind what it sees; returns the file's first camera."""
    cameras = [view.camera for view in subject.views]
    side_px = subject.views[0].rgb.shape[1]
    names = [view.name for view in subject.views]
    placed = place_cameras(scene, cameras, names, f"{subject.name} views", side_px, world_up=world_up)
    for item, view in zip(placed, subject.views, strict=True):
        behind = item.data.background_images.new()
        behind.image = image_from_array(f"{view.name} image", view.rgb)
        item.data.show_background_images = True
        if view.mask is not None and labels is not None:
            mask_image(f"{view.name} mask", view.mask, labels)
            overlay_image(f"{view.name} overlay", view.rgb, view.mask, labels)
        depth = depth_image(f"{view.name} depth", view.depth_planar)
        if view.depth_file:
            note_exact_depth(depth, view.depth_file)
    return first_camera or placed[0]


def _scene_cloud(cloud: PointCloud, labels: LabelSet | None) -> PointCloud:
    if cloud.labels is None or labels is None:
        return replace(cloud, labels=None, confidence=None, label_set=None)
    return replace(cloud, label_set=labels)


@contextmanager
def _blend_file(path: Path) -> Iterator[Path]:
    try:
        with whole_file(path) as temporary:
            yield temporary
    except RuntimeError as error:  # how bpy tells that it could not write
        reason = " ".join(str(error).split()).removeprefix("Error: ")
        raise OutputError(f"{path}: expected to write this file, Blender says: {reason}; choose another place") from error
