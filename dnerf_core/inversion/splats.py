"""A coloured mesh seen as soft splats: cheap, and differentiable in where its vertices are, also where they do not yet cover the picture.

A vertex stands for its share of the surface: an area vector. What of it faces the camera is spread over the picture by a Gaussian, which
is a product of one along columns and one along rows, so that all splats of a picture are one matrix product.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_NEAREST = 1e-3
"""Nothing nearer to the camera is seen, world units."""
_GAIN, _BEND = 1.2, 8
"""Of opacity by how often a pixel is covered: x / (1 + x ** 8) ** (1/8) of x = 1.2 times that, so that once is opaque, since splats leave
gaps.
"""


def area_vectors(vertices: Tensor, faces: Tensor) -> Tensor:
    """Outward normals [B, V, 3] of a mesh's vertices as long as their shares of its surface are large.

    Args:
        vertices: [B, V, 3]; faces: int64 [F, 3], counterclockwise seen from outside.
    """
    a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
    share = torch.linalg.cross(b - a, c - a) / 6
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, faces[:, corner], share)
    return total


def with_centres(vertices: Tensor, areas: Tensor, values: Tensor, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A mesh's vertices and area vectors [B, V, 3] and values [B, V, C], with its triangles' centres, which take half of the surface."""
    corners = [vertices[:, faces[:, corner]] for corner in range(3)]
    half = torch.linalg.cross(corners[1] - corners[0], corners[2] - corners[0]) / 4
    centres, middle = (x[:, faces].mean(dim=2) for x in (vertices, values))
    return torch.cat([vertices, centres], 1), torch.cat([areas / 2, half], 1), torch.cat([values, middle], 1)


def splatted(
    vertices: Tensor,
    areas: Tensor,
    values: Tensor,
    background: Tensor,
    cam2world: Tensor,
    intrinsics: Tensor,
    side_px: int,
    blur_px: float,
    one_layer: float,
) -> Tensor:
    """Pictures [B, C, R, R] of B meshes.

    Args:
        vertices: [B, V, 3], world frame; areas: [B, V, 3], see `area_vectors`.
        values: [B, V, C], what the vertices show; background: [B or 1, C].
        cam2world, intrinsics: [B, 4, 4] (OpenCV axes) and [B or 1, 3, 3] (normalised).
        side_px: R; blur_px: standard deviation of a splat.
        one_layer: world units; what lies farther behind the nearest vertex of its pixel is hidden.
    """
    sight = vertices - cam2world[:, None, :3, 3]
    in_camera = sight @ cam2world[:, :3, :3]
    depth = in_camera[..., 2].clamp_min(_NEAREST)
    fx, fy, skew = (intrinsics[:, row, column, None] for row, column in ((0, 0), (1, 1), (0, 1)))
    x, y = in_camera[..., 0] / depth, in_camera[..., 1] / depth
    column = (fx * x + skew * y + intrinsics[:, 0, 2, None]) * side_px - 0.5
    row = (fy * y + intrinsics[:, 1, 2, None]) * side_px - 0.5
    facing = -(areas * sight).sum(dim=2).clamp_max(0) / sight.norm(dim=2).clamp_min(_NEAREST)
    amount = facing * (fx * fy) * (side_px / depth).square()
    amount = amount * (in_camera[..., 2] > _NEAREST) * _seen(column, row, depth, facing, side_px, one_layer)
    centres = torch.arange(side_px, dtype=vertices.dtype, device=vertices.device)
    gain = 1 / (blur_px * math.sqrt(2 * math.pi))
    across, down = (gain * (-0.5 * ((centres - at[..., None]) / blur_px).square()).exp() for at in (column, row))  # [B, V, R]
    shown = torch.cat([values, torch.ones_like(depth)[..., None]], dim=2) * amount[..., None]
    spread = (down[:, :, None] * shown[..., None]).flatten(2).transpose(1, 2) @ across
    sums = spread.unflatten(1, (shown.shape[2], side_px))
    coverage = sums[:, -1:]
    stopped = _GAIN * coverage
    opacity = stopped / (1 + stopped**_BEND) ** (1 / _BEND)
    return opacity * sums[:, :-1] / coverage.clamp_min(1e-6) + (1 - opacity) * background[:, :, None, None]


def blurred(pictures: Tensor, blur_px: float) -> Tensor:
    """Pictures [B, C, R, R] under a Gaussian; what is outside counts as the nearest pixel."""
    reach = math.ceil(3 * blur_px)
    along = torch.arange(-reach, reach + 1, dtype=pictures.dtype, device=pictures.device)
    kernel = (-0.5 * (along / blur_px).square()).exp()
    kernel = (kernel / kernel.sum()).expand(pictures.shape[1], 1, 1, -1)
    wide = F.pad(pictures, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(wide, kernel, groups=pictures.shape[1])
    return F.conv2d(rows, kernel.transpose(2, 3), groups=pictures.shape[1])


@torch.no_grad()
def _seen(column: Tensor, row: Tensor, depth: Tensor, facing: Tensor, side_px: int, one_layer: float) -> Tensor:
    """Which vertices [B, V] nothing hides."""
    batch = torch.arange(len(depth), device=depth.device)[:, None]
    place = (batch * side_px + row.round().clamp(0, side_px - 1).long()) * side_px + column.round().clamp(0, side_px - 1).long()
    front = torch.where(facing > 0, depth, torch.inf)
    nearest = torch.full((len(depth) * side_px**2,), torch.inf, dtype=depth.dtype, device=depth.device)
    nearest.scatter_reduce_(0, place.flatten(), front.flatten(), "amin")
    return depth <= nearest[place.flatten()].view_as(depth) + one_layer
