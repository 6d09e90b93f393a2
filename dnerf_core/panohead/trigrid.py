"""Reading a tri-grid (PanoHead section 3.2): three planes, each a stack of D slices, read trilinearly and summed.

Convention: planes fill [-side/2, side/2]^3; plane "abc" reads coordinate a along its width, b along its height and c along its depth;
trilinear, zeros outside, corners not aligned: texel i is centred at (i + 0.5) / R of the side, slice d at (d + 0.5) / D. So one slice is
no tri-plane: it fades along its depth, to half at the box's faces.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.rendering.triplane import AXIS, axis_taps

GridSize = tuple[int, int, int]
"""Depth D, height H, width W of a plane, in texels."""


def grid_table(grids: Tensor) -> Tensor:
    """Grids [B, P, C, D, H, W] as a table of texels [B*P*D*H*W, C], the layout in which a point's read is a few whole rows."""
    return grids.permute(0, 1, 3, 4, 5, 2).reshape(-1, grids.shape[2])


def trilinear_taps(points: Tensor, plane_axes: Sequence[str], side: float, size: GridSize) -> tuple[Tensor, Tensor]:
    """Rows (within one subject's grids, as `grid_table` has them) and weights of the eight texels a plane that each point reads.

    Args:
        points: [N, 3], world frame of the box.
        plane_axes: P names such as "xyz".
        side: the box's side, world units.
        size: (D, H, W) of a plane in texels.
    Returns:
        rows int64 [N, 8P] and weights [N, 8P]; a texel outside has weight 0. Weights carry gradients to the points.
    """
    depth, height, width = size
    return _taps(points, plane_axes, side, size, (depth * height * width, height * width, width, 1))


def picture_taps(points: Tensor, plane_axes: Sequence[str], side: float, depth: int, resolution: int) -> tuple[Tensor, Tensor]:
    """As `trilinear_taps`, of a table whose slices alternate texel by texel.

    Row (i*R + j)*P*D + p*D + d is texel (row i, column j) of slice d of plane p: a slice is a picture, see `backbone.protocols.TapFinder`.
    """
    pictures = len(plane_axes) * depth
    return _taps(points, plane_axes, side, (depth, resolution, resolution), (depth, 1, resolution * pictures, pictures))


def _taps(
    points: Tensor, plane_axes: Sequence[str], side: float, size: GridSize, steps: tuple[int, int, int, int]
) -> tuple[Tensor, Tensor]:
    """Taps of a table in which the next plane, slice, row and column of a texel lie `steps` rows on."""
    depth, height, width = size
    next_plane, next_slice, next_row, next_column = steps
    normalised = points * (2 / side)
    # each coordinate is worked out once for every length it is read at, however many planes share it
    taps = {
        (axis, length): axis_taps(normalised[:, AXIS[axis]], length)
        for axes in plane_axes
        for axis, length in zip(axes, (width, height, depth), strict=True)
    }
    rows, weights = [], []
    for plane, axes in enumerate(plane_axes):
        for d, weight_d in taps[axes[2], depth]:
            for i, weight_i in taps[axes[1], height]:
                start = d * next_slice + i * next_row + plane * next_plane
                weight = weight_d * weight_i
                for j, weight_j in taps[axes[0], width]:
                    rows.append(start + j * next_column)
                    weights.append(weight * weight_j)
    return torch.stack(rows, dim=1), torch.stack(weights, dim=1)


def sample_grids(
    table: Tensor, points: Tensor, subject: Tensor | None, plane_axes: Sequence[str], side: float, size: GridSize
) -> Tensor:
    """Sum over the planes of their trilinear reads at points.

    Args:
        table: [B*P*D*H*W, C] from `grid_table`.
        points: [N, 3].
        subject: int64 [N], which of the B subjects each point reads; None: the only one.
        plane_axes, side, size: as `trilinear_taps`.
    Returns:
        [N, C], differentiable in the table and the points.
    """
    rows, weights = trilinear_taps(points, plane_axes, side, size)
    if subject is not None:
        depth, height, width = size
        rows = rows + subject[:, None] * (len(plane_axes) * depth * height * width)
    return F.embedding_bag(rows, table, per_sample_weights=weights.to(table.dtype), mode="sum")
