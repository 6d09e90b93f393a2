"""Where to sample along a ray: stratified first, then by importance (NeRF section 5.2, EG3D section 4.1).

Distances are along the unit ray, world units. `jitter` and `u` come in as numbers, so that the caller decides between
midpoints (inference, deterministic) and an explicit generator (training).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def stratified_distances(start: Tensor, end: Tensor, count: int, jitter: Tensor | float = 0.5) -> Tensor:
    """Distances [M, count]: `count` even values from start to end [M], both included, plus jitter * (end - start) / (count - 1).

    Args:
        jitter: in [0, 1): one number, or [M, count].
    """
    steps = torch.linspace(0, 1, count, dtype=start.dtype, device=start.device)
    span = (end - start)[:, None]
    return start[:, None] + span * steps + jitter * span / (count - 1)


def importance_distances(distances: Tensor, weights: Tensor, u: Tensor) -> Tensor:
    """Distances drawn where the coarse pass found weight, by inverting the piecewise constant cdf. Not differentiated.

    Args:
        distances: coarse sample distances [M, N], increasing.
        weights: coarse interval weights [M, N - 1].
        u: numbers in [0, 1), [M, K] or [K].
    Returns:
        [M, K], increasing in u.
    """
    with torch.no_grad():
        smooth = F.max_pool1d(weights[:, None], kernel_size=2, stride=1, padding=1)
        smooth = F.avg_pool1d(smooth, kernel_size=2, stride=1)[:, 0] + 0.01
        bins = 0.5 * (distances[:, 1:] + distances[:, :-1])
        pdf = smooth[:, 1:-1] + 1e-5
        pdf = pdf / pdf.sum(dim=-1, keepdim=True)
        cdf = torch.cat([torch.zeros_like(pdf[:, :1]), pdf.cumsum(dim=-1)], dim=-1)
        u = u.expand(distances.shape[0], -1).contiguous()
        above = torch.searchsorted(cdf, u, right=True)
        below = (above - 1).clamp_min(0)
        above = above.clamp_max(cdf.shape[1] - 1)
        cdf_below, cdf_above = cdf.gather(1, below), cdf.gather(1, above)
        step = cdf_above - cdf_below
        step = torch.where(step < 1e-5, torch.ones_like(step), step)
        bin_below, bin_above = bins.gather(1, below), bins.gather(1, above)
        return bin_below + (u - cdf_below) / step * (bin_above - bin_below)


def midpoints(count: int, like: Tensor) -> Tensor:
    """(i + 0.5) / count for i in 0..count-1: the deterministic u of inference."""
    return (torch.arange(count, dtype=like.dtype, device=like.device) + 0.5) / count
