"""Files of the mesh that moves with subjects: its vertices in a view (`vertices/NAME.npy`), and what all views share (`template.npz`).

`template.npz`: `faces` int32 [F, 3], counterclockwise seen from outside; `weights` float32 [V, K], how far vertices follow the joints
`joint_names` [K]; `vertex_parts` uint8 [V], index into `part_names`, where parts are known. Readers need `faces` alone.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import OutputError, brief
from dnerf_core.files.opening.regular_files import open_regular

if TYPE_CHECKING:
    from dnerf_core.backbone.poses import TemplateMesh

MAX_VERTICES = 2**20
MAX_FACES = 2**20
MAX_PLACE = 1e6
"""Of any coordinate, world units."""
_HEADER_BYTES = 2**16


def template_bytes(mesh: TemplateMesh) -> bytes:
    """A `template.npz`; equal meshes give equal bytes."""
    arrays: dict[str, NDArray[Any]] = {"faces": mesh.faces, "weights": mesh.weights, "joint_names": np.array(mesh.joint_names)}
    if mesh.part_names:
        arrays |= {"vertex_parts": mesh.vertex_parts, "part_names": np.array(mesh.part_names)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def vertices_bytes(vertices: NDArray[np.float32]) -> bytes:
    """A `vertices/NAME.npy` of vertices [V, 3], world frame."""
    buffer = io.BytesIO()
    np.save(buffer, vertices.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()


def read_faces(path: Path) -> NDArray[np.int32]:
    """The triangles int32 [F, 3] of a `template.npz`; the largest index is below `MAX_VERTICES`.

    Raises:
        OutputError: it is no such file.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            info = archive.getinfo("faces.npy")
            if info.file_size > 3 * 8 * MAX_FACES + _HEADER_BYTES:
                raise ValueError(f"faces of {info.file_size} bytes, more than {MAX_FACES} triangles")
            with archive.open(info) as member:
                faces = _array(member.read())
    except (OSError, ValueError, LookupError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise _refusal(path, "the template's faces", brief(str(error))) from error
    if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] != 3 or not 0 < len(faces) <= MAX_FACES:
        raise _refusal(path, "the template's faces", f"an array {faces.dtype} {list(faces.shape)}")
    if faces.min() < 0 or faces.max() >= MAX_VERTICES:
        raise _refusal(path, f"faces of vertices 0 to {MAX_VERTICES - 1} at most", f"{int(faces.min())} to {int(faces.max())}")
    return faces.astype(np.int32)


def read_vertices(path: Path) -> NDArray[np.float32]:
    """The vertices float32 [V, 3] of a view, world frame.

    Raises:
        OutputError: it is no such file.
    """
    try:
        with open_regular(path) as file:
            vertices = _array(file.read(8 * 3 * MAX_VERTICES + _HEADER_BYTES))
    except (OSError, ValueError, EOFError) as error:
        raise _refusal(path, "a view's vertices", brief(str(error))) from error
    if vertices.dtype.kind != "f" or vertices.ndim != 2 or vertices.shape[1] != 3 or not 0 < len(vertices) <= MAX_VERTICES:
        raise _refusal(path, "a view's vertices", f"an array {vertices.dtype} {list(vertices.shape)}")
    if not (np.abs(vertices) <= MAX_PLACE).all():  # false of NaN, too
        raise _refusal(path, f"places within {MAX_PLACE:g} of 0", "others")
    return vertices.astype(np.float32)


def _array(data: bytes) -> NDArray[Any]:
    """The array of an .npy's bytes.

    Raises:
        ValueError: a header that is none, that is of objects, or that claims more than there is.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    count = 1
    for side in shape:
        count *= side
    if dtype.hasobject or min(shape, default=0) < 0 or count * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"an array {dtype} {list(shape)} in {len(data)} bytes")
    return np.load(io.BytesIO(data), allow_pickle=False)


def _refusal(path: Path, expected: str, found: str) -> OutputError:
    return OutputError(f"{path}: expected {expected}, found {found}; delete it, and run again")
