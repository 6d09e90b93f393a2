"""A cloud or a mesh that any program wrote, read: PLY, GLB and OBJ by trimesh, NPZ by NumPy, LAS and LAZ by laspy.

Textures, materials, rigs and files beside the one that is named are not looked at. Nothing of a file is executed.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.files.camera_files.turning import FileUp
from dnerf_core.files.foreign.shape import SHAPE_FORMATS, ForeignShape, ShapeFormat, shape_format
from dnerf_core.files.opening.regular_files import read_regular_bytes

_READ_ERRORS = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, AssertionError, NotImplementedError, MemoryError),
    *(OverflowError, RecursionError, struct.error, zlib.error, zipfile.BadZipFile),
)
"""The ways in which trimesh and NumPy say that a file is none of theirs."""
_LONGEST_HEADER = 2**16
_COMPRESSIONS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression")
"""glTF extensions without which a file's meshes are empty."""


def read_shape(path: Path) -> ForeignShape:
    """A cloud's or a mesh's file. Points that are not finite are left out, and faces with them.

    Raises:
        UsageError: another ending, no such file, damaged, truncated, without points, of a format for meshes without faces, or LAS without
            laspy.
    """
    chosen = shape_format(path)
    if chosen is None:
        raise UsageError(
            f"{path}: expected a point cloud or mesh that ends in {', '.join(SHAPE_FORMATS)}, found {path.suffix or 'no ending'}; "
            "convert it"
        )
    if chosen in ("las", "laz"):
        from dnerf_core.files.foreign.las import read_las

        shape = read_las(path)
    else:
        shape = _read(path, chosen)
    return _finite(shape, path)


