"""Camera rays and where they meet the box.

Convention: cam2world maps OpenCV camera axes (x right, y down, z forward) to the world; intrinsics are normalised by the
image size; the centre of pixel (row i, column j) of an R x R image is at ((j + 0.5) / R, (i + 0.5) / R); rays are row-major.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ViewRays:
    """Rays of B square views, through the centres of the same N pixels in each.

    Attributes:
        origins, directions: [B, N, 3], world frame; directions of unit length.
        cam2world, intrinsics: [B, 4, 4] and [B, 3, 3].
        side: R, pixels.
        pixel: int64 [N], row-major, increasing; None: all R * R.
    """

    origins: Tensor
    directions: Tensor
    cam2world: Tensor
    intrinsics: Tensor
    side: int
    pixel: Tensor | None = None

    @classmethod
    def from_cameras(cls, cam2world: Tensor, intrinsics: Tensor, side: int, pixel: Tensor | None = None) -> ViewRays:
        """The rays of cameras; differentiable in both arguments."""
        uv = pixel_centres(side, cam2world)
        if pixel is not None:
            uv = uv[pixel]
        origins, directions = pixel_rays(cam2world, intrinsics, uv.expand(cam2world.shape[0], -1, -1))
        return cls(origins, directions, cam2world, intrinsics, side, pixel)


def camera_rays(cam2world: Tensor, intrinsics: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
    """Origins and unit directions [B, R*R, 3], world frame, of every pixel centre (differentiable in both arguments).

    Args:
        cam2world: [B, 4, 4].
        intrinsics: [B, 3, 3] normalised, skew allowed.
        resolution: R, pixels a side.
    """
    uv = pixel_centres(resolution, cam2world)
    return pixel_rays(cam2world, intrinsics, uv.expand(cam2world.shape[0], -1, -1))


def pixel_centres(resolution: int, like: Tensor) -> Tensor:
    """Normalised image points [R * R, 2] (u, v) of every pixel centre, row-major."""
    centres = (torch.arange(resolution, dtype=like.dtype, device=like.device) + 0.5) / resolution
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([u, v], dim=-1).reshape(-1, 2)


def pixel_rays(cam2world: Tensor, intrinsics: Tensor, uv: Tensor) -> tuple[Tensor, Tensor]:
    """Origins and unit directions [B, N, 3], world frame, through normalised image points uv [B, N, 2], in the dtype of the arguments."""
    fx, fy = intrinsics[:, 0, 0, None], intrinsics[:, 1, 1, None]
    cx, cy, skew = intrinsics[:, 0, 2, None], intrinsics[:, 1, 2, None], intrinsics[:, 0, 1, None]
    y = (uv[..., 1] - cy) / fy
    x = (uv[..., 0] - cx) / fx - skew * y / fx
    in_camera = torch.stack([x, y, torch.ones_like(x)], dim=-1)
    directions = in_camera @ cam2world[:, :3, :3].transpose(1, 2)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    origins = cam2world[:, None, :3, 3].expand_as(directions)
    return origins, directions


def box_limits(origins: Tensor, directions: Tensor, side: float) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays [N, 3] enter and leave the cube of `side` about the origin.

    Returns:
        entry and exit [N] (distance along the unit ray, entry at least 0; both 0 for a miss) and whether they meet it, bool [N].
    """
    # a zero component gives an infinite slope and an empty or full slab, which is what min and max want; 0/0 is kept out
    safe = torch.where(directions.abs() < 1e-12, torch.full_like(directions, 1e-12), directions)
    to_low, to_high = (-side / 2 - origins) / safe, (side / 2 - origins) / safe
    entry = torch.minimum(to_low, to_high).amax(dim=-1).clamp_min(0)
    leave = torch.maximum(to_low, to_high).amin(dim=-1)
    hit = leave > entry
    zero = torch.zeros_like(entry)
    return torch.where(hit, entry, zero), torch.where(hit, leave, zero), hit
