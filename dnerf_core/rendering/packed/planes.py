"""A tri-plane packed for reading at millions of points on the way to a picture.

Two rearrangements, neither of which changes the function:

- planes that read the same pair of coordinates become one: reading (z, x) of a plane is reading (x, z) of its transpose, and
  bilinear reads are linear in the plane. The releases' (x,y), (x,z), (z,x) are two planes then, with 8 texels a point for 12.
- a rim of zeros is laid round each plane, so that no read has to ask whether it is outside.

Convention: as `rendering.triplane`: planes span [-side/2, side/2]^3, bilinear, zeros outside, pixel corners not aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.rendering.triplane import AXIS


def merge_transposed(planes: Tensor, plane_axes: Sequence[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Planes [P, H, W, C] (H = W) and their axes, with those that read the same two coordinates added up: [P', H, W, C], P' <= P."""
    merged: dict[str, Tensor] = {}
    for plane, axes in zip(planes, plane_axes, strict=True):
        twin = axes[::-1]
        if axes in merged:
            merged[axes] = merged[axes] + plane
        elif twin in merged:
            merged[twin] = merged[twin] + plane.transpose(0, 1)
        else:
            merged[axes] = plane
    return torch.stack(list(merged.values())), tuple(merged)


@dataclass(frozen=True)
class Taps:
    """What N points read of a packed table: rows int32 [N, 4P'] and weights [N, 4P'], four texels a plane."""

    rows: Tensor
    weights: Tensor

    def select(self, keep: Tensor) -> Taps:
        """The points that `keep` (index or mask) names."""
        return Taps(self.rows[keep], self.weights[keep])


@dataclass(frozen=True)
class PackedPlanes:
    """Planes as one table.

    Attributes:
        table: [P' * (R + 2)^2, C]; row (p * (R + 2) + i + 1) * (R + 2) + j + 1 is texel (row i, column j) of plane p.
        axes: the axes of each of the P' planes.
        side: of the box, world units.
        resolution: R.
    """

    table: Tensor
    axes: tuple[str, ...]
    side: float
    resolution: int

    @classmethod
    def pack(cls, planes: Tensor, plane_axes: Sequence[str], side: float) -> PackedPlanes:
        """From planes [P, R, R, C] of one subject (channels last; any strides)."""
        merged, axes = merge_transposed(planes, plane_axes)
        resolution, channels = merged.shape[1], merged.shape[-1]
        padded = merged.new_zeros(len(axes), resolution + 2, resolution + 2, channels)
        padded[:, 1:-1, 1:-1] = merged
        return cls(padded.reshape(-1, channels), axes, side, resolution)

    def taps(self, points: Tensor) -> Taps:
        """The texels that points [3, N] (world frame) read; the same for every table of these axes, side and resolution."""
        pitch = self.resolution + 2
        position = (points * (self.resolution / self.side)).add_(self.resolution / 2 + 0.5).clamp_(0, self.resolution + 1)
        corner = position.int().clamp_(max=self.resolution)
        after = position.sub_(corner)
        before = 1 - after
        rows, weights = [], []
        # whole arrays of one coordinate at a time: inner loops over a point's few texels would not vectorise
        for plane, axes in enumerate(self.axes):
            across, down = AXIS[axes[0]], AXIS[axes[1]]
            first = torch.add(corner[across], corner[down], alpha=pitch).add_(plane * pitch * pitch)
            rows += [first, first + 1, first + pitch, first + (pitch + 1)]
            weights += [y * x for y in (before[down], after[down]) for x in (before[across], after[across])]
        return Taps(torch.stack(rows, dim=1), torch.stack(weights, dim=1))

    def read(self, taps: Taps) -> Tensor:
        """Sum over planes [N, C] of their bilinear reads."""
        return F.embedding_bag(taps.rows, self.table, per_sample_weights=taps.weights, mode="sum")
