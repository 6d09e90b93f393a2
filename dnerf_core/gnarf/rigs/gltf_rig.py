"""The rigged meshes of a glTF file as one rig: skins, joints, primitives, placed in the world as they were bound.

A skin's inverse bind matrices say where its joints were when the mesh was bound to them, which is the pose that linear blend skinning
needs; nodes say where they stand now. The bound mesh is placed as the topmost joint places it. Morph targets and pictures are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import TemplateError, brief
from dnerf_core.gnarf.rigs.gltf import REMEDY, Gltf, determinant_of
from dnerf_core.gnarf.rigs.rig import Rig, dense_weights, single_tree, unique_names

Matrix = NDArray[np.float64]

_POSED = 1e-3
"""Shares of the skeleton's size by which joints may stand elsewhere than they were bound without a word."""
_SETS = 4
"""Of joints and weights, four each."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """A primitive: vertices in the world, triangles, and influences by indices into the rig's joints."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    joint_indices: NDArray[np.int64]
    weights: NDArray[np.float64]
    material: str


def read_gltf_rig(path: Path) -> Rig:
    """The rig of a .glb or .gltf file.

    Raises:
        TemplateError: no such file, no rigged mesh in it, or what is wrong.
    """
    return _Scene(Gltf(path)).rig()


