"""Writes glTF files by hand: a rigged mesh as JSON and bytes, in every way that the reader should take or refuse."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.gnarf.body.template import Template

_COMPONENTS = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class GltfWriter:
    """JSON and one buffer that grow together."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "nodes": [], "meshes": []}
        self.bytes = bytearray()

    def accessor(self, array: np.ndarray, stride: int = 0, **more: Any) -> int:
        """The index of a new accessor; `stride`: bytes from one element to the next."""
        flat = np.ascontiguousarray(array.reshape(len(array), -1))
        size = flat.shape[1] * flat.itemsize
        self.bytes += bytes(-len(self.bytes) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.bytes)}
        if stride:
            view["byteStride"] = stride
            for row in flat:
                self.bytes += row.tobytes() + bytes(stride - size)
        else:
            self.bytes += flat.tobytes()
        view["byteLength"] = len(self.bytes) - view["byteOffset"]
        self.json["bufferViews"].append(view)
        row = {
            "bufferView": len(self.json["bufferViews"]) - 1,
            "componentType": _COMPONENTS[flat.dtype.name],
            "count": len(flat),
            "type": _TYPES[flat.shape[1]],
            **more,
        }
        self.json["accessors"].append(row)
        return len(self.json["accessors"]) - 1

    def glb(self, path: Path) -> Path:
        """One file."""
        table = {**self.json, "buffers": [{"byteLength": len(self.bytes)}]}
        text = json.dumps(table).encode()
        text += b" " * (-len(text) % 4)
        body = bytes(self.bytes) + bytes(-len(self.bytes) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return path

    def gltf(self, path: Path, uri: str | None = None) -> Path:
        """JSON with the buffer in a data URI, or with the name of another file."""
        uri = uri or "data:application/octet-stream;base64," + base64.b64encode(bytes(self.bytes)).decode()
        path.write_text(json.dumps({**self.json, "buffers": [{"byteLength": len(self.bytes), "uri": uri}]}), "utf-8")
        return path


def influences_of(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four largest joints and weights [V, 4] of dense weights."""
    order = np.argsort(-weights, axis=1)[:, :4]
    return order, np.take_along_axis(weights, order, axis=1)


def rigged_writer(template: Template, place: np.ndarray | None = None, index_type: str = "uint16") -> GltfWriter:
    """A file with a template's mesh and skeleton: nodes 0 to K - 1 are the joints, K the mesh.

    Args:
        place: 4 x 4, of a node above the skeleton; inverse bind matrices then carry its inverse, so the mesh stands where it did.
    """
    writer = GltfWriter()
    joints, parents = template.joints.astype(np.float64), template.parents.tolist()
    for joint, parent in enumerate(parents):
        offset = joints[joint] - (joints[parent] if parent >= 0 else 0)
        node: dict[str, Any] = {"name": template.names[joint], "translation": offset.tolist()}
        children = [child for child, above in enumerate(parents) if above == joint]
        writer.json["nodes"].append(node | ({"children": children} if children else {}))
    above = np.eye(4) if place is None else place
    inverses = np.tile(np.eye(4), (len(joints), 1, 1))
    inverses[:, :3, 3] = -joints
    indices, values = influences_of(template.weights)
    attributes = {
        "POSITION": writer.accessor(template.vertices),
        "JOINTS_0": writer.accessor(indices.astype(np.uint8)),
        "WEIGHTS_0": writer.accessor(values.astype(np.float32)),
    }
    stored = np.ascontiguousarray(inverses.transpose(0, 2, 1)).astype(np.float32)
    writer.json["skins"] = [{"joints": list(range(len(joints))), "inverseBindMatrices": writer.accessor(stored)}]
    faces = writer.accessor(template.faces.reshape(-1, 1).astype(index_type))
    writer.json["meshes"].append({"primitives": [{"attributes": attributes, "indices": faces}]})
    writer.json["nodes"].append({"name": "mesh", "mesh": 0, "skin": 0})
    if place is not None:
        writer.json["nodes"].append({"name": "above", "matrix": above.T.reshape(-1).tolist(), "children": [0]})
    return writer


def accessor_of(writer: GltfWriter, name: str) -> Mapping[str, Any]:
    """The accessor of an attribute of the first primitive."""
    found = writer.json["meshes"][0]["primitives"][0]["attributes"][name]
    row: Mapping[str, Any] = writer.json["accessors"][found]
    return row
