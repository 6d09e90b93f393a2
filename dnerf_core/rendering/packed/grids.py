"""A tri-grid packed for reading at millions of points on the way to a picture.

All slices of all planes of a texel lie side by side, which is also how a semantic branch's pictures come: those need no copy. Planes are
not merged as a tri-plane's are, since no two read the same depth.

Convention: as `trigrid`: planes fill [-side/2, side/2]^3, trilinear, zeros outside, corners not aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.rendering.triplane import AXIS

_Ends = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]
"""The two texels that coordinates [N] lie between: index int32 [N] and weight [N] of each, 0 for one that is not there."""


@dataclass(frozen=True)
class GridTaps:
    """What N points read of packed grids.

    Attributes:
        rows: int32 [N, 8P] and weights [N, 8P], eight texels a plane.
        cropped: bool [N], which of the points pictures do not show.
    """

    rows: Tensor
    weights: Tensor
    cropped: Tensor

    def select(self, keep: Tensor) -> GridTaps:
        """The points that `keep` (index or mask) names."""
        return GridTaps(self.rows[keep], self.weights[keep], self.cropped[keep])


@dataclass(frozen=True)
class PackedGrids:
    """Planes of slices as one table.

    Attributes:
        table: [R * R * P * D, C]; row (i * R + j) * P * D + p * D + d is texel (row i, column j) of slice d of plane p.
        axes: along width, height and depth of each of the P planes.
        side: of the box, world units.
        resolution, depth: R and D.
    """

    table: Tensor
    axes: tuple[str, ...]
    side: float
    resolution: int
    depth: int

    @classmethod
    def pack(cls, pictures: Tensor, plane_axes: Sequence[str], side: float) -> PackedGrids:
        """From pictures [P * D, R, R, C] of one subject, slice by slice of each plane (any strides; a copy only where they need it)."""
        count, resolution, _, channels = pictures.shape
        table = pictures.permute(1, 2, 0, 3).reshape(-1, channels)
        return cls(table, tuple(plane_axes), side, resolution, count // len(plane_axes))

    def taps(self, points: Tensor, crop_limit: float) -> GridTaps:
        """The texels that points [3, N] (world frame) read; the same for every table of these axes, side, resolution and depth.

        Args:
            crop_limit: distance from the middle, along x and z, beyond which pictures show nothing, world units.
        """
        pictures = len(self.axes) * self.depth
        texels = {axis: self._ends(points[AXIS[axis]], self.resolution) for axis in "xyz"}
        columns = {axis: _times(texels[axis], pictures) for axis in {axes[0] for axes in self.axes}}
        rows_down = {axis: _times(texels[axis], pictures * self.resolution) for axis in {axes[1] for axes in self.axes}}
        slices = {axis: self._ends(points[AXIS[axis]], self.depth) for axis in {axes[2] for axes in self.axes}}
        rows, weights = [], []
        # whole arrays of one coordinate at a time: inner loops over a point's few texels would not vectorise
        for plane, axes in enumerate(self.axes):
            for row, down in rows_down[axes[1]]:
                for column, across in columns[axes[0]]:
                    texel, weight = torch.add(row, column).add_(plane * self.depth), down * across
                    for slice_, along in slices[axes[2]]:
                        rows.append(texel + slice_)
                        weights.append(weight * along)
        cropped = (points[0].abs() > crop_limit) | (points[2].abs() > crop_limit)
        return GridTaps(torch.stack(rows, dim=1), torch.stack(weights, dim=1), cropped)

    def _ends(self, coordinate: Tensor, length: int) -> _Ends:
        """Where coordinates [N] lie on an axis of `length` texels."""
        position = (coordinate * (length / self.side)).add_(length / 2 - 0.5).clamp_(-1, length)
        low = position.floor()
        after = position.sub_(low)
        first = low.int()
        before = (1 - after).mul_((first >= 0) & (first < length))
        after.mul_(first < length - 1)
        return (first.clamp(0, length - 1), before), (first.add_(1).clamp_(0, length - 1), after)

    def read(self, taps: GridTaps) -> Tensor:
        """Sum over planes [N, C] of their trilinear reads."""
        return F.embedding_bag(taps.rows, self.table, per_sample_weights=taps.weights, mode="sum")


def _times(ends: _Ends, factor: int) -> _Ends:
    (first, before), (second, after) = ends
    return (first * factor, before), (second * factor, after)
