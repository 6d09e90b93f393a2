"""What training does to clouds so that a network meets what scans are like. Pure functions of tensors and a generator of chance.

Convention: clouds are `[B, N, 3]` float32, y up, labels int64 `[B, N]`; a cloud's chances do not depend on another's values.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from dnerf_core.downstream.points.normalising import ordered, turned
from dnerf_core.labels import IGNORE_ID
from dnerf_core.shapes import check_shapes


def scaled(points: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """Each cloud scaled along each of its axes by a factor of its own from `low` to `high`, evenly drawn."""
    factors = low + (high - low) * torch.rand(len(points), 1, 3, generator=generator)
    return points * factors


def jittered(points: Tensor, deviation: float, generator: Generator) -> Tensor:
    """Gaussian noise on every coordinate, cut at three deviations; each cloud's deviation is drawn evenly up to the given one."""
    own = deviation * torch.rand(len(points), 1, 1, generator=generator)
    return points + own * torch.randn(points.shape, generator=generator).clamp(-3.0, 3.0)


def turned_at_random(points: Tensor, generator: Generator) -> Tensor:
    """Each cloud turned about +y by an angle of its own."""
    return turned(points, 2 * math.pi * torch.rand(len(points), generator=generator))


def tilted(points: Tensor, most_deg: float, generator: Generator) -> Tensor:
    """Each cloud tilted by up to `most_deg` degrees about a level axis of its own (Rodrigues' formula)."""
    heading = 2 * math.pi * torch.rand(len(points), 1, generator=generator)
    angle = math.radians(most_deg) * torch.rand(len(points), 1, 1, generator=generator)
    axis = torch.stack([heading.cos(), torch.zeros_like(heading), heading.sin()], dim=-1)
    along = (points * axis).sum(-1, keepdim=True) * axis
    across = torch.linalg.cross(axis.expand_as(points), points)
    return along + (points - along) * angle.cos() + across * angle.sin()


def in_patches(points: Tensor, most_patches: int, most_share: float, generator: Generator) -> Tensor:
    """Which points lie in patches that a scan missed: bool `[B, N]`.

    Up to `most_patches` patches a cloud, each the points nearest to one of its points; together they are at most `most_share` of it.
    """
    check_shapes(points=(points, "float B N 3"))
    batch, count = points.shape[:2]
    missing = torch.zeros(batch, count, dtype=torch.bool)
    number = torch.randint(0, most_patches + 1, (batch,), generator=generator)
    share = most_share * torch.rand(batch, generator=generator)
    row = torch.arange(batch)
    for patch in range(most_patches):
        centre = points[row, torch.randint(0, count, (batch,), generator=generator)]
        distance = (points - centre[:, None]).square().sum(-1)
        rank = (share / number.clamp_min(1) * count).long()
        limit = ordered(distance, 1)[row, rank]
        missing |= (distance < limit[:, None]) & (patch < number)[:, None]
    return missing


def drawn(points: Tensor, labels: Tensor, left_out: Tensor, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """`count` points of each cloud by chance, none that is left out and none twice while there are others.

    Args:
        left_out: bool `[B, N]`; not all points of a cloud.
    """
    check_shapes(points=(points, "float B N 3"), labels=(labels, "int64 B N"), left_out=(left_out, "bool B N"))
    keys = torch.rand(left_out.shape, generator=generator).masked_fill_(left_out, 2.0)
    order = keys.argsort(dim=1)
    kept = (~left_out).sum(dim=1, keepdim=True)
    chosen = order.gather(1, torch.arange(count)[None] % kept)
    return points.gather(1, chosen[..., None].expand(-1, -1, 3)), labels.gather(1, chosen)


def with_outliers(points: Tensor, labels: Tensor, most_share: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Up to `most_share` of each cloud's points replaced by stray ones, evenly in a box half as large again; their label is 255."""
    batch, count = points.shape[:2]
    low, high = points.amin(dim=1, keepdim=True), points.amax(dim=1, keepdim=True)
    share = most_share * torch.rand(batch, 1, generator=generator)
    stray = torch.rand(batch, count, generator=generator) < share
    anywhere = (low + high) / 2 + 1.5 * (high - low) * (torch.rand(points.shape, generator=generator) - 0.5)
    return torch.where(stray[..., None], anywhere, points), labels.masked_fill(stray, IGNORE_ID)
