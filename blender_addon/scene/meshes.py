"""A subject's mesh out of a GLB, with the skeleton and the motion that it has, in a collection below the scene's root."""

from __future__ import annotations

from pathlib import Path

import bpy

from dnerf_core.labels import LabelSet

from .actions import shift_keys
from .errors import SceneError
from .parts.mesh_parts import color_materials, name_attributes, separate_materials
from .subject import subject_root


def import_mesh(
    scene: bpy.types.Scene, path: Path, name: str, first_frame: int, labels: LabelSet | None, *, separate: bool = False
) -> list[bpy.types.Object]:
    """What the file holds, in a collection of that name; its motion begins at `first_frame`.

    Solid views show the parts in their labels' colours, where their Color is set to Material.

    Args:
        labels: whose colours the parts have, by their names; None: those of their ids.
        separate: an object a part.

    Raises:
        SceneError: Blender's glTF importer is disabled, or cannot read it, or there is no surface in it.
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
    if not any(item.type == "MESH" and item.data.polygons for item in items):
        bpy.data.batch_remove({*items, *(item.data for item in items if item.data is not None)})
        raise SceneError(
            f"{path.name}: expected a mesh with faces, found none; of a cloud import the .ply or .npz, which have its labels"
        )
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
        if item.type == "MESH":
            name_attributes(item.data)
            color_materials(item.data, labels)
    if separate:
        items = [part for item in items for part in (separate_materials(item) if item.type == "MESH" else [item])]
    scene.frame_set(scene.frame_current)
    return items
