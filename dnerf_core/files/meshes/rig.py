"""A skeleton that moves a mesh, and a motion of it, as files of meshes take them (numpy only).

Linear blend skinning: each vertex follows its joints' rigid motions by its weights, from the pose in which the mesh lies (its bind pose).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.shapes import check_shapes

MAX_INFLUENCES = 8
"""Joints that a vertex may follow: two sets of four, as glTF has them."""


@dataclass(frozen=True, eq=False)
class Rig:
    """K joints and the weights of V vertices.

    Attributes:
        names: of the joints, the root first.
        parents: K numbers, -1 for the root; every parent comes before its children.
        joints: float32 [K, 3], where bones begin in the bind pose, in the mesh's frame; bones have no rotation there.
        weights: float32 [V, K], at least 0, rows sum to 1.

    Raises:
        UsageError: an array of another type or shape, or parents that are none.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    joints: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_shapes(UsageError, "rig", joints=(self.joints, "float32 K 3"), weights=(self.weights, "float32 V K"))
        count = len(self.joints)
        if len(self.names) != count or len(self.parents) != count:
            raise UsageError(
                f"rig: expected {count} names and parents, found {len(self.names)} and {len(self.parents)}; give one each"
            )
        if self.parents[:1] != (-1,) or any(not 0 <= parent < joint for joint, parent in enumerate(self.parents) if joint):
            raise UsageError("rig: expected parents before their children and one root, which comes first; sort the joints")

    def strongest(self) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """The joints [V, n] that vertices follow most, n 4 or 8, and their weights, which sum to 1 again."""
        wide = 4 if (self.weights > 0).sum(axis=1).max(initial=0) <= 4 else MAX_INFLUENCES
        order = np.argsort(-self.weights, axis=1, kind="stable")[:, :wide]
        chosen = np.take_along_axis(self.weights, order, axis=1).astype(np.float64)
        chosen /= np.maximum(chosen.sum(axis=1, keepdims=True), 1e-12)
        joints = np.where(chosen > 0, order, 0)
        missing = ((0, 0), (0, wide - joints.shape[1]))
        return np.pad(joints, missing).astype(np.uint16), np.pad(chosen, missing).astype(np.float32)


@dataclass(frozen=True, eq=False)
class RigMotion:
    """A motion of a rig, F frames.

    Attributes:
        name: for people.
        fps: frames a second.
        rotations: float32 [F, K, 4], unit quaternions xyzw of each joint against its parent; the identity is the bind pose.
        translation: float32 [F, 3], how far the root has moved from its place in the bind pose.
    """

    name: str
    fps: float
    rotations: NDArray[np.float32]
    translation: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_shapes(
            UsageError,
            "motion",
            rotations=(self.rotations, "float32 F K 4"),
            translation=(self.translation, "float32 F 3"),
        )
        if not self.fps > 0:
            raise UsageError(f"motion: expected frames a second above 0, found {self.fps}; give them")

    def to_json(self) -> dict[str, Any]:
        """As a record names it: by what it is."""
        content = self.rotations.tobytes() + self.translation.tobytes()
        return {"animation": self.name, "animation_fps": self.fps, "animation_sha256": hashlib.sha256(content).hexdigest()}
