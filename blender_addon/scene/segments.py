"""Mesh objects of any kind as what a network of points labels, and what its labels make of them: attributes, and a material a part.

Convention: places are Blender's world, z up, so that an object's scale and turn count as they are seen.
"""

from __future__ import annotations

import json

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import Label, LabelSet

from .clouds import is_cloud, set_labels
from .errors import SceneError

PART_PROPERTY = "dnerf_part"
"""On a material: the name and the colour of the part that it is of, as JSON."""


def check_labelled(item: bpy.types.Object) -> None:
    """Refuse an object whose points cannot get labels.

    Raises:
        SceneError: it is in edit mode, is linked from another file, or has no points.
    """
    if item.mode != "OBJECT":
        raise SceneError(f"{item.name}: expected object mode, found {item.mode.lower()} mode; press Tab in the 3D view")
    if item.data.library is not None:
        raise SceneError(f"{item.name}: expected a mesh of this file, found one linked from another; make it local")
    if not item.data.vertices:
        raise SceneError(f"{item.name}: expected points, found none; select another object")


def shape_of(item: bpy.types.Object) -> tuple[NDArray[np.float32], NDArray[np.int32] | None]:
    """An object's vertices float32 [N, 3] in the world, without its modifiers, and its triangles int32 [F, 3]; None: it has no faces."""
    mesh = item.data
    local = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", local.ravel())
    matrix = np.array(item.matrix_world, np.float64)
    places = (local @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    if is_cloud(item) or not mesh.polygons:
        return places, None
    mesh.calc_loop_triangles()
    triangles = np.empty((len(mesh.loop_triangles), 3), np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles.ravel())
    return places, triangles


def label_object(item: bpy.types.Object, labels: NDArray[np.uint8], confidence: NDArray[np.float32], label_set: LabelSet) -> None:
    """Give an object's points labels, and its faces a material a part; materials that it had stay in its slots.

    Raises:
        SceneError: the object has other points by now, or see `check_labelled`.
    """
    check_labelled(item)
    if len(labels) != len(item.data.vertices):
        raise SceneError(
            f"{item.name}: expected {len(labels)} points as when it was labelled, found {len(item.data.vertices)}; label it again"
        )
    set_labels(item, labels, confidence, label_set)
    if item.data.polygons:
        _give_materials(item.data, labels, label_set)


def face_labels(mesh: bpy.types.Mesh, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The label of each face, uint8 [F]: the most frequent one of its vertices, of several the lowest."""
    count = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", count)
    vertices = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertices)
    votes = np.zeros((len(count), int(labels.max()) + 1), np.uint16)
    np.add.at(votes, (np.repeat(np.arange(len(count)), count), labels[vertices]), 1)
    return votes.argmax(axis=1).astype(np.uint8)


def _give_materials(mesh: bpy.types.Mesh, labels: NDArray[np.uint8], label_set: LabelSet) -> None:
    found = face_labels(mesh, labels)
    slots = np.zeros(256, np.int32)
    for part_id in np.unique(found).tolist():
        material = _material_of(label_set.labels[part_id])
        index = mesh.materials.find(material.name)
        if index < 0:
            mesh.materials.append(material)
            index = len(mesh.materials) - 1
        slots[part_id] = index
    mesh.polygons.foreach_set("material_index", slots[found])
    mesh.update()


def _material_of(label: Label) -> bpy.types.Material:
    """The file's material of a part, made where there is none."""
    mark = json.dumps([label.name, list(label.color)])
    for material in bpy.data.materials:
        if material.get(PART_PROPERTY) == mark and material.library is None:
            return material
    material = bpy.data.materials.new(label.name)
    material[PART_PROPERTY] = mark
    linear = (*mathutils.Color([value / 255 for value in label.color]).from_srgb_to_scene_linear(), 1.0)
    material.diffuse_color = linear
    material.use_nodes = True
    for node in material.node_tree.nodes:
        if node.type == "BSDF_PRINCIPLED":
            node.inputs["Base Color"].default_value = linear
    return material
