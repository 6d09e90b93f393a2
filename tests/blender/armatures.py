"""Armatures made for tests: a skeleton's bones with tails and rolls of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from dnerf_core.poses.skeleton import Skeleton

TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Times a y-up point is the z-up one: x, -z, y."""


def build_armature(scene: Any, skeleton: Skeleton, *, z_up: bool = True, seed: int = 0, name: str = "rig") -> Any:
    """An armature object whose bones' heads are a y-up skeleton's joints, in its own axes z up or y up."""
    import bpy

    rng = np.random.default_rng(seed)
    data = bpy.data.armatures.new(name)
    item = bpy.data.objects.new(name, data)
    scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    heads = skeleton.joints @ TO_Z_UP.T if z_up else skeleton.joints
    for joint, joint_name in enumerate(skeleton.names):
        bone = data.edit_bones.new(joint_name)
        bone.head = heads[joint]
        bone.tail = heads[joint] + rng.uniform(0.02, 0.1, 3)
        bone.roll = float(rng.uniform(-1, 1))
        if skeleton.parents[joint] >= 0:
            bone.parent = data.edit_bones[skeleton.names[skeleton.parents[joint]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.update()
    return item


def turn_bones(item: Any, seed: int, largest_rad: float = 0.6) -> None:
    """Turn every bone, and move the first one."""
    import bpy

    rng = np.random.default_rng(seed)
    for bone in item.pose.bones:
        bone.rotation_mode = "XYZ"
        bone.rotation_euler = rng.uniform(-largest_rad, largest_rad, 3)
    item.pose.bones[0].location = rng.uniform(-0.3, 0.3, 3)
    bpy.context.view_layer.update()
