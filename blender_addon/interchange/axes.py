"""The axes of a file, as Blender's own exporters and importers name them: which of them are the scene's forward, y, and up, z."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from dnerf_core.camera import Float64Array

from ..scene.errors import SceneError

AXES = {
    "X": (1, 0, 0),
    "Y": (0, 1, 0),
    "Z": (0, 0, 1),
    "NEGATIVE_X": (-1, 0, 0),
    "NEGATIVE_Y": (0, -1, 0),
    "NEGATIVE_Z": (0, 0, -1),
}
"""By the names that Blender gives them."""
AXIS_ITEMS = [(name, name.replace("NEGATIVE_", "-"), "") for name in AXES]
"""For an EnumProperty."""


def export_frame_property() -> Any:
    """An EnumProperty: in which frame a cloud is written."""
    return bpy.props.EnumProperty(
        name="As",
        items=[
            (
                "SCENE",
                "It stands",
                "As it stands in the scene, in the axes below: what Blender imports with these axes stands alike",
            ),
            ("MODEL", "The model's world", "In the model's own world and axes, as dnerf-headless pointcloud writes it"),
        ],
    )


def file_from_scene(forward: str, up: str) -> Float64Array:
    """The turn [3, 3] from Blender's world to a file whose axes `forward` and `up` are Blender's y and z.

    Raises:
        SceneError: both lie along one axis.
    """
    ahead, above = np.array(AXES[forward], np.float64), np.array(AXES[up], np.float64)
    if ahead @ above:
        raise SceneError(f"axes: expected forward and up along two axes, found {forward} and {up}; choose another")
    return np.stack([np.cross(ahead, above), ahead, above], axis=1)
