"""Neighbourhoods of points for PointNet++, in plain torch: farthest-point sampling, ball query, and features carried by three neighbours.

Everything is the same on every run and whatever the points' order, but for points equally far from each other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.shapes import check_shapes


def farthest_point_indices(points: Tensor, count: int) -> Tensor:
    """Farthest-point sampling of B clouds: each next point is the one farthest from all those before it.

    The first is the one farthest from the mean. Once every place is taken, places come again.

    Args:
        points: `[B, N, 3]`.

    Returns:
        int64 `[B, count]`.
    """
    check_shapes(points=(points, "float B N 3"))
    place = points.detach()
    row = torch.arange(len(place), device=place.device)
    x, y, z = place.unbind(-1)
    distance = (place - place.mean(dim=1, keepdim=True)).square().sum(-1)
    following = distance.argmax(dim=1)
    distance = torch.full_like(x, torch.inf)
    chosen = torch.empty(len(place), count, dtype=torch.int64, device=place.device)
    for k in range(count):
        chosen[:, k] = following
        step = (x - x[row, following, None]).square_()
        step += (y - y[row, following, None]).square_()
        step += (z - z[row, following, None]).square_()
        distance = torch.minimum(distance, step)
        following = distance.argmax(dim=1)
    return chosen


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """`[B, M, N]` between `[B, M, 3]` and `[B, N, 3]`, at least 0, by the sum of squares less twice the product."""
    product = torch.baddbmm(b.square().sum(-1)[:, None], a, b.transpose(1, 2), alpha=-2.0)
    return (product + a.square().sum(-1)[..., None]).clamp_min_(0.0)


def ball_indices(distances: Tensor, radius: float, count: int) -> Tensor:
    """The nearest points of each centre within a radius, at most `count`; where there are fewer, the nearest one stands in for the rest.

    Args:
        distances: `[B, M, N]`, squared.

    Returns:
        int64 `[B, M, min(count, N)]`.
    """
    found = distances.topk(min(count, distances.shape[-1]), dim=-1, largest=False)
    return torch.where(found.values <= radius**2, found.indices, found.indices[..., :1])


def gathered(values: Tensor, indices: Tensor) -> Tensor:
    """Rows of `[B, N, C]` by int64 `[B, ...]`: `[B, ..., C]`."""
    batch = torch.arange(len(values), device=values.device).reshape(-1, *(1,) * (indices.dim() - 1))
    return values[batch, indices]


def interpolated(features: Tensor, distances: Tensor) -> Tensor:
    """Features carried to points by their three nearest, weighted by the inverse of squared distances (paper, equation 2).

    Args:
        features: `[B, M, C]`.
        distances: `[B, N, M]`, squared.

    Returns:
        `[B, N, C]`.
    """
    found = distances.topk(min(3, distances.shape[-1]), dim=-1, largest=False)
    weights = 1.0 / (found.values + 1e-8)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return (gathered(features, found.indices) * weights[..., None].to(features.dtype)).sum(dim=2)
