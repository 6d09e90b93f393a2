"""An ensemble of small branches trained on the painted views, each on a bootstrap of them, and how far its members disagree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class EnsembleConfig:
    """How an ensemble is made.

    Attributes:
        members: K.
        hidden_dim: width of each member's hidden layer.
        steps, rays_per_step, learning_rate, weight_decay: of the training of all members (AdamW; the rate falls along a cosine).
        seed: of first weights, bootstraps and the order of rays.
    """

    members: int = 8
    hidden_dim: int = 64
    steps: int = 300
    rays_per_step: int = 512
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Ensemble:
    """K members: linear, softplus, linear, over normalised rays.

    Attributes:
        mean, std: [D], of the rays that they were trained on.
        weights: first weights [K, D, H] and biases [K, 1, H], last ones [K, H, C] and [K, 1, C].
    """

    mean: Tensor
    std: Tensor
    weights: tuple[Tensor, Tensor, Tensor, Tensor]

    @torch.no_grad()
    def probabilities(self, features: Tensor) -> Tensor:
        """What each member says of rays [M, D]: class probabilities [K, M, C]."""
        members = len(self.weights[0])
        return _scores(self.weights, ((features - self.mean) / self.std).expand(members, -1, -1)).softmax(dim=2)


def train_ensemble(features: Tensor, shares: Tensor, view: Tensor, config: EnsembleConfig) -> Ensemble:
    """Train K members side by side on the rays of V painted views; equal arguments give equal members.

    Each member sees a bootstrap of the views: V draws with replacement. The loss is the cross-entropy against the shares of classes
    in a ray's pixels, so that all members agree on a border ray that is half this and half that.

    Args:
        features: [M, D] of the painted rays of all views; shares: [M, C] of each class; view: int64 [M], 0 .. V - 1.
    """
    rng = torch.Generator().manual_seed(config.seed)
    views, classes = int(view.max()) + 1, shares.shape[1]
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0).clamp_min(1e-6)
    x, target = ((features - mean) / std), shares * class_weights(shares)
    drawn = torch.randint(views, (config.members, views), generator=rng).to(view.device)
    often = F.one_hot(drawn, views).sum(dim=1).float()[:, view]  # [K, M]: how often a member has a ray's view
    dims, hidden = features.shape[1], config.hidden_dim

    def weight(*shape: int, gain: float) -> Tensor:
        return (torch.randn(config.members, *shape, generator=rng) * gain).to(x.device).requires_grad_()

    weights = (
        weight(dims, hidden, gain=1 / math.sqrt(dims)),
        weight(1, hidden, gain=0.0),
        weight(hidden, classes, gain=1 / math.sqrt(hidden)),
        weight(1, classes, gain=0.0),
    )
    optimizer = torch.optim.AdamW(weights, lr=config.learning_rate, weight_decay=config.weight_decay)
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        chosen = torch.stack([_drawn_rays(row, config.rays_per_step, rng) for row in often])
        log_share = _scores(weights, x[chosen]).log_softmax(dim=2)
        loss = -(target[chosen] * log_share).sum(dim=(1, 2)) / target[chosen].sum(dim=(1, 2)).clamp_min(1e-6)
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
    first, first_bias, last, last_bias = (tensor.detach() for tensor in weights)
    return Ensemble(mean, std, (first, first_bias, last, last_bias))


def disagreement(probabilities: Tensor) -> Tensor:
    """Jensen-Shannon divergence [M] of K members' class probabilities [K, M, C], as a share of log C: 0 where all say the same.

    H(mean of p) - mean of H(p), DatasetGAN's measure (CVPR 2021, section 3.3): rays that each member is itself unsure of, such as
    those on a border, count only as far as members differ there.
    """
    return (_entropy(probabilities.mean(dim=0)) - _entropy(probabilities).mean(dim=0)).clamp_min(0) / math.log(
        probabilities.shape[2]
    )


def _entropy(probabilities: Tensor) -> Tensor:
    return -torch.special.xlogy(probabilities, probabilities).sum(dim=-1)


def _scores(weights: tuple[Tensor, Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
    """[K, M, D] -> [K, M, C]."""
    first, first_bias, last, last_bias = weights
    return torch.baddbmm(last_bias, F.softplus(torch.baddbmm(first_bias, x, first)), last)


def class_weights(shares: Tensor) -> Tensor:
    """[C], 1 / sqrt(a class's share of the rays), as the branch's own training weighs them; at most 10 times the smallest."""
    total = shares.sum(dim=0)
    weights = torch.where(total > 0, (total.max() / total.clamp_min(1e-6)).sqrt(), torch.zeros_like(total))
    return weights.clamp(max=10.0)


def _drawn_rays(often: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """`count` rays [count], each drawn as often as the member has its view."""
    rays = often.cumsum(0)
    places = torch.rand(count, generator=rng).to(rays.device, torch.float32) * rays[-1]
    return torch.searchsorted(rays, places, right=True).clamp(max=len(often) - 1)
