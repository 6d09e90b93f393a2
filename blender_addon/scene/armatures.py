"""An armature's bones as matrices: at rest, and as Blender evaluates them, with constraints, inverse kinematics, NLA and drivers.

Convention: a bone's matrix [4, 4] takes its own frame, which begins at its head, to the armature object's.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Float64Array

from .errors import SceneError

OBJECT_BONE = "(object)"
"""Stands for the armature object itself, as the parent of its bones, where several of these have none."""


@dataclass(frozen=True, eq=False)
class RestBones:
    """Bones at rest.

    Attributes:
        names: J names, parents before their children.
        parents: int32 [J], -1 for the first one alone; where the armature has several such bones, the first is `OBJECT_BONE`.
        matrices: float64 [J, 4, 4].
    """

    names: tuple[str, ...]
    parents: NDArray[np.int32]
    matrices: Float64Array


def rest_signature(armature: bpy.types.Object) -> tuple[object, ...]:
    """What an armature is at rest, quickly: two that are equal have the same `rest_bones`."""
    bones = armature.data.bones
    names = tuple(bone.name for bone in bones)
    return (
        names,
        tuple(parent.name if (parent := bone.parent) else "" for bone in bones),
        _matrices(bones, "matrix_local").tobytes(),
    )


def rest_bones(armature: bpy.types.Object) -> RestBones:
    """The bones of an armature object.

    Raises:
        SceneError: it has none.
    """
    bones = armature.data.bones
    if not len(bones):
        raise SceneError(f"{armature.name}: expected an armature with bones, found none; leave its edit mode, or add some")
    names = [bone.name for bone in bones]
    number = {name: index for index, name in enumerate(names)}
    above = [-1 if bone.parent is None else number[bone.parent.name] for bone in bones]
    order = sorted(range(len(names)), key=lambda index: len(_way_up(index, above)))  # stable: Blender's order within a generation
    matrices = _matrices(bones, "matrix_local")[order]
    place = {index: at for at, index in enumerate(order)}
    parents = [-1 if above[index] < 0 else place[above[index]] for index in order]
    names = [names[index] for index in order]
    if parents.count(-1) > 1:
        names = [OBJECT_BONE, *names]
        parents = [-1, *(parent + 1 for parent in parents)]
        matrices = np.concatenate([np.eye(4)[None], matrices])
    return RestBones(tuple(names), np.array(parents, np.int32), matrices)


def posed_bones(armature: bpy.types.Object, scene: bpy.types.Scene, names: tuple[str, ...]) -> tuple[Float64Array, Float64Array]:
    """(matrices [J, 4, 4] of bones, the object's own [4, 4] to Blender's world) as evaluated last.

    Args:
        names: as `RestBones` has them.

    Raises:
        SceneError: Blender does not evaluate the armature, one of the bones is not there, or one is mirrored or flattened.
    """
    layer = scene.view_layers[0]
    graph = layer.depsgraph
    evaluated = None if graph is None else armature.evaluated_get(graph)
    if evaluated is None or not evaluated.is_evaluated or not _is_enabled(armature, layer):
        raise SceneError(
            f"{armature.name}: expected an armature that Blender evaluates, found one that is disabled in viewports, or whose "
            "collection is excluded; enable it (hiding it by the eye is no matter)"
        )
    posed = {OBJECT_BONE: np.eye(4)}
    bones = evaluated.pose.bones
    posed |= zip((bone.name for bone in bones), _matrices(bones, "matrix"), strict=True)
    missing = [name for name in names if name not in posed]
    if missing:
        raise SceneError(
            f"{armature.name}: expected a bone {missing[0]!r}, found none of that name; choose another in the panel Pose, or press "
            "Match Bones"
        )
    matrices = np.stack([posed[name] for name in names])
    volumes = np.linalg.det(matrices[:, :3, :3])
    bad = np.flatnonzero(~(volumes > 1e-12))
    if len(bad):
        what = "a mirrored" if volumes[bad[0]] < 0 else "a flattened" if np.isfinite(volumes[bad[0]]) else "an endless"
        raise SceneError(
            f"{armature.name}: {names[bad[0]]}: expected a bone with a scale above 0, found {what} one; correct it, or its constraints"
        )
    return matrices, np.array(evaluated.matrix_world, dtype=np.float64)


def _matrices(bones: bpy.types.bpy_prop_collection, name: str) -> Float64Array:
    """[N, 4, 4]; Blender gives them column by column."""
    values = np.empty(16 * len(bones), np.float32)
    bones.foreach_get(name, values)
    return values.reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)


def _is_enabled(item: bpy.types.Object, layer: bpy.types.ViewLayer) -> bool:
    """Whether Blender goes on evaluating an object: what is disabled in viewports stays as it was, without a word."""

    def holds(branch: bpy.types.LayerCollection) -> bool:
        if branch.collection.hide_viewport:
            return False
        return (not branch.exclude and item.name in branch.collection.objects) or any(map(holds, branch.children))

    return not item.hide_viewport and holds(layer.layer_collection)


def _way_up(index: int, above: list[int]) -> list[int]:
    way = []
    while (index := above[index]) >= 0:
        way.append(index)
    return way
