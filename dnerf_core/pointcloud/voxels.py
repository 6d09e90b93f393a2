"""Sums over voxels that do not depend on the order or grouping of what is added (numpy only).

Every quantity is rounded to a whole number first, and whole numbers add up exactly in any order; a mean is divided out at the end. So a
cloud is the same bit for bit whichever view comes first.

Convention: voxel (i, j, k) of side s holds the points with i s <= x < (i + 1) s, and so on; the grid is anchored at the world's origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError

_HALF_SPAN = 1 << 20
_POSITION_STEPS = 1 << 16
_NORMAL_STEPS = 1 << 16
_WEIGHT_STEPS = 255


def voxel_keys(points: NDArray[np.float64], voxel: float) -> NDArray[np.int64]:
    """One number a voxel, int64 [N], of points [N, 3]; keys grow with x, then y, then z.

    Raises:
        UsageError: the voxels are so small that the points span more than 2^20 of them to a side of the origin.
    """
    cells = np.floor(points / voxel)
    if len(cells) and np.abs(cells).max() >= _HALF_SPAN - 1:
        raise UsageError(
            f"voxel {voxel:g}: expected points within {_HALF_SPAN} voxels of the origin, found one at {np.abs(points).max():g}; "
            "choose larger voxels"
        )
    cells = cells.astype(np.int64) + _HALF_SPAN
    keys: NDArray[np.int64] = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    return keys


def voxel_corners(keys: NDArray[np.int64], voxel: float) -> NDArray[np.float64]:
    """Lower corners [V, 3] of voxels, world frame."""
    mask = (1 << 21) - 1
    cells = np.stack([keys >> 42, (keys >> 21) & mask, keys & mask], axis=1) - _HALF_SPAN
    return cells * voxel


@dataclass(frozen=True, eq=False)
class VoxelSums:
    """Whole-number sums of weighted points in V voxels.

    Attributes:
        voxel: side, world units.
        keys: int64 [V], increasing, see `voxel_keys`.
        weight: int64 [V].
        offset: int64 [V, 3], weighted place in the voxel.
        normal: int64 [V, 3], weighted.
        color: int64 [V, 3], weighted.
        votes: int64 [V, C], weight of each class; C = 0 without labels.
    """

    voxel: float
    keys: NDArray[np.int64]
    weight: NDArray[np.int64]
    offset: NDArray[np.int64]
    normal: NDArray[np.int64]
    color: NDArray[np.int64]
    votes: NDArray[np.int64]

    @classmethod
    def from_points(
        cls,
        points: NDArray[np.float64],
        normals: NDArray[np.float64],
        colors: NDArray[np.uint8],
        labels: NDArray[np.uint8] | None,
        weights: NDArray[np.float64],
        *,
        voxel: float,
        num_classes: int,
    ) -> VoxelSums:
        """Sum up points.

        Args:
            points: [N, 3], world frame. normals: [N, 3], unit. colors: [N, 3].
            labels: [N]; ids from `num_classes` on give no vote. None: no labels.
            weights: [N] in (0, 1]; rounded to 255ths, at least one.
            voxel: side, world units.
            num_classes: C, with background.
        """
        point_keys = voxel_keys(points, voxel)
        keys, index = np.unique(point_keys, return_inverse=True)
        index = index.reshape(-1)
        weight = np.clip(np.rint(weights * _WEIGHT_STEPS), 1, _WEIGHT_STEPS)
        offset = np.rint((points - voxel_corners(point_keys, voxel)) / voxel * _POSITION_STEPS)

        def total(columns: NDArray[np.floating]) -> NDArray[np.int64]:
            # bincount adds doubles, which hold whole numbers below 2^53 exactly: 2^29 points of the greatest value
            sums = [np.bincount(index, weight * columns[:, k], len(keys)) for k in range(columns.shape[1])]
            return np.stack(sums, axis=1).astype(np.int64)

        votes = np.zeros((len(keys), 0), dtype=np.int64)
        if labels is not None:
            given = labels < num_classes
            flat = np.bincount(index[given] * num_classes + labels[given], weight[given], len(keys) * num_classes)
            votes = flat.astype(np.int64).reshape(len(keys), num_classes)
        return cls(
            voxel,
            keys,
            np.bincount(index, weight, len(keys)).astype(np.int64),
            total(offset),
            total(np.rint(normals * _NORMAL_STEPS)),
            total(colors.astype(np.float64)),
            votes,
        )

    def plus(self, other: VoxelSums) -> VoxelSums:
        """The sums of both, of the same voxel side and classes."""
        keys, index = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        index = index.reshape(-1)
        mine, theirs = index[: len(self.keys)], index[len(self.keys) :]

        def total(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
            sums = np.zeros((len(keys), *a.shape[1:]), dtype=np.int64)
            sums[mine] += a
            sums[theirs] += b
            return sums

        names = ("weight", "offset", "normal", "color", "votes")
        return VoxelSums(self.voxel, keys, *(total(getattr(self, name), getattr(other, name)) for name in names))

    def points(self) -> NDArray[np.float64]:
        """Mean places [V, 3], world frame."""
        return voxel_corners(self.keys, self.voxel) + self.offset / self.weight[:, None] / _POSITION_STEPS * self.voxel

    def normals(self) -> NDArray[np.float64]:
        """Mean normals [V, 3], unit; 0 where they cancel."""
        length = np.linalg.norm(self.normal, axis=1, keepdims=True)
        return np.divide(self.normal, length, out=np.zeros(self.normal.shape), where=length > 0)

    def colors(self) -> NDArray[np.uint8]:
        """Mean colours [V, 3]."""
        return np.rint(self.color / self.weight[:, None]).astype(np.uint8)

    def winners(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The class with most votes [V] (the lower id of two with as many) and its share of the votes [V]; (0, 0) without votes."""
        winning, total = self.votes.max(axis=1, initial=0), self.votes.sum(axis=1)
        labels = self.votes.argmax(axis=1) if self.votes.shape[1] else np.zeros(len(self.keys))
        return labels.astype(np.uint8), (winning / np.maximum(total, 1)).astype(np.float32)
