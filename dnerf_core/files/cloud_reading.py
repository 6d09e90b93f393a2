"""A point cloud's file read back: the NPZ and the binary PLY that `dnerf_core.files.clouds` writes; and a mesh's PLY (numpy only)."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ..errors import AnnotationError, UsageError
from ..labels import Label, LabelSet, default_colors
from .opening.regular_files import open_regular, read_regular_bytes

_LONGEST_HEADER = 2**16
_READ_ERRORS = (OSError, ValueError, EOFError, LookupError, TypeError, zipfile.BadZipFile, zlib.error, AnnotationError)
_KINDS = {
    "char": "i1", "uchar": "u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4", "float": "<f4", "double": "<f8",
    "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4", "float32": "<f4", "float64": "<f8",
}  # fmt: skip
"""numpy's names of PLY's types; some writers use the second row."""


def read_cloud(path: Path) -> dict[str, Any]:
    """What a file says of a `dnerf_core.pointcloud.cloud.PointCloud`, by the names of its fields.

    Raises:
        UsageError: another ending, or a file that cannot be read or is no such point cloud.
    """
    readers = {".npz": _read_npz, ".ply": _read_ply}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path}: expected a point cloud that ends in .ply or .npz, found {path.suffix or 'no ending'}; save it so"
        )
    try:
        return reader(path)
    except _READ_ERRORS as error:
        raise _unreadable(path, "a point cloud", error) from error


def read_faces(path: Path) -> NDArray[np.int32] | None:
    """The triangles int32 [F, 3] of a PLY that `dnerf_core.files.meshes` wrote; None: it has none. Its vertices are for `read_cloud`.

    Raises:
        UsageError: the file cannot be read, or has other faces.
    """
    try:
        facts, _, body = _parts_of_ply(path)
        starts = [index for index, fact in enumerate(facts) if fact[:2] == ["element", "face"]]
        if not starts or not int(facts[starts[0]][2]):
            return None
        if facts[starts[0] + 1 :] != [["property", "list", "uchar", "int", "vertex_indices"]]:
            raise ValueError("its faces are not of the kind that mesh writes")
        vertices = int(facts[1][2])
        table = np.frombuffer(
            body, [("count", "u1"), ("indices", "<i4", (3,))], int(facts[starts[0]][2]), vertices * _vertex_type(facts).itemsize
        )
        indices = np.array(table["indices"], np.int32)
        if (table["count"] != 3).any() or indices.min() < 0 or indices.max() >= vertices:
            raise ValueError("a face that is no triangle of its vertices")
        return indices
    except _READ_ERRORS as error:
        raise _unreadable(path, "a mesh", error) from error


def _unreadable(path: Path, kind: str, error: Exception) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return UsageError(f"{path}: expected {kind}, it cannot be read: {reason}; save it again")


def _read_npz(path: Path) -> dict[str, Any]:
    with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    cloud: dict[str, Any] = {name: arrays[name] for name in ("points", "normals", "colors")}
    cloud |= {name: arrays[name] for name in ("labels", "confidence") if name in arrays}
    if "label_names" in arrays:
        pairs = zip(arrays["label_names"].tolist(), arrays["label_colors"].tolist(), strict=True)
        cloud["label_set"] = LabelSet(tuple(Label(k, str(name), tuple(color)) for k, (name, color) in enumerate(pairs)))
    return cloud


def _parts_of_ply(path: Path) -> tuple[list[list[str]], list[str], bytes]:
    """The words of each line of the header, the comments, and what follows the header."""
    data = read_regular_bytes(path)
    head, end_marker, body = data[:_LONGEST_HEADER].partition(b"end_header\n")
    if not end_marker or not head.startswith(b"ply\n"):
        raise ValueError("no PLY header")
    body = data[len(head) + len(end_marker) :]
    lines = head.decode("ascii").splitlines()[1:]
    comments = [line.removeprefix("comment ") for line in lines if line.startswith("comment ")]
    facts = [line.split() for line in lines if line and not line.startswith("comment")]
    if facts[0] != ["format", "binary_little_endian", "1.0"] or facts[1][:2] != ["element", "vertex"]:
        raise ValueError("not binary, little-endian, with the vertices first")
    return facts, comments, body


def _vertex_type(facts: list[list[str]]) -> np.dtype[Any]:
    fields: list[tuple[str, str]] = []
    for fact in facts[2:]:
        if fact[0] == "element":
            break
        fields.append((fact[2], _KINDS[fact[1]]))
    return np.dtype(fields)


def _read_ply(path: Path) -> dict[str, Any]:
    facts, comments, body = _parts_of_ply(path)
    kind = _vertex_type(facts)
    vertices = np.frombuffer(body, kind, count=int(facts[1][2]))
    cloud: dict[str, Any] = {
        "points": _columns(vertices, ("x", "y", "z"), np.float32),
        "normals": _columns(vertices, ("nx", "ny", "nz"), np.float32),
        "colors": _columns(vertices, ("red", "green", "blue"), np.uint8),
        "world_up": "z" if "world frame of the cameras, z up" in comments else "y",
    }
    names = kind.names or ()
    label = _one_of(names, "label")
    if label is not None:
        cloud["labels"] = _columns(vertices, (label,), np.uint8)[:, 0]
        confidence = _one_of(names, "confidence")
        sure = np.ones(len(vertices), np.float32)  # labels that somebody gave and nobody voted on
        cloud["confidence"] = sure if confidence is None else _columns(vertices, (confidence,), np.float32)[:, 0]
        cloud["label_set"] = _named_labels(comments)
    return cloud


def _one_of(names: Container[str], field: str) -> str | None:
    """What a file calls a field of ours; CloudCompare writes every one of ours as `scalar_NAME`."""
    return next((name for name in (field, f"scalar_{field}") if name in names), None)


def _columns(vertices: NDArray[Any], names: tuple[str, ...], kind: type) -> NDArray[Any]:
    """[N, len(names)] of one type."""
    return np.stack([vertices[name] for name in names], axis=1).astype(kind)


def _named_labels(comments: list[str]) -> LabelSet | None:
    """The label set that comments `label ID NAME` name; None where there are none, or not of every id."""
    named = [match for comment in comments if (match := re.fullmatch(r"label ([0-9]{1,3}) (.+)", comment))]
    if not named or [int(match[1]) for match in named] != list(range(len(named))):
        return None
    colors = ((0, 0, 0), *default_colors(len(named) - 1))
    return LabelSet(tuple(Label(k, match[2], color) for k, (match, color) in enumerate(zip(named, colors, strict=True))))
