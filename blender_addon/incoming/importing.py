"""Clouds and meshes that the commands wrote, from their files into the scene: a cloud or a mesh each, with its parts."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.errors import UsageError
from dnerf_core.files.cloud_reading import read_faces
from dnerf_core.labels import Label, LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

from ..places import file_stem
from ..scene.clouds import add_cloud
from ..scene.meshes import import_mesh
from ..scene.parts.mesh_parts import separate_materials
from ..scene.segments import label_object
from ..scene.subject import engine_to_root, subject_root

ENDINGS = (".ply", ".npz", ".glb")


def import_file(
    scene: bpy.types.Scene, path: Path, known: LabelSet | None, *, up: WorldUp | None = None, separate: bool = False
) -> list[bpy.types.Object]:
    """The objects of a file, below the subject's root, at its place.

    Args:
        known: labels whose colours the parts have by their names, where the file names no colours.
        up: the axis that points up in it; None: as the file says (a GLB always has y up).
        separate: of a mesh, an object a part.

    Raises:
        UsageError: another ending, a file that cannot be read, or one without points or faces.
    """
    ending, stem = path.suffix.lower(), file_stem(path.stem)
    if ending not in ENDINGS:
        raise UsageError(
            f"{path}: expected a cloud or mesh that ends in {', '.join(ENDINGS)}, found {path.suffix or 'no ending'}; "
            "write it as one of these"
        )
    if ending == ".glb":
        return import_mesh(scene, path, f"mesh {stem}", scene.frame_start, known, separate=separate)
    cloud = named_parts(PointCloud.load(path), None if ending == ".npz" else known)
    world_up = up or cloud.world_up
    faces = read_faces(path) if ending == ".ply" else None
    if faces is None:
        return [add_cloud(scene, cloud, f"cloud {stem}", world_up=world_up)]
    item = add_mesh(scene, cloud, faces, f"mesh {stem}", world_up)
    return separate_materials(item) if separate else [item]


def named_parts(cloud: PointCloud, known: LabelSet | None) -> PointCloud:
    """A cloud whose labels have a meaning: names `part 1`, `part 2`, .. where the file has none, and the colours of `known` by name."""
    if cloud.labels is None:
        return cloud
    labels = cloud.label_set
    if labels is None:
        labels = LabelSet.from_names([f"part {part_id}" for part_id in range(1, max(int(cloud.labels.max()), 1) + 1)])
    return PointCloud(
        cloud.points, cloud.normals, cloud.colors, cloud.labels, cloud.confidence, colored_like(labels, known), cloud.world_up
    )


def colored_like(labels: LabelSet, known: LabelSet | None) -> LabelSet:
    """The labels in the colours that those of the same names have in `known`; as they are where two of them would look alike."""
    if known is None:
        return labels
    colors = {label.name: label.color for label in known.labels}
    chosen = [colors.get(label.name, label.color) for label in labels.labels]
    if len(set(chosen)) < len(chosen):
        return labels
    return LabelSet(tuple(Label(label.id, label.name, color) for label, color in zip(labels.labels, chosen, strict=True)))


def add_mesh(
    scene: bpy.types.Scene, vertices: PointCloud, faces: NDArray[np.int32], name: str, world_up: WorldUp
) -> bpy.types.Object:
    """A mesh object below the subject's root, with the attributes of clouds, and a material a part.

    Args:
        faces: int32 [F, 3], numbers of vertices.
    """
    turn = engine_to_root(world_up)[:3, :3].astype(np.float32)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata((vertices.points @ turn.T).tolist(), [], faces.tolist())
    mesh.shade_smooth()
    colors = np.ones((len(vertices), 4), np.float32)
    colors[:, :3] = vertices.colors / np.float32(255.0)
    mesh.attributes.new("color", "BYTE_COLOR", "POINT").data.foreach_set("color_srgb", colors.ravel())
    mesh.attributes.active_color_name = "color"
    item = bpy.data.objects.new(name, mesh)
    item.parent = subject_root(scene)
    scene.collection.objects.link(item)
    if vertices.labels is not None and vertices.confidence is not None and vertices.label_set is not None:
        label_object(item, vertices.labels, vertices.confidence, vertices.label_set)
    return item