def _read(path: Path, chosen: ShapeFormat) -> ForeignShape:
    import trimesh  # may take a moment, and NPZ alone would not need it

    try:
        data = read_regular_bytes(path)
        if not data:
            raise ValueError("the file is empty")
        if chosen == "npz":
            return _of_npz(data)
        if chosen == "glb":
            _check_glb(data)
            more: dict[str, Any] = {"skip_materials": True}
        else:
            more = {"skip_materials": True, "maintain_order": True} if chosen == "obj" else {"fix_texture": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of texture coordinates, which nobody looks at
            found = trimesh.load(io.BytesIO(data), file_type=chosen, process=False, **more)
            shape = _of_trimesh(found, chosen)
    except _READ_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise UsageError(
            f"{path}: expected a {_NOUNS[chosen]}, it cannot be read: {reason[:200] or type(error).__name__}; export it again"
        ) from error
    if chosen == "obj" and shape.faces is None and len(shape.points):
        raise UsageError(f"{path}: expected a mesh with faces, found {len(shape.points)} vertices alone; save points as PLY")
    return replace(shape, up=_named_up(data, chosen))


_NOUNS = {"ply": "PLY", "glb": "binary glTF (GLB)", "obj": "mesh as OBJ", "npz": "point cloud as NPZ"}


def _of_npz(data: bytes) -> ForeignShape:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if "points" not in arrays:
        raise ValueError(f"expected an array named points, found {', '.join(sorted(arrays)[:5]) or 'none'}")
    points = arrays["points"]
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in "fiu":
        raise ValueError(f"points: expected numbers [N, 3], found {points.dtype} {list(points.shape)}")
    normals = arrays.get("normals")
    fits = normals is not None and normals.shape == points.shape and normals.dtype.kind == "f"
    return ForeignShape(points.astype(np.float64), None, np.asarray(normals, np.float32) if fits else None, arrays=arrays)


def _of_trimesh(found: Any, chosen: ShapeFormat) -> ForeignShape:
    """Whatever trimesh makes of a file: a mesh, points, or a scene of both, whose meshes count where there are any."""
    import trimesh

    pieces = [found] if not isinstance(found, trimesh.Scene) else found.dump()
    meshes = [piece for piece in pieces if isinstance(piece, trimesh.Trimesh) and len(piece.faces)]
    clouds = [piece for piece in pieces if isinstance(piece, trimesh.PointCloud)]
    if not meshes:
        points = [np.asarray(piece.vertices, np.float64) for piece in clouds]
        joined = np.concatenate([np.zeros((0, 3)), *points])
        _check_count(found, len(joined))
        return ForeignShape(joined, None, _normals_of_ply(found) if chosen == "ply" else None)
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    points_of_all = np.concatenate([np.asarray(mesh.vertices, np.float64) for mesh in meshes])
    faces = np.concatenate([np.asarray(mesh.faces, np.int64) + start for mesh, start in zip(meshes, starts, strict=False)])
    if faces.min() < 0 or faces.max() >= len(points_of_all):
        raise ValueError(f"a face names vertex {int(faces.max())} of {len(points_of_all)}")
    _check_count(found, len(points_of_all))
    return ForeignShape(points_of_all, faces)


def _check_count(found: Any, count: int) -> None:
    """Refuse a PLY that ends before all of its vertices; trimesh takes text that does."""
    claimed = getattr(found, "metadata", {}).get("_ply_raw", {}).get("vertex", {}).get("length", count)
    if claimed != count:
        raise ValueError(f"expected {claimed} vertices as it says, found {count}")


def _normals_of_ply(found: Any) -> NDArray[np.float32] | None:
    table = getattr(found, "metadata", {}).get("_ply_raw", {}).get("vertex", {}).get("data")
    names = table.dtype.names if isinstance(table, np.ndarray) else table
    if table is None or names is None or not {"nx", "ny", "nz"} <= set(names):
        return None
    return np.stack([np.asarray(table[name], np.float32).reshape(-1) for name in ("nx", "ny", "nz")], axis=1)


def _check_glb(data: bytes) -> None:
    if data[:4] != b"glTF" or len(data) < 12:
        raise ValueError("found no binary glTF's signature")
    length = struct.unpack("<I", data[8:12])[0]
    if length > len(data):
        raise ValueError(f"expected {length} bytes as it says, found {len(data)}")
    content = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]]) if len(data) >= 20 else {}
    packed = [name for name in _COMPRESSIONS if name in content.get("extensionsRequired", ())]
    if packed:
        raise ValueError(f"its meshes are compressed ({packed[0]}), which is not read; leave compression off")


def _named_up(data: bytes, chosen: ShapeFormat) -> FileUp | None:
    """glTF is y-up; our PLY files say it in a comment."""
    if chosen == "glb":
        return "y"
    head = data[:_LONGEST_HEADER].partition(b"end_header")[0].replace(b"\r", b"").split(b"\n")
    ups: tuple[FileUp, ...] = ("x", "y", "z", "-x", "-y", "-z")
    named = [up for up in ups if f"comment world frame of the cameras, {up} up".encode() in head]
    return named[0] if chosen == "ply" and named else None


def _finite(shape: ForeignShape, path: Path) -> ForeignShape:
    """The part whose coordinates are finite.

    Raises:
        UsageError: nothing is left.
    """
    noun = "point" if shape.faces is None else "vertex"
    if not len(shape.points):
        raise UsageError(f"{path}: expected at least one point, found none; choose another file")
    kept = np.isfinite(shape.points).all(axis=1)
    left_out = int((~kept).sum())
    if left_out == len(kept):
        raise UsageError(f"{path}: expected finite coordinates, found no {noun} that has them; export it again")
    if not left_out:
        return replace(shape, kept=kept)
    faces = shape.faces
    if faces is not None:
        faces = (np.cumsum(kept) - 1)[faces[kept[faces].all(axis=1)]]
        if not len(faces):
            raise UsageError(f"{path}: expected faces of finite vertices, found none; export it again")
    normals = None if shape.normals is None else shape.normals[kept]
    return replace(shape, points=shape.points[kept], faces=faces, normals=normals, left_out=left_out, kept=kept)
