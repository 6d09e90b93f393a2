"""Volume rendering's quadrature with midpoint densities, as EG3D's releases march (NeRF equation 3; mip-NeRF's intervals)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def interval_weights(distances: Tensor, raw_density: Tensor) -> Tensor:
    """Weights [M, S - 1] of the intervals between neighbouring samples.

    density = softplus(mean of the two raw densities - 1), alpha = 1 - exp(-density * length), weight = alpha times the
    product of (1 - alpha + 1e-10) of the intervals before.

    Args:
        distances: [M, S], increasing, along the unit ray.
        raw_density: [M, S].
    """
    lengths = distances[:, 1:] - distances[:, :-1]
    density = F.softplus(0.5 * (raw_density[:, 1:] + raw_density[:, :-1]) - 1)
    alpha = 1 - torch.exp(-density * lengths)
    transmittance = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10], dim=-1), dim=-1)[:, :-1]
    return alpha * transmittance


def estimated_weights(distances: Tensor, raw_density: Tensor) -> tuple[Tensor, Tensor]:
    """Interval weights [M, S - 1] as `interval_weights`, and the light [M, S] that reaches each sample.

    By the sum of optical depths instead of the running product, in half the passes; where little light is left, digits are lost that only
    the pictures' own sums need.
    """
    density = F.softplus((raw_density[:, 1:] + raw_density[:, :-1]).mul_(0.5).sub_(1))
    depth = density.mul_(distances[:, 1:] - distances[:, :-1]).cumsum(dim=1)
    light = F.pad(depth.neg_().exp_(), (1, 0), value=1.0)
    return light[:, :-1] - light[:, 1:], light


def sample_weights(weights: Tensor) -> Tensor:
    """Weight [M, S] of each sample's own value, from interval weights [M, S - 1].

    An interval shows the mean of its two samples, so half of its weight goes to each:
    sum_i w_i (c_i + c_{i+1}) / 2 = sum_i c_i (w_{i-1} + w_i) / 2.
    """
    return 0.5 * (F.pad(weights, (0, 1)) + F.pad(weights, (1, 0)))


def composite_distance(weights: Tensor, distances: Tensor) -> Tensor:
    """Expected distance [M] along the ray, of interval weights [M, S - 1] and sample distances [M, S]; +inf where nothing is met."""
    middle = 0.5 * (distances[:, 1:] + distances[:, :-1])
    total = weights.sum(dim=-1)
    # the division is kept away from 0 / 0 also where its result is not used: its gradient would be NaN there
    met = total > 1e-30
    distance = (weights * middle).sum(dim=-1) / torch.where(met, total, torch.ones_like(total))
    return torch.where(met, distance, torch.full_like(distance, torch.inf))
