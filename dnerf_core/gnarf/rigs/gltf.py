"""glTF 2.0: JSON with buffers, in one file (.glb) or several (.gltf); accessors become arrays, every offset checked, nothing executed.

Buffers lie in the file, in a data URI, or in a file of the same folder or below; nothing else is opened.
"""

from __future__ import annotations

import base64
import binascii
import math
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.checkpoints.safetensors_layout import parsed_json
from dnerf_core.errors import CheckpointError, TemplateError, brief
from dnerf_core.files.opening.regular_files import open_regular

MAX_FILE_BYTES = 2**30
MAX_JSON_BYTES = 2**26
MAX_COUNT = 20_000_000
"""Of an accessor's elements."""
REMEDY = "export it again as glTF 2.0"
_COMPONENTS: dict[int, np.dtype] = {
    5120: np.dtype("i1"),
    5121: np.dtype("u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
_TYPES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_HARMLESS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_mesh_quantization", "KHR_lights_", "KHR_animation_")
"""Extensions that a file may require though nothing here reads them: pictures, lights, and integers as coordinates, which are read."""


class Gltf:
    """A glTF file.

    Attributes:
        where: how messages begin.
        json: the JSON object; its values are looked at through `table` and `entry`.
    """

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._folder = path.parent
        raw = _read(path, "a GLB or glTF file")
        self._own: bytes | None = None
        if raw[:4] == b"glTF":
            raw, self._own = self._chunks(raw)
        if len(raw) > MAX_JSON_BYTES:
            raise TemplateError(f"{path}: expected at most {MAX_JSON_BYTES} bytes of JSON, found {len(raw)}; {REMEDY}")
        try:
            self.json = parsed_json(raw, f"{path}", f"the file is damaged or no glTF; {REMEDY}")
        except CheckpointError as error:
            raise TemplateError(str(error)) from error
        version = self.table(self.json, "asset").get("version")
        if not isinstance(version, str) or version.split(".")[0] != "2":
            raise TemplateError(f"{path}: expected glTF version 2, found {brief(version)}; {REMEDY}")
        required = self.json.get("extensionsRequired", [])
        for name in required if isinstance(required, list) else [required]:
            if not isinstance(name, str) or not name.startswith(_HARMLESS):
                raise TemplateError(
                    f"{path}: expected a file without the extension {brief(name)}, found one; export it without compression"
                )
        self._buffers: dict[int, bytes] = {}

    def table(self, parent: dict[str, Any], key: str) -> dict[str, Any]:
        """A JSON object in another; an empty one where it is missing."""
        value = parent.get(key, {})
        if not isinstance(value, dict):
            raise TemplateError(f"{self.where}: {key}: expected an object, found {brief(value)}; {REMEDY}")
        return value

    def rows(self, key: str) -> list[dict[str, Any]]:
        """A list of objects at the top, such as `nodes`; empty where it is missing."""
        value = self.json.get(key, [])
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise TemplateError(f"{self.where}: {key}: expected a list of objects, found {brief(value)}; {REMEDY}")
        return value

    def row(self, key: str, index: Any) -> dict[str, Any]:
        """One of these objects by its index."""
        rows = self.rows(key)
        return rows[self.index(index, len(rows), key)]

    def index(self, value: Any, count: int, what: str) -> int:
        """A whole number from 0 below `count`."""
        if type(value) is not int or not 0 <= value < count:
            raise TemplateError(f"{self.where}: {what}: expected an index below {count}, found {brief(value)}; {REMEDY}")
        return value

    def indices(self, value: Any, count: int, what: str) -> list[int]:
        """A list of such numbers."""
        if not isinstance(value, list):
            raise TemplateError(f"{self.where}: {what}: expected a list of indices, found {brief(value)}; {REMEDY}")
        return [self.index(item, count, what) for item in value]

    def numbers(self, value: Any, count: int, what: str) -> NDArray[np.float64]:
        """That many numbers."""
        if not isinstance(value, list) or len(value) != count or not all(type(item) in (int, float) for item in value):
            raise TemplateError(f"{self.where}: {what}: expected {count} numbers, found {brief(value)}; {REMEDY}")
        array = np.array(value, np.float64)
        if not (np.abs(array) <= 1e9).all():
            raise TemplateError(f"{self.where}: {what}: expected numbers up to 1e9, found larger ones; {REMEDY}")
        return array

    def accessor(self, index: Any, kind: str, what: str) -> NDArray[Any]:
        """An accessor's values [count] or [count, N], integers as they are, or floats where they are normalised; MAT4 is [count, 4, 4].

        Args:
            kind: the glTF type that is expected, such as VEC3.
            what: how a message calls it.

        Raises:
            TemplateError: another type, or bytes that are not there.
        """
        row = self.row("accessors", index)
        where = f"{self.where}: {what}"
        dtype = _COMPONENTS.get(row.get("componentType", 0)) if type(row.get("componentType")) is int else None
        if dtype is None or row.get("type") != kind:
            found = f"{brief(row.get('type'))} of component {brief(row.get('componentType'))}"
            raise TemplateError(f"{where}: expected an accessor of type {kind}, found {found}; {REMEDY}")
        if "sparse" in row:
            raise TemplateError(
                f"{where}: expected an accessor that is not sparse, found one; export it without sparse accessors"
            )
        count, width = self.index(row.get("count"), MAX_COUNT, f"{what}: count"), _TYPES[kind]
        size = width * dtype.itemsize
        if "bufferView" in row:
            view = self.row("bufferViews", row["bufferView"])
            data = self._view(view, what)
            stride = self.index(view.get("byteStride", size), 1024, f"{what}: byteStride")
            offset = self.index(row.get("byteOffset", 0), MAX_FILE_BYTES, f"{what}: byteOffset")
            if stride < size or (count and offset + stride * (count - 1) + size > len(data)):
                raise TemplateError(
                    f"{where}: expected {count} elements of {size} bytes, found too few bytes; copy the file again"
                )
            values = (
                np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize)).copy()
                if count
                else np.zeros((0, width), dtype)
            )
        else:
            values = np.zeros((count, width), dtype)  # as the specification says
        if row.get("normalized") is True and dtype.kind in "iu":
            # the most negative integer stands for -1, too
            values = np.maximum(values / np.float64(np.iinfo(dtype).max), -1.0)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise TemplateError(f"{where}: expected finite numbers, found NaN or infinite ones; {REMEDY}")
        if kind == "MAT4":
            return values.reshape(count, 4, 4).transpose(0, 2, 1)  # stored by columns
        return values[:, 0] if kind == "SCALAR" else values

    def _view(self, view: dict[str, Any], what: str) -> memoryview:
        buffer = self._buffer(self.index(view.get("buffer"), len(self.rows("buffers")), f"{what}: buffer"))
        start = self.index(view.get("byteOffset", 0), MAX_FILE_BYTES, f"{what}: byteOffset")
        length = self.index(view.get("byteLength"), MAX_FILE_BYTES, f"{what}: byteLength")
        if start + length > len(buffer):
            raise TemplateError(
                f"{self.where}: {what}: expected bytes {start} to {start + length} of a buffer, found {len(buffer)}; copy the file again"
            )
        return memoryview(buffer)[start : start + length]

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = self.rows("buffers")[index].get("uri")
            if uri is None:
                if self._own is None or index != 0:
                    raise TemplateError(
                        f"{self.where}: buffer {index}: expected its bytes in the file, found none; copy it again"
                    )
                self._buffers[index] = self._own
            elif isinstance(uri, str) and uri.startswith("data:"):
                self._buffers[index] = self._embedded(uri, index)
            else:
                self._buffers[index] = self._other_file(uri, index)
        return self._buffers[index]

    def _embedded(self, uri: str, index: int) -> bytes:
        head, comma, text = uri.partition(",")
        try:
            if not comma or not head.endswith(";base64"):
                raise ValueError("no base64")
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error) as error:
            raise TemplateError(f"{self.where}: buffer {index}: expected base64 data, found others; {REMEDY}") from error

    def _other_file(self, uri: Any, index: int) -> bytes:
        """A buffer in another file of the folder; whatever the name says, nothing outside it is opened."""
        name = urllib.parse.unquote(uri) if isinstance(uri, str) else ""
        parts = name.replace("\\", "/").split("/")
        inside = name and ":" not in name and "\0" not in name and not name.startswith(("/", "\\")) and ".." not in parts
        path = self._folder / name
        if not inside or not path.resolve().is_relative_to(self._folder.resolve()):
            raise TemplateError(f"{self.where}: buffer {index}: expected a file in its folder, found {brief(uri)}; put it there")
        return _read(path, f"buffer {index} of {self.where}")

    def _chunks(self, raw: bytes) -> tuple[bytes, bytes | None]:
        """(JSON, the buffer in the file) of a GLB."""
        version, length = int.from_bytes(raw[4:8], "little"), int.from_bytes(raw[8:12], "little")
        if version != 2 or length > len(raw) or len(raw) < 20:
            raise TemplateError(
                f"{self.where}: expected a GLB of version 2 with {length} bytes, found version {version} with {len(raw)}; copy it again"
            )
        chunks: list[tuple[bytes, bytes]] = []
        place = 12
        while place + 8 <= length and len(chunks) < 2:
            size, kind = int.from_bytes(raw[place : place + 4], "little"), raw[place + 4 : place + 8]
            if place + 8 + size > length:
                raise TemplateError(f"{self.where}: expected a chunk of {size} bytes, found the file's end; copy it again")
            chunks.append((kind, raw[place + 8 : place + 8 + size]))
            place += 8 + size
        if not chunks or chunks[0][0] != b"JSON":
            raise TemplateError(f"{self.where}: expected a GLB that begins with JSON, found another chunk; {REMEDY}")
        own = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == b"BIN\0" else None
        return chunks[0][1].rstrip(b"\0 "), own


def determinant_of(matrix: NDArray[np.float64]) -> float:
    """Of a transform's rotation and scale; 0 where it is not finite."""
    value = float(np.linalg.det(matrix[:3, :3]))
    return value if math.isfinite(value) else 0.0


def _read(path: Path, what: str) -> bytes:
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TemplateError(f"{path}: expected {what}, cannot read it: {error.strerror}; check the path") from error
    if len(raw) > MAX_FILE_BYTES:
        raise TemplateError(
            f"{path}: expected {what} of at most {MAX_FILE_BYTES // 2**20} MB, found more; decimate the mesh first"
        )
    return raw
