"""Animation curves of an object's action, in every version of Blender."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


def curves_of(item: bpy.types.Object) -> Any:
    """The F-curves of the action that an object plays; empty where it plays none."""
    data = item.animation_data
    if data is None or data.action is None:
        return ()
    if hasattr(data.action, "fcurves"):
        return data.action.fcurves
    from bpy_extras import anim_utils  # from Blender 5.0 on, where an action has slots alone

    channels = anim_utils.action_get_channelbag_for_slot(data.action, data.action_slot)
    return () if channels is None else channels.fcurves


def shift_keys(item: bpy.types.Object, frames: float) -> None:
    """Let an object's action begin so many frames later."""
    for curve in curves_of(item):
        for name in ("co", "handle_left", "handle_right"):
            values = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get(name, values)
            values[::2] += frames
            curve.keyframe_points.foreach_set(name, values)
        curve.update()


def repeat(item: bpy.types.Object) -> None:
    """Let an object's action go on from its beginning for ever."""
    for curve in curves_of(item):
        curve.modifiers.new("CYCLES")
