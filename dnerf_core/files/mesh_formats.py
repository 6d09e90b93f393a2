"""One mesh's files: PLY and OBJ here, GLB by `files.mesh_glb`, USD by `files.usd`. Equal meshes give equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from dnerf_core.errors import UsageError
from dnerf_core.files.clouds import CloudColor, CloudStyle, distinct, ply_header, vertex_table
from dnerf_core.files.mesh_arrays import MeshArrays, Part
from dnerf_core.files.mesh_glb import mesh_glb_bytes
from dnerf_core.files.usd import mesh_usd_bytes
from dnerf_core.files.whole import write_bytes_whole

MeshFormat = Literal["glb", "ply", "obj", "usd"]
MESH_FORMATS: tuple[MeshFormat, ...] = ("glb", "ply", "obj", "usd")


def mesh_files(path: Path, mesh_format: MeshFormat) -> list[Path]:
    """What `write_mesh` writes of a mesh at `path`: of OBJ also the materials."""
    return [path, path.with_suffix(".mtl")] if mesh_format == "obj" else [path]


def write_mesh(path: Path, mesh: MeshArrays, mesh_format: MeshFormat, color: CloudColor = "rgb") -> None:
    """Write one mesh in one format.

    Raises:
        UsageError: USD without usd-core.
        OutputError: a file cannot be written.
    """
    if mesh_format == "obj":
        materials = path.with_suffix(".mtl")
        write_bytes_whole(materials, mtl_bytes(mesh))
        write_bytes_whole(path, obj_bytes(mesh, color, materials.name))
        return
    encoders = {"ply": mesh_ply_bytes, "glb": mesh_glb_bytes, "usd": mesh_usd_bytes}
    write_bytes_whole(path, encoders[mesh_format](mesh, color))


def save_mesh(path: Path, mesh: MeshArrays, color: CloudColor = "rgb") -> None:
    """Write one mesh in the format that the ending of `path` names: `.glb`, `.ply`, `.obj` or `.usd`.

    Raises:
        UsageError: another ending, the labels' colours of a mesh without labels or label set, or USD without usd-core.
        OutputError: a file cannot be written.
    """
    chosen: dict[str, MeshFormat] = {f".{name}": name for name in MESH_FORMATS}
    if path.suffix.lower() not in chosen:
        ending = path.suffix or "no ending"
        raise UsageError(f"{path}: expected a name that ends in {', '.join(chosen)}, found {ending}; rename it")
    if color == "label" and mesh.label_set is None:
        lacking = "labels" if mesh.labels is None else "label set"
        raise UsageError(f"{path}: expected a mesh with labels and a label set to colour it by, found no {lacking}; choose rgb")
    write_mesh(path, mesh, chosen[path.suffix.lower()], color)


def mesh_ply_bytes(mesh: MeshArrays, color: CloudColor) -> bytes:
    """Binary little-endian PLY: the vertices as clouds have their points, and faces as `vertex_indices`."""
    style = CloudStyle(mesh.label_set, color, mesh.world_up)
    points = mesh.as_cloud()
    vertices, kinds = vertex_table(points, style)
    faces = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("indices", "<i4", (3,))])
    faces["count"], faces["indices"] = 3, mesh.faces
    more = [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices"]
    return ply_header(points, style, kinds, more) + vertices.tobytes() + faces.tobytes()


def obj_bytes(mesh: MeshArrays, color: CloudColor, materials: str) -> bytes:
    """Wavefront OBJ: `v x y z r g b` (colours behind the place, as most readers know them), `vn`, and the faces part by part.

    Places are as they stand, in the world frame of the cameras: OBJ tells no up axis.
    """
    shown = mesh.shown_colors(color) / 255.0
    lines = [f"# world frame of the cameras, {mesh.world_up} up", f"mtllib {materials}", "o object"]
    lines += [
        f"v {' '.join(f'{value:.9g}' for value in place)} {' '.join(f'{value:.4f}' for value in rgb)}"
        for place, rgb in zip(mesh.vertices.tolist(), shown.tolist(), strict=True)
    ]
    lines += [f"vn {x:.5f} {y:.5f} {z:.5f}" for x, y, z in mesh.normals.tolist()]
    for name, (_, _, _, chosen) in _materials(mesh):
        lines += [f"g {name}", f"usemtl {name}"]
        lines += [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in (mesh.faces[chosen] + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def mtl_bytes(mesh: MeshArrays) -> bytes:
    """The materials of `obj_bytes`: each part's colour of the label set."""
    lines = []
    for name, (_, _, rgb, _) in _materials(mesh):
        lines += [f"newmtl {name}", f"Kd {' '.join(f'{value / 255:.4f}' for value in rgb)}", "Ks 0 0 0", "illum 1", ""]
    return "\n".join(lines).encode()


def _materials(mesh: MeshArrays) -> list[tuple[str, Part]]:
    """The parts by the names of their materials, which have no spaces: readers take the first word."""
    parts = mesh.parts()
    words = distinct([(label, "_".join(name.split())) for label, name, _, _ in parts])
    return list(zip(words, parts, strict=True))
