"""The parts of an imported mesh: its labels as attributes, its materials in the labels' colours, and an object a part."""

from __future__ import annotations

import re

import bmesh
import bpy
import mathutils
import numpy as np

from dnerf_core.labels import LabelSet, default_colors

LABEL_KEY = "label"
"""On a material: the id of the part that it is of, as the GLB has it in the material's `extras`."""
_FROM_GLB = (("_LABEL", "label", "INT", np.int32), ("_CONFIDENCE", "confidence", "FLOAT", np.float32))
"""What a GLB calls the vertices' labels, and what clouds and segmented meshes call them here."""


def name_attributes(mesh: bpy.types.Mesh) -> None:
    """Give the vertices' labels and their confidence the names and types that clouds have, `label` and `confidence`."""
    for written, name, kind, dtype in _FROM_GLB:
        attribute = mesh.attributes.get(written)
        if attribute is None or attribute.data_type != "FLOAT" or attribute.domain != "POINT":
            continue
        values = np.empty(len(attribute.data), np.float32)
        attribute.data.foreach_get("value", values)
        mesh.attributes.remove(attribute)
        fresh = mesh.attributes.new(name, kind, "POINT")
        fresh.data.foreach_set("value", np.rint(values).astype(dtype) if kind == "INT" else values)


def color_materials(mesh: bpy.types.Mesh, labels: LabelSet | None) -> None:
    """Let Solid views show the materials in their parts' colours, where their Color is set to Material.

    Args:
        labels: a part's colour by its name; one that is not in it gets its id's of `default_colors`. None: all do.
    """
    colors = {} if labels is None else {label.name: label.color for label in labels.labels}
    for material in mesh.materials:
        if material is None:
            continue
        color = colors.get(material.name, colors.get(part_name(material)))
        part_id = material.get(LABEL_KEY)
        if color is None and isinstance(part_id, int) and 0 < part_id < 255:
            color = default_colors(part_id)[part_id - 1]
        if color is not None:
            linear = mathutils.Color([value / 255 for value in color]).from_srgb_to_scene_linear()
            material.diffuse_color = (*linear, 1.0)


def part_name(material: bpy.types.Material) -> str:
    """The name of the part that a material is of: its own without the number by which Blender keeps names apart."""
    return re.sub(r"\.[0-9]{3,}$", "", material.name)


def separate_materials(item: bpy.types.Object) -> list[bpy.types.Object]:
    """An object for each material that has faces, named after it, in the place of a mesh object; modifiers, parent and weights are its own.

    Returns:
        The new objects, in the order of the materials; the object itself where there is nothing to separate.
    """
    mesh = item.data
    slots = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slots)
    used = [index for index in np.unique(slots).tolist() if index < len(mesh.materials) and mesh.materials[index] is not None]
    if len(used) < 2:
        return [item]
    parts = []
    for index in used:
        material = mesh.materials[index]
        part = item.copy()
        part.data = mesh.copy()
        part.name = part.data.name = f"{item.name} {part_name(material)}"
        _keep_faces(part.data, index)
        part.data.materials.clear()
        part.data.materials.append(material)
        for collection in item.users_collection:
            collection.objects.link(part)
        parts.append(part)
    bpy.data.objects.remove(item)
    if not mesh.users:
        bpy.data.meshes.remove(mesh)
    return parts


def _keep_faces(mesh: bpy.types.Mesh, index: int) -> None:
    """Leave the faces of one material slot, and their vertices."""
    content = bmesh.new()
    content.from_mesh(mesh)
    bmesh.ops.delete(content, geom=[face for face in content.faces if face.material_index != index], context="FACES")
    loose = [vertex for vertex in content.verts if not vertex.link_faces]
    bmesh.ops.delete(content, geom=loose, context="VERTS")
    for face in content.faces:
        face.material_index = 0
    content.to_mesh(mesh)
    content.free()
