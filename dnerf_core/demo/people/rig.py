"""The demo's bodies as arrays: a full mesh for the truth, a coarse one for the model's template, one skeleton, directions of shape.

Made by `dnerf_core.demo.people.bodies`; numpy only.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ARRAYS_PATH = Path(__file__).with_name("bodies.npz")
NOTICE_PATH = Path(__file__).with_name("NOTICE.md")


@dataclass(frozen=True, eq=False)
class SkinnedMesh:
    """A mesh at rest: vertices float32 [V, 3], faces int32 [F, 3], weights float32 [V, K], shape_vertices float32 [S, V, 3]."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    weights: NDArray[np.float32]
    shape_vertices: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rig:
    """The bodies: y up, facing +z, +x is a body's left; metres.

    Attributes:
        full: 12,272 vertices, for the truth; its feet have no toes.
        coarse: 1,229 vertices, for the model.
        joints: float32 [K, 3], of the mean body at rest; shape_joints: float32 [S, K, 3].
        parents: -1 for the root; names: CMU's.
        corner_coefficients: float32 [2, 3, 3, 2, 3, S], at all corners of gender, muscle, weight, height and proportions.
    """

    full: SkinnedMesh
    coarse: SkinnedMesh
    joints: NDArray[np.float32]
    shape_joints: NDArray[np.float32]
    parents: tuple[int, ...]
    names: tuple[str, ...]
    corner_coefficients: NDArray[np.float32]

    def joint(self, name: str) -> int:
        """The number of a joint."""
        return self.names.index(name)

    @property
    def arm_joints(self) -> tuple[int, ...]:
        """The joints of both arms, from the shoulder to the fingers."""
        found: list[int] = []
        for index, parent in enumerate(self.parents):
            if self.names[index] in ("LeftArm", "RightArm") or parent in found:
                found.append(index)
        return tuple(found)


@functools.cache
def rig() -> Rig:
    """The rig, read once; its arrays are not to be changed."""
    with np.load(ARRAYS_PATH, allow_pickle=False) as arrays:
        parents = tuple(int(parent) for parent in arrays["parents"])

        def mesh(prefix: str) -> SkinnedMesh:
            index, value = arrays[f"{prefix}weight_joints"], arrays[f"{prefix}weights"].astype(np.float32)
            weights = np.zeros((len(index), len(parents)), np.float32)
            np.put_along_axis(weights, index.astype(np.int64), value, axis=1)
            weights /= weights.sum(axis=1, keepdims=True)
            return SkinnedMesh(
                arrays[f"{prefix}vertices"],
                arrays[f"{prefix}faces"].astype(np.int32),
                weights,
                arrays[f"{prefix}shape_vertices"].astype(np.float32),
            )

        return Rig(
            mesh(""),
            mesh("coarse_"),
            arrays["joints"],
            arrays["shape_joints"].astype(np.float32),
            parents,
            tuple(str(name) for name in arrays["names"]),
            arrays["corner_coefficients"],
        )
