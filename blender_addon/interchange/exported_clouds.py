"""A cloud's object as a file: as it stands in the scene, or in its model's world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from dnerf_core.camera import WorldUp
from dnerf_core.files.clouds import CloudStyle, cloud_bytes
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.pointcloud.cloud import PointCloud

from ..scene.clouds import cloud_world_up, read_cloud
from ..scene.errors import SceneError
from ..scene.subject import engine_to_root
from .axes import file_from_scene

_FLATTEST = 1e9
"""Of the scales along a cloud's axes, how many times the least the greatest may be."""


def export_cloud(item: bpy.types.Object, path: Path, axes: tuple[str, str] | None = None, *, part_id: int | None = None) -> int:
    """Write a cloud as PLY or NPZ, by the name's ending.

    Args:
        axes: forward and up, see `axes`: the cloud as it stands in the scene, which has been updated; None: in the model's world, byte for
            byte as `dnerf-headless pointcloud` writes it.
        part_id: the part that is written, alone; None: all of it.

    Returns:
        How many points there are; hidden ones are written too.

    Raises:
        SceneError: as `read_cloud`, axes that are none, a cloud that is flattened to a plane, or a part without points.
        UsageError: another ending.
        OutputError: the file cannot be written.
    """
    cloud, world_up = read_cloud(item), cloud_world_up(item)
    if part_id is not None:
        chosen = np.flatnonzero(cloud.labels == part_id)
        if not len(chosen):
            raise SceneError(f"{item.name}: expected points of that part, found none; choose another part")
        cloud = cloud.select(chosen)
    style = CloudStyle(cloud.label_set, "rgb", world_up)
    if axes is not None:
        cloud, style = _as_it_stands(item, cloud, world_up, axes)
    write_bytes_whole(path, cloud_bytes(cloud, path.suffix, style, str(path)))
    return len(cloud)


def _as_it_stands(
    item: bpy.types.Object, cloud: PointCloud, world_up: WorldUp, axes: tuple[str, str]
) -> tuple[PointCloud, CloudStyle]:
    """A cloud with its points where they are in the scene, in a file of these axes."""
    forward, up = axes
    matrix = np.array(item.matrix_world, np.float64)
    turn = file_from_scene(forward, up)
    to_file = turn @ matrix[:3, :3] @ engine_to_root(world_up)[:3, :3]
    if not np.linalg.cond(to_file) < _FLATTEST:
        raise SceneError(f"{item.name}: expected a scale above 0 along x, y and z, found a flattened cloud; correct its scale")
    points = cloud.points @ to_file.T + turn @ matrix[:3, 3]
    normals = cloud.normals @ np.linalg.inv(to_file)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    ups: dict[str, WorldUp] = {"Y": "y", "Z": "z"}
    frame = "" if up in ups else f"Blender's world, forward {forward}, up {up}"
    placed = replace(cloud, points=points.astype(np.float32), normals=normals.astype(np.float32))
    return placed, CloudStyle(cloud.label_set, "rgb", ups.get(up, "z"), frame=frame)