class _Scene:
    """Nodes of a file with their places, and what hangs on them."""

    def __init__(self, gltf: Gltf) -> None:
        self.gltf, self.where = gltf, gltf.where
        self.nodes = gltf.rows("nodes")
        self.parents = self._node_parents()
        self.places = self._node_places()
        self.remarks: list[str] = []
        self.skins = [self._skin_joints(skin) for skin in gltf.rows("skins")]
        used = sorted({node for joints in self.skins for node in joints})
        if not used:
            raise TemplateError(
                f"{self.where}: expected a mesh with a skin (an armature), found none; export it with its armature"
            )
        above = [self._joint_above(node, set(used)) for node in used]
        self._tree = single_tree([-1 if parent is None else used.index(parent) for parent in above])
        self.joint_nodes = [used[place] if place >= 0 else None for place in self._tree.order]
        self.joint_by_node = {node: joint for joint, node in enumerate(self.joint_nodes) if node is not None}
        self.bound: dict[int, NDArray[np.float64]] = {}
        """Where joints were bound, in the world, by joint."""

    def rig(self) -> Rig:
        """All of it."""
        binds = [self._binds(i) for i in range(len(self.skins))]
        pieces: list[_Piece] = []
        left_out = 0
        for node, row in enumerate(self.nodes):
            if "mesh" not in row:
                continue
            found = self._pieces(node, row, binds)
            left_out += not found
            pieces += found
        if not pieces:
            raise TemplateError(
                f"{self.where}: expected triangles that follow joints, found none; export the mesh with its armature"
            )
        if left_out:
            self.remarks.append(f"{left_out} meshes follow no joint and are left out")
        joints = self._joint_places()
        starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
        widest = max(piece.weights.shape[1] for piece in pieces)
        indices = np.concatenate([_widened(piece.joint_indices, widest) for piece in pieces])
        values = np.concatenate([_widened(piece.weights, widest) for piece in pieces])
        materials = tuple(dict.fromkeys(piece.material for piece in pieces))
        row_names = [self._name(node) for node in self.joint_nodes]
        return Rig(
            np.concatenate([piece.vertices for piece in pieces]),
            np.concatenate([piece.faces + start for piece, start in zip(pieces, starts, strict=False)]),
            joints,
            self._tree.parents,
            dense_weights(indices, values, len(row_names), self.where),
            unique_names(row_names),
            materials,
            np.concatenate([np.full(len(piece.faces), materials.index(piece.material)) for piece in pieces]),
            licence=self._licence(),
            source=Path(self.where).name,
            remarks=tuple(self.remarks),
        )

    def _node_parents(self) -> list[int]:
        parents = [-1] * len(self.nodes)
        for node, row in enumerate(self.nodes):
            for child in self.gltf.indices(row.get("children", []), len(self.nodes), "children"):
                if parents[child] >= 0 or child == node:
                    raise TemplateError(f"{self.where}: nodes: expected a tree, found node {child} below two; {REMEDY}")
                parents[child] = node
        return parents

    def _node_places(self) -> list[Matrix]:
        """Node to world, of every node."""
        places: dict[int, Matrix] = {}
        for node in range(len(self.nodes)):
            way = [node]
            while (above := self.parents[way[-1]]) >= 0 and above not in places:
                way.append(above)
                if len(way) > len(self.nodes):
                    raise TemplateError(f"{self.where}: nodes: expected a tree, found a circle; {REMEDY}")
            for step in reversed(way):
                if step not in places:
                    own = self._own_place(self.nodes[step])
                    places[step] = places[self.parents[step]] @ own if self.parents[step] >= 0 else own
        return [places[node] for node in range(len(self.nodes))]

    def _own_place(self, row: dict[str, Any]) -> Matrix:
        if "matrix" in row:
            return self.gltf.numbers(row["matrix"], 16, "matrix").reshape(4, 4).T
        x, y, z, w = self.gltf.numbers(row.get("rotation", [0, 0, 0, 1]), 4, "rotation")
        length = x * x + y * y + z * z + w * w
        place = np.eye(4)
        if length > 0:
            place[:3, :3] -= (2 / length) * np.array(
                [
                    [y * y + z * z, w * z - x * y, -w * y - x * z],
                    [-w * z - x * y, x * x + z * z, w * x - y * z],
                    [w * y - x * z, -w * x - y * z, x * x + y * y],
                ]
            )
        place[:3, :3] *= self.gltf.numbers(row.get("scale", [1, 1, 1]), 3, "scale")
        place[:3, 3] = self.gltf.numbers(row.get("translation", [0, 0, 0]), 3, "translation")
        return place

    def _skin_joints(self, skin: dict[str, Any]) -> list[int]:
        joints = self.gltf.indices(skin.get("joints"), len(self.nodes), "a skin's joints")
        if not 1 <= len(joints) <= 1024 or len(set(joints)) != len(joints):
            raise TemplateError(f"{self.where}: a skin's joints: expected 1 to 1024, each once, found {len(joints)}; {REMEDY}")
        return joints

    def _joint_above(self, node: int, joints: set[int]) -> int | None:
        above = self.parents[node]
        while above >= 0 and above not in joints:
            above = self.parents[above]
        return above if above >= 0 else None

    def _binds(self, skin_index: int) -> Matrix:
        """Where a skin's mesh was bound: mesh to world, by its topmost joint; its joints' places go to `bound`."""
        skin, nodes = self.gltf.rows("skins")[skin_index], self.skins[skin_index]
        inverses = np.tile(np.eye(4), (len(nodes), 1, 1))
        if "inverseBindMatrices" in skin:
            stored = self.gltf.accessor(skin["inverseBindMatrices"], "MAT4", "inverse bind matrices").astype(np.float64)
            if len(stored) < len(nodes):
                raise TemplateError(f"{self.where}: inverse bind matrices: expected {len(nodes)}, found {len(stored)}; {REMEDY}")
            inverses = stored[: len(nodes)]
        is_affine = bool(np.abs(inverses[:, 3] - np.array([0.0, 0.0, 0.0, 1.0])).max() < 1e-3)
        if not is_affine or any(abs(determinant_of(matrix)) < 1e-18 for matrix in inverses):
            raise TemplateError(
                f"{self.where}: inverse bind matrices: expected ones that can be inverted, found others; {REMEDY}"
            )
        top = min(range(len(nodes)), key=lambda i: self.joint_by_node[nodes[i]])
        inverses[:, 3] = (0.0, 0.0, 0.0, 1.0)
        mesh_to_world: Matrix = self.places[nodes[top]] @ inverses[top]
        if abs(determinant_of(mesh_to_world)) < 1e-18:
            raise TemplateError(f"{self.where}: expected a skeleton with a size, found one scaled to nothing; {REMEDY}")
        bound = (mesh_to_world @ np.linalg.inv(inverses))[:, :3, 3]
        now = np.array([self.places[node][:3, 3] for node in nodes])
        size = max(float(np.ptp(bound, axis=0).max()), 1e-12)
        if np.abs(bound - now).max() > _POSED * size:
            self.remarks.append("the skeleton stands in another pose than its mesh was bound in; the bound pose is the rest pose")
        for node, place in zip(nodes, bound, strict=True):
            joint = self.joint_by_node[node]
            if joint in self.bound and np.abs(self.bound[joint] - place).max() > _POSED * size:
                self.remarks.append(f"{brief(self._name(node))} was bound at two places by two meshes; the first is taken")
            self.bound.setdefault(joint, place)
        return mesh_to_world

    def _joint_places(self) -> NDArray[np.float64]:
        joints = np.array([self.bound.get(joint, np.zeros(3)) for joint in range(len(self.joint_nodes))])
        if self.joint_nodes[0] is None:
            roots = np.flatnonzero(self._tree.parents == 0)
            joints[0] = joints[roots[0]]
            self.remarks.append(f"{len(roots)} skeletons stand apart; a root of our own holds them")
        return joints

    def _pieces(self, node: int, row: dict[str, Any], binds: list[Matrix]) -> list[_Piece]:
        """A mesh node's primitives; none: it follows no joint."""
        skin = None if "skin" not in row else self.gltf.index(row["skin"], len(self.skins), "skin")
        holder = None if skin is not None else self._joint_above(node, set(self.joint_by_node))
        if skin is None and holder is None:
            return []
        place = self.places[node] if skin is None else binds[skin]
        primitives = self.gltf.row("meshes", row["mesh"]).get("primitives")
        if not isinstance(primitives, list) or not all(isinstance(item, dict) for item in primitives):
            raise TemplateError(f"{self.where}: a mesh: expected a list of primitives, found {brief(primitives)}; {REMEDY}")
        pieces: list[_Piece] = []
        for primitive in primitives:
            attributes = self.gltf.table(primitive, "attributes")
            if "POSITION" not in attributes:
                continue
            points = self.gltf.accessor(attributes["POSITION"], "VEC3", "POSITION").astype(np.float64)
            faces = self._faces(primitive, len(points))
            if not len(faces):
                continue
            if determinant_of(place) < 0:
                faces = faces[:, ::-1]
            if skin is None:
                assert holder is not None
                indices, weights = np.full((len(points), 1), self.joint_by_node[holder]), np.ones((len(points), 1))
            else:
                indices, weights = self._influences(attributes, self.skins[skin], len(points))
            pieces.append(_Piece(points @ place[:3, :3].T + place[:3, 3], faces, indices, weights, self._material(primitive)))
        return pieces

    def _faces(self, primitive: dict[str, Any], vertices: int) -> NDArray[np.int64]:
        """Triangles [F, 3]; none of points and lines."""
        mode = primitive.get("mode", 4)
        if "indices" in primitive:
            stored = self.gltf.accessor(primitive["indices"], "SCALAR", "indices")
            if stored.dtype.kind != "u" or (len(stored) and int(stored.max()) >= vertices):
                raise TemplateError(f"{self.where}: indices: expected whole numbers below {vertices}, found others; {REMEDY}")
            corners = stored.astype(np.int64)
        else:
            corners = np.arange(vertices)
        if mode == 4:
            return corners[: len(corners) // 3 * 3].reshape(-1, 3)
        if mode == 5 and len(corners) >= 3:  # a strip: every other triangle is turned round
            strip = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
            strip[1::2] = strip[1::2][:, [1, 0, 2]]
            return strip
        if mode == 6 and len(corners) >= 3:  # a fan
            return np.stack([np.full(len(corners) - 2, corners[0]), corners[1:-1], corners[2:]], axis=1)
        return np.zeros((0, 3), np.int64)

    def _influences(
        self, attributes: Mapping[str, Any], nodes: list[int], vertices: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The rig's joints and weights [V, N] of a skinned primitive."""
        lookup = np.array([self.joint_by_node[node] for node in nodes])
        indices: list[NDArray[np.int64]] = []
        weights: list[NDArray[np.float64]] = []
        for number in range(_SETS):
            if f"JOINTS_{number}" not in attributes or f"WEIGHTS_{number}" not in attributes:
                break
            joints = self.gltf.accessor(attributes[f"JOINTS_{number}"], "VEC4", f"JOINTS_{number}")
            values = self.gltf.accessor(attributes[f"WEIGHTS_{number}"], "VEC4", f"WEIGHTS_{number}").astype(np.float64)
            if joints.dtype.kind != "u" or len(joints) != vertices or len(values) != vertices:
                raise TemplateError(
                    f"{self.where}: JOINTS_{number}: expected a row for each of {vertices} vertices, found others; {REMEDY}"
                )
            own = joints.astype(np.int64)
            if (own[values != 0] >= len(nodes)).any():
                raise TemplateError(f"{self.where}: JOINTS_{number}: expected joints below {len(nodes)}, found others; {REMEDY}")
            indices.append(lookup[np.minimum(own, len(nodes) - 1)])
            weights.append(values)
        if not indices:
            raise TemplateError(f"{self.where}: a skinned mesh: expected JOINTS_0 and WEIGHTS_0, found none; {REMEDY}")
        return np.concatenate(indices, axis=1), np.concatenate(weights, axis=1)

    def _material(self, primitive: dict[str, Any]) -> str:
        if "material" not in primitive:
            return "material"
        name = self.gltf.row("materials", primitive["material"]).get("name")
        return name[:190] if isinstance(name, str) and name else f"material {primitive['material']}"

    def _name(self, node: int | None) -> str:
        if node is None:
            return "root"
        name = self.nodes[node].get("name")
        return name if isinstance(name, str) else f"joint {node}"

    def _licence(self) -> str:
        """What the file says of its terms of use."""
        text = self.gltf.table(self.gltf.json, "asset").get("copyright")
        return text[:2000] if isinstance(text, str) else ""


def _widened(values: NDArray[Any], width: int) -> NDArray[Any]:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])))
