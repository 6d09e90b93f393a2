"""A mesh as binary glTF 2.0 (Khronos specification, chapters 3.6 and 4.4): one primitive and one material a part (numpy only).

Primitives share the vertices, so that the surface stays in one piece. The parts' ids are the vertices' `_LABEL`, whole
numbers as float32, and their shares of the votes `_CONFIDENCE`; names with an underscore are what glTF leaves to applications.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.clouds import CloudColor, linear_from_srgb
from dnerf_core.files.mesh_arrays import MeshArrays

_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_BYTE, _UINT, _FLOAT = 5121, 5125, 5126
_Y_UP_FROM_Z_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)


class _Buffer:
    """The binary chunk as it grows, with the views and accessors of what lies in it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: NDArray[Any], kind: str, component: int, target: int, **more: Any) -> int:
        """The number of a new accessor of values [N] or [N, n]; rows take whole words of 4 bytes, as vertex attributes must."""
        rows = values.reshape(len(values), -1)
        if rows.dtype.itemsize * rows.shape[1] % 4:
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": rows.nbytes, "target": target}
        if target == _ARRAY_BUFFER:
            view["byteStride"] = rows.dtype.itemsize * rows.shape[1]
        self.data += np.ascontiguousarray(rows).tobytes()
        self.views.append(view)
        accessor = {"bufferView": len(self.views) - 1, "componentType": component, "count": len(values), "type": kind, **more}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def mesh_glb_bytes(mesh: MeshArrays, color: CloudColor) -> bytes:
    """The file. With the pictures' colours they are the vertices' (`COLOR_0`, linear), with the labels' the materials' own, which stop
    sharply at a part's edge. glTF is y-up: a z-up mesh is turned."""
    vertices, normals = mesh.vertices, mesh.normals
    if mesh.world_up == "z":
        vertices, normals = vertices @ _Y_UP_FROM_Z_UP.T, normals @ _Y_UP_FROM_Z_UP.T
    buffer = _Buffer()
    bounds = {"min": vertices.min(axis=0).tolist(), "max": vertices.max(axis=0).tolist()}
    attributes = {
        "POSITION": buffer.add(vertices.astype("<f4"), "VEC3", _FLOAT, _ARRAY_BUFFER, **bounds),
        "NORMAL": buffer.add(normals.astype("<f4"), "VEC3", _FLOAT, _ARRAY_BUFFER),
    }
    if color == "rgb":
        linear = np.rint(255 * linear_from_srgb(mesh.colors)).astype(np.uint8)
        rgba = np.concatenate([linear, np.full((len(linear), 1), 255, np.uint8)], axis=1)
        attributes["COLOR_0"] = buffer.add(rgba, "VEC4", _BYTE, _ARRAY_BUFFER, normalized=True)
    if mesh.labels is not None and mesh.confidence is not None:
        # float, though ids are whole: Blender 4.5's importer fails on bytes that several primitives share
        attributes["_LABEL"] = buffer.add(mesh.labels.astype("<f4"), "SCALAR", _FLOAT, _ARRAY_BUFFER)
        attributes["_CONFIDENCE"] = buffer.add(mesh.confidence.astype("<f4"), "SCALAR", _FLOAT, _ARRAY_BUFFER)
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for label, name, rgb, chosen in mesh.parts():
        indices = buffer.add(mesh.faces[chosen].reshape(-1).astype("<u4"), "SCALAR", _UINT, _ELEMENT_ARRAY_BUFFER)
        primitives.append({"attributes": attributes, "indices": indices, "material": len(materials), "mode": 4})
        base = linear_from_srgb(np.array(rgb, np.uint8)).round(6).tolist() if color == "label" else [1.0, 1.0, 1.0]
        looks = {"baseColorFactor": [*base, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.9}
        materials.append({"name": name, "pbrMetallicRoughness": looks, "extras": {"label": label}})
    content = {
        "asset": {"version": "2.0", "generator": "datasetnerf"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "object"}],
        "meshes": [{"name": "object", "primitives": primitives}],
        "materials": materials,
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(buffer.data), b"BIN\0") + bytes(buffer.data)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
