"""The model's skeleton as an armature: a bone a joint, under the joints' names, and a motion of it as keyframes.

Convention: the armature object is a child of the subject's root without a place of its own, so that its frame is the root's.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import mathutils
import numpy as np

from dnerf_core.camera import Float64Array

from .actions import repeat

_SHORTEST = 0.02
"""Of a bone, share of the skeleton's height: Blender removes bones without a length."""


def add_armature(
    scene: bpy.types.Scene, name: str, names: Sequence[str], parents: Sequence[int], heads: Float64Array, root: bpy.types.Object
) -> tuple[bpy.types.Object, list[str]]:
    """An armature object below `root`, the active object of the scene.

    Args:
        names, parents: of K joints, parents before their children.
        heads: [K, 3], where they are at rest, in the root's frame, z up, facing -y.

    Returns:
        The object, and the bones' names: as the joints', unless Blender has shortened them.
    """
    data = bpy.data.armatures.new(name)
    data.display_type = "OCTAHEDRAL"
    item = bpy.data.objects.new(name, data)
    item.parent = root
    item.show_in_front = True
    scene.collection.objects.link(item)
    layer = scene.view_layers[0]
    for other in layer.objects:
        other.select_set(False, view_layer=layer)
    item.select_set(True, view_layer=layer)
    layer.objects.active = item
    tails = bone_tails(parents, heads)
    bone_names: list[str] = []
    with bpy.context.temp_override(scene=scene, view_layer=layer, active_object=item, object=item):
        bpy.ops.object.mode_set(mode="EDIT")
        for joint, parent in enumerate(parents):
            bone = data.edit_bones.new(names[joint])
            bone.head, bone.tail = heads[joint].tolist(), tails[joint].tolist()
            bone.parent = data.edit_bones[bone_names[parent]] if parent >= 0 else None
            along = np.abs(tails[joint] - heads[joint])
            # z of a bone looks to the front, of one that leads there itself, such as a foot, upwards
            bone.align_roll((0.0, 0.0, 1.0) if along[1] > along[[0, 2]].max() else (0.0, -1.0, 0.0))
            bone_names.append(bone.name)
        bpy.ops.object.mode_set(mode="OBJECT")
    return item, bone_names


def bone_tails(parents: Sequence[int], heads: Float64Array) -> Float64Array:
    """Where the bones of joints end [K, 3]: at the joint below that goes on most straight; the last of a limb go on as the one above."""
    size = max(float(np.ptp(heads, axis=0).max()), 1e-6)
    tails = np.empty_like(heads)
    for joint, parent in enumerate(parents):
        came = tails[parent] - heads[parent] if parent >= 0 else np.array([0.0, 0.0, size])
        if parent >= 0 and np.linalg.norm(heads[joint] - heads[parent]) > _SHORTEST * size:
            came = heads[joint] - heads[parent]
        direction = came / np.linalg.norm(came)
        ways = [heads[below] - heads[joint] for below, above in enumerate(parents) if above == joint]
        ways = [way for way in ways if np.linalg.norm(way) > _SHORTEST * size]
        if ways:
            tails[joint] = heads[joint] + max(ways, key=lambda way: float(way @ direction / np.linalg.norm(way)))
        else:
            tails[joint] = heads[joint] + direction * max(0.5 * float(np.linalg.norm(came)), _SHORTEST * size)
    return tails


def key_motion(
    item: bpy.types.Object,
    bone_names: Sequence[str],
    turns: Float64Array,
    moves: Float64Array,
    frames: Sequence[float],
    action_name: str,
) -> None:
    """Keyframes of a motion that goes on for ever: bones turned as joints are, the first bone moved.

    Args:
        turns: axis-angles [F, K, 3] of the joints against their parents, in the axes of the armature object.
        moves: [F, 3] of the first joint.
        frames: F of them, rising; the last pose is the first again.
    """
    bones = [item.pose.bones[name] for name in bone_names]
    rests = [bone.bone.matrix_local.to_quaternion() for bone in bones]
    for bone in bones:
        bone.rotation_mode = "QUATERNION"
    before: list[mathutils.Quaternion | None] = [None] * len(bones)
    for at, frame in enumerate(frames):
        for number, (bone, rest) in enumerate(zip(bones, rests, strict=True)):
            vector = mathutils.Vector(turns[at, number].tolist())
            turn = rest.inverted() @ mathutils.Quaternion(vector.normalized(), vector.length) @ rest
            last = before[number]
            if last is not None and last.dot(turn) < 0:
                turn.negate()  # the same turn, on the near side of the last one
            bone.rotation_quaternion = before[number] = turn
            bone.keyframe_insert("rotation_quaternion", frame=frame, group=bone.name)
        bones[0].location = rests[0].inverted() @ mathutils.Vector(moves[at].tolist())
        bones[0].keyframe_insert("location", frame=frame, group=bones[0].name)
    item.animation_data.action.name = action_name
    repeat(item)
