"""A subject's mesh out of a GLB, with its skeleton and its motion, in a collection below the scene's root."""

from __future__ import annotations

from pathlib import Path

import bpy
import mathutils

from dnerf_core.labels import LabelSet

from .actions import shift_keys
from .errors import SceneError
from .subject import subject_root


def import_mesh(
    scene: bpy.types.Scene, path: Path, name: str, first_frame: int, labels: LabelSet | None
) -> list[bpy.types.Object]:
    """What the file holds, in a collection of that name; its motion begins at `first_frame`.

    Solid views show the parts in their labels' colours, where their Color is set to Material.

    Raises:
        SceneError: Blender's glTF importer is disabled, or cannot read it.
    """
    if "gltf" not in dir(bpy.ops.import_scene):
        raise SceneError("glTF: expected Blender's importer, found it disabled; enable glTF 2.0 format in Preferences > Add-ons")
    keywords = {"filepath": str(path), "merge_vertices": True}
    if "disable_bone_shape" in bpy.ops.import_scene.gltf.get_rna_type().properties:
        keywords["disable_bone_shape"] = True  # or a ball of its own for every bone
    before = set(bpy.data.objects)
    try:
        if bpy.app.background:
            bpy.ops.import_scene.gltf(**keywords)
        else:  # called by a timer, where no window is the current one
            with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
                bpy.ops.import_scene.gltf(**keywords)
    except RuntimeError as error:
        raise SceneError(f"{path.name}: expected a mesh that Blender imports, it says: {error}; repeat the step") from error
    items = [item for item in bpy.data.objects if item not in before]
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    root = subject_root(scene)
    for item in items:
        item.name = f"{name} skeleton" if item.type == "ARMATURE" else name
        for other in item.users_collection:
            other.objects.unlink(item)
        collection.objects.link(item)
        shift_keys(item, first_frame)
        if item.parent is None:
            item.parent = root
        if item.type == "MESH" and labels is not None:
            _color_parts(item, labels)
    scene.frame_set(scene.frame_current)
    return items


def _color_parts(item: bpy.types.Object, labels: LabelSet) -> None:
    colors = {label.name: label.color for label in labels.labels}
    for material in item.data.materials:
        color = colors.get(material.name.rpartition(".")[0] or material.name, colors.get(material.name))
        if color is not None:
            linear = mathutils.Color([value / 255 for value in color]).from_srgb_to_scene_linear()
            material.diffuse_color = (*linear, 1.0)
