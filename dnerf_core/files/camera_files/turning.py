"""Cameras turned from a file's world to the generator's, by the axis that points up in each (numpy only)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from dnerf_core.camera import ENGINE_TO_BLENDER, Camera, Float64Array, WorldUp

FileUp = Literal["x", "y", "z", "-x", "-y", "-z"]
FILE_UPS: tuple[FileUp, ...] = ("x", "y", "z", "-x", "-y", "-z")

_TO_Y_UP: dict[str, Float64Array] = {
    "y": np.eye(4),
    "z": ENGINE_TO_BLENDER.T,
    "-y": np.diag([1.0, -1.0, -1.0, 1.0]),
    "-z": np.diag([1.0, -1.0, -1.0, 1.0]) @ ENGINE_TO_BLENDER.T,
    "x": np.array([[0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]),
    "-x": np.array([[0.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]),
}
"""What turns a world with this axis up to one with y up: z up by 90 degrees about x, as Blender's, y down by half a turn about x."""

PLAIN_LEAN, FOREIGN_LEAN = 0.8, 0.3
"""Of the mean image-up vector along an axis: it leans to that axis, or it does not at all."""


def to_y_up(file_up: FileUp) -> Float64Array:
    """The rotation float64 [4, 4] that turns a world with this axis up to one with y up."""
    return _TO_Y_UP[file_up]


def turned(camera: Camera, file_up: FileUp, world_up: WorldUp) -> Camera:
    """A camera of a world in which `file_up` points up, in one in which `world_up` does; the same bits where they are the same axis."""
    if file_up == world_up:
        return camera
    turn = _TO_Y_UP[file_up] if world_up == "y" else ENGINE_TO_BLENDER @ _TO_Y_UP[file_up]
    return Camera(turn @ camera.cam2world, camera.intrinsics)


def leaning(cameras: Sequence[Camera], world_up: WorldUp) -> FileUp | None:
    """The axis that the cameras' pictures have up, where that plainly is another one than `world_up`; None: it is not."""
    mean = -np.mean([camera.cam2world[:3, 1] for camera in cameras], axis=0)
    axis = int(np.abs(mean).argmax())
    if abs(mean[axis]) < PLAIN_LEAN or mean["xyz".index(world_up)] > FOREIGN_LEAN:
        return None
    return FILE_UPS[axis if mean[axis] > 0 else axis + 3]
