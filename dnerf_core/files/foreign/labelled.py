"""A foreign cloud or mesh written again with its labels: PLY and NPZ of exact coordinates, GLB of a material a part, LAS as it was."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.camera_files.turning import FileUp, to_y_up
from dnerf_core.files.foreign.shape import ForeignShape, ShapeFormat
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.labels import LabelSet

OutFormat = Literal["ply", "npz", "glb", "las", "laz"]

_GREY = 160


def out_format(chosen: ShapeFormat, is_mesh: bool) -> OutFormat:
    """The format that a file's labels go to: its own where that can hold them; OBJ becomes GLB, and points of a GLB become PLY."""
    if is_mesh:
        return "ply" if chosen == "ply" else "glb"
    return chosen if chosen in ("npz", "las", "laz") else "ply"


def write_labelled(
    path: Path,
    shape: ForeignShape,
    labels: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    label_set: LabelSet,
    up: FileUp,
    turn: bool,
) -> None:
    """Write a shape with the labels of its points, in the format that the path ends in.

    Args:
        labels: uint8 [N], ids of the set.
        confidence: float32 [N] in [0, 1].
        up: the axis of the shape's frame that points up.
        turn: of GLB: whether the shape is turned, since glTF is y-up; else the frame is kept.

    Raises:
        UsageError: see `las.write_las`.
        OutputError: it cannot be written.
    """
    ending = path.suffix.lower()
    if ending in (".las", ".laz"):
        from dnerf_core.files.foreign.las import write_las

        write_las(path, shape, labels, confidence)
        return
    if ending == ".npz":
        data = _npz_bytes(shape, labels, confidence, label_set)
    elif ending == ".glb":
        data = _glb_bytes(shape, labels, confidence, label_set, up if turn else "y")
    else:
        data = labelled_ply_bytes(shape, labels, confidence, label_set, up)
    write_bytes_whole(path, data)


def labelled_ply_bytes(
    shape: ForeignShape, labels: NDArray[np.uint8], confidence: NDArray[np.float32], label_set: LabelSet, up: FileUp
) -> bytes:
    """Binary little-endian PLY as `dnerf_core.files.clouds` has it, in the labels' colours; places that floats would move are doubles."""
    exact = np.array_equal(shape.points.astype(np.float32), shape.points)
    place = ("<f4", "float") if exact else ("<f8", "double")
    fields = [(name, *place) for name in "xyz"]
    columns: list[NDArray[Any]] = [*shape.points.T]
    if shape.normals is not None:
        fields += [(name, "<f4", "float") for name in ("nx", "ny", "nz")]
        columns += [*shape.normals.T]
    fields += [(name, "u1", "uchar") for name in ("red", "green", "blue")]
    fields += [("label", "<i4", "int"), ("scalar_label", "<f4", "float"), ("confidence", "<f4", "float")]
    columns += [*label_set.palette()[labels].T, labels, labels, confidence]
    table = np.empty(len(labels), dtype=[(name, kind) for name, kind, _ in fields])
    for (name, _, _), column in zip(fields, columns, strict=True):
        table[name] = column
    lines = ["ply", "format binary_little_endian 1.0", f"comment world frame of the cameras, {up} up"]
    lines += [f"comment label {label.id} {label.name}" for label in label_set.labels]
    lines += [f"element vertex {len(labels)}", *(f"property {kind} {name}" for name, _, kind in fields)]
    body = table.tobytes()
    if shape.faces is not None:
        faces = np.empty(len(shape.faces), dtype=[("count", "u1"), ("indices", "<i4", (3,))])
        faces["count"], faces["indices"] = 3, shape.faces
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        body += faces.tobytes()
    return "\n".join([*lines, "end_header"]).encode("ascii", "replace") + b"\n" + body


def _npz_bytes(shape: ForeignShape, labels: NDArray[np.uint8], confidence: NDArray[np.float32], label_set: LabelSet) -> bytes:
    """All of the file's arrays, of points that were kept, and the labels by the names of `dnerf_core.files.clouds.npz_bytes`."""
    count = len(shape.kept)
    arrays = {name: array[shape.kept] if array.ndim and len(array) == count else array for name, array in shape.arrays.items()}
    arrays |= {"labels": labels, "confidence": confidence, "label_names": np.array(label_set.names)}
    arrays["label_colors"] = np.array([label.color for label in label_set.labels], np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _glb_bytes(
    shape: ForeignShape, labels: NDArray[np.uint8], confidence: NDArray[np.float32], label_set: LabelSet, up: FileUp
) -> bytes:
    from dnerf_core.files.meshes.glb import mesh_glb_bytes
    from dnerf_core.mesh.mesh import Mesh

    assert shape.faces is not None
    turn = to_y_up(up)[:3, :3]
    normals = vertex_normals(shape.points, shape.faces)
    mesh = Mesh(
        np.ascontiguousarray(shape.points @ turn.T, np.float32),
        shape.faces.astype(np.int32),
        np.ascontiguousarray(normals @ turn.T, np.float32),
        np.full((len(labels), 3), _GREY, np.uint8),
        labels,
        confidence,
        label_set,
    )
    return mesh_glb_bytes(mesh, "label")


def vertex_normals(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Unit normals [V, 3], of a vertex the mean of its faces' by their areas; +y where it has none."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    of_faces = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], of_faces)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.where(length > 0, length, 1.0), np.array([0.0, 1.0, 0.0]))
