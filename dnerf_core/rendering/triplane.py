"""Reading a tri-plane (EG3D section 4.1).

Convention: planes span [-side/2, side/2]^3; plane "ab" reads coordinate a along its width and b along its height; bilinear,
zeros outside, pixel corners not aligned (texel i is centred at (i + 0.5) / R of the side).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

AXIS = {"x": 0, "y": 1, "z": 2}


def plane_table(planes: Tensor) -> Tensor:
    """Planes [B, P, C, H, W] as a table of texels [B*P*H*W, C], the layout in which a point's read is a few whole rows."""
    return planes.permute(0, 1, 3, 4, 2).reshape(-1, planes.shape[2])


def bilinear_taps(points: Tensor, plane_axes: Sequence[str], side: float, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rows (within one subject's planes) and weights of the four texels a plane that each point reads.

    Args:
        points: [N, 3], world frame of the box.
        size: (H, W) of a plane in texels.
    Returns:
        rows int64 [N, 4P] and weights [N, 4P]; a texel outside has weight 0 (and row 0). Weights carry gradients to the points.
    """
    height, width = size
    normalised = points * (2 / side)
    rows, weights = [], []
    for plane, axes in enumerate(plane_axes):
        column = (normalised[:, AXIS[axes[0]]] + 1) * (width / 2) - 0.5
        row = (normalised[:, AXIS[axes[1]]] + 1) * (height / 2) - 0.5
        column0, row0 = column.detach().floor(), row.detach().floor()
        fraction_column, fraction_row = column - column0, row - row0
        # clamped before the conversion: far points would overflow int64 otherwise
        j0, i0 = column0.clamp(-2, width).long(), row0.clamp(-2, height).long()
        for di in (0, 1):
            i = i0 + di
            weight_i = fraction_row if di else 1 - fraction_row
            for dj in (0, 1):
                j = j0 + dj
                weight_j = fraction_column if dj else 1 - fraction_column
                inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
                zero = torch.zeros_like(i)
                rows.append(torch.where(inside, (plane * height + i) * width + j, zero))
                weights.append(torch.where(inside, weight_i * weight_j, torch.zeros_like(weight_i)))
    return torch.stack(rows, dim=1), torch.stack(weights, dim=1)


def sample_planes(
    table: Tensor, points: Tensor, subject: Tensor | None, plane_axes: Sequence[str], side: float, size: tuple[int, int]
) -> Tensor:
    """Sum over the planes of their bilinear reads at points.

    Args:
        table: [B*P*H*W, C] from `plane_table`.
        points: [N, 3].
        subject: int64 [N], which of the B subjects each point reads; None: the only one.
        plane_axes: P names such as "xy"; side: the box's side; size: (H, W).
    Returns:
        [N, C], differentiable in the table and the points.
    """
    rows, weights = bilinear_taps(points, plane_axes, side, size)
    if subject is not None:
        rows = rows + subject[:, None] * (len(plane_axes) * size[0] * size[1])
    return F.embedding_bag(rows, table, per_sample_weights=weights.to(table.dtype), mode="sum")
