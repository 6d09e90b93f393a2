"""Animation curves of an object's action, in every version of Blender."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


def curves_of(block: bpy.types.ID) -> Any:
    """The F-curves of the action that an object, or its data, plays; empty where it plays none."""
    data = block.animation_data
    if data is None or data.action is None:
        return ()
    slot = getattr(data, "action_slot", None)
    if slot is None:  # before Blender 4.4, or an action of that time
        return getattr(data.action, "fcurves", ())
    # an object and its data may play one action, each by a slot of its own
    bags = [strip.channelbag(slot) for layer in data.action.layers for strip in layer.strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


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
