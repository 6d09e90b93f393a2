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


def axis_taps(coordinate: Tensor, length: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two texels (index in range, weight, 0 if it lies outside) that coordinates [N] in [-1, 1] read of an axis of `length` texels."""
    position = (coordinate + 1) * (length / 2) - 0.5
    low = position.detach().floor()
    fraction = position - low
    # clamped before the conversion: far points would overflow int64 otherwise
    first = low.clamp(-2, length).long()
    taps = []
    for index, weight in ((first, 1 - fraction), (first + 1, fraction)):
        inside = (index >= 0) & (index < length)
        taps.append((index.clamp(0, length - 1), weight * inside))
    return taps[0], taps[1]


def bilinear_taps(points: Tensor, plane_axes: Sequence[str], side: float, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rows (within one subject's planes) and weights of the four texels a plane that each point reads.

    Args:
        points: [N, 3], world frame of the box.
        size: (H, W) of a plane in texels.
    Returns:
        rows int64 [N, 4P] and weights [N, 4P]; a texel outside has weight 0. Weights carry gradients to the points.
    """
    height, width = size
    normalised = points * (2 / side)
    # each coordinate is worked out once, however many planes share it
    taps = {
        (axis, length): axis_taps(normalised[:, AXIS[axis]], length)
        for axes in plane_axes
        for axis, length in zip(axes, (width, height), strict=True)
    }
    rows, weights = [], []
    for plane, axes in enumerate(plane_axes):
        for i, weight_i in taps[axes[1], height]:
            start = (i + plane * height) * width
            for j, weight_j in taps[axes[0], width]:
                rows.append(start + j)
                weights.append(weight_i * weight_j)
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


def table_taps(points: Tensor, plane_axes: Sequence[str], side: float, resolution: int) -> tuple[Tensor, Tensor]:
    """Rows and weights, each [N, 4P], that points [N, 3] (world frame of the box) read of a table whose planes alternate texel by texel.

    Row (i*R + j)*P + p is texel (row i, column j) of plane p, as `backbone.protocols.TapFinder` has it.
    """
    rows, weights = bilinear_taps(points, plane_axes, side, (resolution, resolution))
    num_planes, texels = len(plane_axes), resolution * resolution
    plane = torch.arange(num_planes, device=rows.device).repeat_interleave(4)
    # a texel outside the plane has row 0 and weight 0, whatever its plane
    return (rows - plane * texels).clamp_min(0) * num_planes + plane, weights
