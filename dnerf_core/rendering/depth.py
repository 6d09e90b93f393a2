"""From distances along rays at neural resolution to planar depth at any size, without inventing surfaces."""

from __future__ import annotations

import torch
from torch import Tensor

OPAQUE = 0.5
"""A pixel shows the object where at least this much of its light is stopped."""


def ray_cosines(intrinsics: Tensor, resolution: int) -> Tensor:
    """Cosine [B, R, R] between each pixel's ray and the optical axis: planar depth = distance along the ray times this."""
    centres = (torch.arange(resolution, dtype=intrinsics.dtype, device=intrinsics.device) + 0.5) / resolution
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    fx, fy = intrinsics[:, 0, 0, None, None], intrinsics[:, 1, 1, None, None]
    y = (v - intrinsics[:, 1, 2, None, None]) / fy
    x = (u - intrinsics[:, 0, 2, None, None]) / fx - intrinsics[:, 0, 1, None, None] * y / fx
    return (x.square() + y.square() + 1).rsqrt()


def resample_depth(depth_planar: Tensor, opacity: Tensor, size_px: int, same_surface: float) -> Tensor:
    """Planar depth at another size.

    A pixel is object where the bilinear mean of opacity is at least `OPAQUE`. Its depth is the bilinear mean over those of its four
    neighbours that are object themselves and lie within `same_surface` of the nearest-weighted one: never between two surfaces.

    Args:
        depth_planar: [B, R, R], world units, +inf at background.
        opacity: [B, R, R] in [0, 1].
        size_px: side S of the result.
        same_surface: depth difference, world units, above which neighbours count as different surfaces.
    Returns:
        [B, S, S], +inf at background.
    """
    resolution = depth_planar.shape[-1]
    position = (torch.arange(size_px, dtype=depth_planar.dtype, device=depth_planar.device) + 0.5) * (resolution / size_px) - 0.5
    low = position.floor()
    fraction = position - low
    indices = [(low + d).long().clamp(0, resolution - 1) for d in (0, 1)]
    weights_1d = [1 - fraction, fraction]
    weights, depths, opacities = [], [], []
    for di in (0, 1):
        for dj in (0, 1):
            rows, columns = indices[di][:, None], indices[dj][None, :]
            weights.append(weights_1d[di][:, None] * weights_1d[dj][None, :])
            depths.append(depth_planar[:, rows, columns])
            opacities.append(opacity[:, rows, columns])
    weight = torch.stack(weights)[:, None].expand(-1, depth_planar.shape[0], -1, -1)
    depth, stopped = torch.stack(depths), torch.stack(opacities)
    mean_opacity = (weight * stopped).sum(dim=0)
    usable = depth.isfinite() & (stopped >= OPAQUE)
    usable_weight = torch.where(usable, weight + 1e-6, torch.zeros_like(weight))
    reference = depth.gather(0, usable_weight.argmax(dim=0, keepdim=True))
    same = usable & ((depth - reference).abs() <= same_surface)
    same_weight = torch.where(same, usable_weight, torch.zeros_like(weight))
    total = same_weight.sum(dim=0)
    mean = torch.where(same, same_weight * depth, torch.zeros_like(depth)).sum(dim=0) / total.clamp_min(1e-12)
    return torch.where((mean_opacity >= OPAQUE) & (total > 0), mean, torch.full_like(mean, torch.inf))
