"""An armature and its meshes out of a .blend file, as a rig. Nothing in the file is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import TemplateError, counted, did_you_mean
from dnerf_core.gnarf.rigs.rig import Rig, dense_weights, single_tree, unique_names
from headless.blend.module import quiet_stdout


def read_blend_rig(path: Path, armature: str | None) -> Rig:
    """The meshes that an armature deforms, with their modifiers, in its rest pose.

    Args:
        armature: name of the armature's object; None: the file has one alone.

    Raises:
        TemplateError: the file cannot be read, or has no such armature with a mesh.
    """
    with quiet_stdout():
        try:
            # Python texts and drivers of the file stay text
            bpy.ops.wm.open_mainfile(filepath=str(path.resolve()), load_ui=False, use_scripts=False)
        except RuntimeError as error:
            reason = " ".join(str(error).split()).removeprefix("Error: ")
            raise TemplateError(f"{path}: expected a .blend file, Blender cannot read it ({reason}); save it again") from None
        thing = _armature(path, armature)
        thing.data.pose_position = "REST"
        bpy.context.view_layer.update()
        return _rig(path, thing)


def _armature(path: Path, name: str | None) -> Any:
    found = [thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE"]
    names = [thing.name for thing in found]
    if name is not None:
        if name not in names:
            others = f"{counted(len(names), 'other')}{did_you_mean(name, names)}"
            raise TemplateError(f"{path}: expected an armature {name!a}, found {others}; correct --armature")
        return found[names.index(name)]
    rigged = [thing for thing in found if _meshes(thing)]
    if len(rigged) != 1:
        remedy = "say which with --armature" if rigged else "bind a mesh to one with an Armature modifier"
        raise TemplateError(f"{path}: expected one armature with a mesh, found {len(rigged)}; {remedy}")
    return rigged[0]


def _meshes(armature: Any) -> list[Any]:
    """The mesh objects that an armature deforms."""
    return [
        thing
        for thing in bpy.context.scene.objects
        if thing.type == "MESH"
        and thing.vertex_groups
        and any(modifier.type == "ARMATURE" and modifier.object == armature for modifier in thing.modifiers)
    ]


def _rig(path: Path, armature: Any) -> Rig:
    meshes = _meshes(armature)
    bones = list(armature.data.bones)
    held = {group.name for mesh in meshes for group in mesh.vertex_groups}
    kept = [
        bone
        for bone in bones
        if bone.use_deform and (bone.name in held or any(child.use_deform for child in bone.children_recursive))
    ]
    if not kept or not meshes:
        raise TemplateError(
            f"{path}: expected a mesh whose vertex groups are called as bones, found none; bind the mesh to the armature"
        )
    tree = single_tree([_parent(bone, kept) for bone in kept])
    order = [None if place < 0 else kept[place] for place in tree.order]
    names = ["root" if bone is None else bone.name for bone in order]
    joint_by_name = {name: joint for joint, name in enumerate(names)}
    turn = np.array(armature.matrix_world)
    heads = [np.zeros(3) if bone is None else turn[:3, :3] @ np.array(bone.head_local) + turn[:3, 3] for bone in order]
    if order[0] is None:
        heads[0] = heads[1]
    depsgraph = bpy.context.evaluated_depsgraph_get()
    pieces = [_piece(mesh, depsgraph, joint_by_name) for mesh in meshes]
    starts = np.cumsum([0, *(len(piece[0]) for piece in pieces)])
    materials = tuple(dict.fromkeys(name for piece in pieces for name in piece[4]))
    influences = [row for piece in pieces for row in piece[2]]
    widest = max(map(len, influences), default=1) or 1
    indices, values = np.zeros((len(influences), widest), np.int64), np.zeros((len(influences), widest))
    for vertex, row in enumerate(influences):
        for i, (joint, weight) in enumerate(row):
            indices[vertex, i], values[vertex, i] = joint, weight
    return Rig(
        np.concatenate([piece[0] for piece in pieces]),
        np.concatenate([piece[1] + start for piece, start in zip(pieces, starts, strict=False)]),
        np.stack(heads),
        tree.parents,
        dense_weights(indices, values, len(names), str(path)),
        unique_names(names),
        materials,
        np.concatenate([np.array([materials.index(piece[4][i]) for i in piece[3]], np.int64) for piece in pieces]),
        source=f"{path.name}, armature {armature.name}",
        remarks=() if order[0] is not None else ("bones stand apart without a common root; one of our own holds them",),
    )


def _parent(bone: Any, kept: list[Any]) -> int:
    """The nearest bone above that deforms; of Rigify's, the deforming twin of one of its mechanism counts."""
    names = [other.name for other in kept]
    above = bone.parent
    while above is not None:
        for name in (above.name, "DEF-" + above.name.removeprefix("ORG-")):
            if name in names and name != bone.name:
                return names.index(name)
        above = above.parent
    return -1


def _piece(
    thing: Any, depsgraph: Any, joint_by_name: dict[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[list[tuple[int, float]]], NDArray[np.int64], list[str]]:
    """(vertices in the world, triangles, influences of each vertex, material of each triangle, materials' names) of a mesh object."""
    evaluated = thing.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    try:
        points = np.zeros(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        mesh.calc_loop_triangles()
        faces = np.zeros(3 * len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("vertices", faces)
        slots = np.zeros(len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("material_index", slots)
        joints = [joint_by_name.get(group.name, -1) for group in thing.vertex_groups]
        influences = [
            [
                (joints[item.group], item.weight)
                for item in vertex.groups
                if item.weight > 0 and 0 <= item.group < len(joints) and joints[item.group] >= 0
            ]
            for vertex in mesh.vertices
        ]
    finally:
        evaluated.to_mesh_clear()
    place = np.array(evaluated.matrix_world)
    vertices = points.reshape(-1, 3).astype(np.float64) @ place[:3, :3].T + place[:3, 3]
    triangles = faces.reshape(-1, 3).astype(np.int64)
    if np.linalg.det(place[:3, :3]) < 0:
        triangles = triangles[:, ::-1]
    names = [slot.material.name if slot.material else "material" for slot in thing.material_slots] or ["material"]
    return vertices, triangles, influences, np.minimum(slots.astype(np.int64), len(names) - 1), names
