"""A mesh as binary glTF 2.0 (Khronos specification, chapters 3.6 and 4.4): one primitive and one material a part (numpy only).

With a rig the vertices lie in its bind pose, and follow its joints (chapter 3.7.3) by up to eight weights; a motion is an animation.

Primitives share the vertices, so that the surface stays in one piece. The parts' ids are the vertices' `_LABEL`, whole
numbers as float32, and their shares of the votes `_CONFIDENCE`; names with an underscore are what glTF leaves to applications.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.files.clouds import CloudColor, linear_from_srgb
from dnerf_core.files.meshes.arrays import MeshArrays
from dnerf_core.files.meshes.rig import Rig, RigMotion

_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_BYTE, _USHORT, _UINT, _FLOAT = 5121, 5123, 5125, 5126
_NO_TARGET = 0
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
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": rows.nbytes}
        if target != _NO_TARGET:
            view["target"] = target
        if target == _ARRAY_BUFFER:
            view["byteStride"] = rows.dtype.itemsize * rows.shape[1]
        self.data += np.ascontiguousarray(rows).tobytes()
        self.views.append(view)
        accessor = {"bufferView": len(self.views) - 1, "componentType": component, "count": len(values), "type": kind, **more}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def mesh_glb_bytes(mesh: MeshArrays, color: CloudColor, rig: Rig | None = None, motion: RigMotion | None = None) -> bytes:
    """The file, with a rig of the mesh's vertices and a motion of the rig where they are given.

    With the pictures' colours they are the vertices' (`COLOR_0`, linear), with the labels' the materials' own, which stop sharply at a
    part's edge. glTF is y-up: a z-up mesh is turned.
    """
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
    content: dict[str, Any] = {
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
    if rig is not None:
        content |= _rigged(buffer, attributes, rig, motion, mesh.world_up)
        content["buffers"] = [{"byteLength": len(buffer.data)}]
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(buffer.data), b"BIN\0") + bytes(buffer.data)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _rigged(buffer: _Buffer, attributes: dict[str, int], rig: Rig, motion: RigMotion | None, world_up: WorldUp) -> dict[str, Any]:
    """What a rig adds to a file's content: nodes, skin and animation; the vertices' joints and weights go to `attributes`."""
    joints, weights = rig.strongest()
    for number in range(joints.shape[1] // 4):
        four = slice(4 * number, 4 * number + 4)
        attributes[f"JOINTS_{number}"] = buffer.add(joints[:, four].astype("<u2"), "VEC4", _USHORT, _ARRAY_BUFFER)
        attributes[f"WEIGHTS_{number}"] = buffer.add(weights[:, four].astype("<f4"), "VEC4", _FLOAT, _ARRAY_BUFFER)
    turn = _Y_UP_FROM_Z_UP if world_up == "z" else np.eye(3, dtype=np.float32)
    places = rig.joints @ turn.T
    nodes: list[dict[str, Any]] = [{"mesh": 0, "skin": 0, "name": "object"}]
    for joint, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        step = places[joint] - (places[parent] if parent >= 0 else 0)
        children = [1 + child for child, above in enumerate(rig.parents) if above == joint]
        nodes.append({"name": name, "translation": step.tolist(), **({"children": children} if children else {})})
    # matrices by columns: the last four numbers of each are the way back from the joint's place
    bind = np.tile(np.eye(4, dtype="<f4"), (len(places), 1, 1))
    bind[:, 3, :3] = -places
    inverse = buffer.add(bind.reshape(-1, 16), "MAT4", _FLOAT, _NO_TARGET)
    skin = {"joints": list(range(1, len(nodes))), "skeleton": 1, "inverseBindMatrices": inverse}
    rigged: dict[str, Any] = {"nodes": nodes, "scenes": [{"nodes": [0, 1]}], "skins": [skin]}
    if motion is not None:
        rigged["animations"] = [_animation(buffer, motion, places[0], turn)]
    return rigged


def _animation(buffer: _Buffer, motion: RigMotion, root: NDArray[np.float32], turn: NDArray[np.float32]) -> dict[str, Any]:
    """The turns of every joint, and the root's way, in even steps of time."""
    times = (np.arange(len(motion.rotations)) / motion.fps).astype("<f4")
    clock = buffer.add(times, "SCALAR", _FLOAT, _NO_TARGET, min=[float(times[0])], max=[float(times[-1])])
    moves = [("translation", 0, "VEC3", root + motion.translation @ turn.T)]
    for joint in range(motion.rotations.shape[1]):
        turns = motion.rotations[:, joint].copy()
        turns[:, :3] = turns[:, :3] @ turn.T
        # the shorter way from frame to frame: q and -q are the same turn, and readers blend numbers
        flips = np.cumprod(np.where((turns[1:] * turns[:-1]).sum(axis=1) < 0, -1.0, 1.0))
        turns[1:] *= flips[:, None]
        moves.append(("rotation", joint, "VEC4", turns))
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for path, joint, kind, values in moves:
        output = buffer.add(values.astype("<f4"), kind, _FLOAT, _NO_TARGET)
        channels.append({"sampler": len(samplers), "target": {"node": 1 + joint, "path": path}})
        samplers.append({"input": clock, "output": output, "interpolation": "LINEAR"})
    return {"name": motion.name, "samplers": samplers, "channels": channels}
