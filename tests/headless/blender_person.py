"""A person made in Blender: a template's mesh and skeleton as an armature with a skinned mesh, z up, facing -y."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.gnarf.body.template import Template

TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Columns of y-up points times this are those of z-up ones: x, -z, y."""


def build_person(template: Template, seed: int = 0) -> tuple[Any, Any]:
    """(armature object, mesh object) in an empty file; bones have tails and rolls of their own; textures have seams."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rng = np.random.default_rng(seed)
    armature = bpy.data.armatures.new("rig")
    thing = bpy.data.objects.new("Armature", armature)
    bpy.context.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")
    heads = template.joints.astype(np.float64) @ TO_BLENDER.T
    for joint, name in enumerate(template.names):
        bone = armature.edit_bones.new(name)
        bone.head = heads[joint]
        bone.tail = heads[joint] + rng.uniform(0.02, 0.1, 3)
        bone.roll = float(rng.uniform(-1, 1))
        if template.parents[joint] >= 0:
            bone.parent = armature.edit_bones[template.names[template.parents[joint]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh = bpy.data.meshes.new("body")
    mesh.from_pydata((template.vertices @ TO_BLENDER.T).tolist(), [], template.faces.tolist())
    layer = mesh.uv_layers.new(name="UVMap")
    for loop in layer.data:  # no two corners alike, so that exporters split every vertex
        loop.uv = rng.uniform(0, 1, 2)
    body = bpy.data.objects.new("body", mesh)
    bpy.context.collection.objects.link(body)
    for joint, name in enumerate(template.names):
        group = body.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(template.weights[:, joint] > 0).tolist():
            group.add([vertex], float(template.weights[vertex, joint]), "REPLACE")
    body.parent = thing
    body.modifiers.new("Armature", "ARMATURE").object = thing
    bpy.context.view_layer.update()
    return thing, body


def turn_bones(armature: Any, frames: int, seed: int, largest_rad: float = 0.7) -> None:
    """Key every bone's rotation, and the root's place, in frames 1 to `frames`."""
    import bpy

    rng = np.random.default_rng(seed)
    for frame in range(1, frames + 1):
        for bone in armature.pose.bones:
            bone.rotation_mode = "XYZ"
            bone.rotation_euler = rng.uniform(-largest_rad, largest_rad, 3)
            bone.keyframe_insert("rotation_euler", frame=frame)
        root = armature.pose.bones[0]
        root.location = rng.uniform(-0.5, 0.5, 3)
        root.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, frames


def posed_by_blender(armature: Any, body: Any, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """(vertices [V, 3] in the world, y up; bones' matrices [K, 4, 4]) of a frame, by Blender's own skinning."""
    import bpy

    bpy.context.scene.frame_set(frame)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.array([list(evaluated.matrix_world @ vertex.co) for vertex in evaluated.data.vertices])
    return points @ TO_BLENDER, np.array([np.array(bone.matrix) for bone in armature.pose.bones])


def save_blend(path: Path) -> Path:
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
    return path


def export_glb(path: Path) -> Path:
    import bpy

    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB", export_animations=False)
    return path


def export_bvh(path: Path, armature: Any, frames: int) -> Path:
    import bpy

    bpy.context.view_layer.objects.active = armature
    armature.select_set(True)
    bpy.ops.export_anim.bvh(filepath=str(path), frame_start=1, frame_end=frames, rotate_mode="NATIVE")
    return path


def build_whole_person(template: Template, thickness: float) -> tuple[Any, Any]:
    """The same skeleton in one smooth skin, made by the skin modifier; its vertices follow the bones that they are near."""
    import bpy

    armature, body = build_person(template)
    bpy.data.objects.remove(body)
    heads = template.joints.astype(np.float64) @ TO_BLENDER.T
    edges = [(int(parent), joint) for joint, parent in enumerate(template.parents) if parent >= 0]
    mesh = bpy.data.meshes.new("whole")
    mesh.from_pydata(heads.tolist(), [edge for edge in edges if np.linalg.norm(heads[edge[0]] - heads[edge[1]]) > 1e-3], [])
    whole = bpy.data.objects.new("whole", mesh)
    bpy.context.collection.objects.link(whole)
    bpy.context.view_layer.objects.active = whole
    whole.modifiers.new("Weld", "WELD").merge_threshold = 1e-3
    whole.modifiers.new("Skin", "SKIN")
    for vertex in mesh.skin_vertices[0].data:
        vertex.radius = (thickness, thickness)
    mesh.skin_vertices[0].data[0].use_root = True
    whole.modifiers.new("Smooth", "SUBSURF").levels = 2
    for name in ("Weld", "Skin", "Smooth"):
        bpy.ops.object.modifier_apply(modifier=name)
    points = np.array([list(vertex.co) for vertex in whole.data.vertices])
    near = np.zeros((len(points), len(heads)))
    for parent, joint in edges:
        way = heads[joint] - heads[parent]
        along = np.clip((points - heads[parent]) @ way / max(way @ way, 1e-12), 0, 1)
        apart = np.linalg.norm(points - heads[parent] - along[:, None] * way, axis=1)
        near[:, parent] = np.maximum(near[:, parent], np.exp(-((apart / thickness) ** 2)))
    for joint, name in enumerate(template.names):
        group = whole.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(near[:, joint] > 1e-3 * near.max(axis=1)).tolist():
            group.add([vertex], float(near[vertex, joint]), "REPLACE")
    whole.parent = armature
    whole.modifiers.new("Armature", "ARMATURE").object = armature
    bpy.context.view_layer.update()
    return armature, whole
