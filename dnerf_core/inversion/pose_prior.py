"""Which poses are likely, as a Gaussian over what a family's poser draws: the space in which an unknown pose is searched for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from dnerf_core.backbone.poses import Poser

DRAWS = 4096
_LEAST_RELATIVE_STD = 2e-3
"""Directions in which poses differ by less than this share of the widest one are not moved in."""
REACH = 2.5
"""Standard deviations along an axis within which poses are free; beyond it joints are at their limits."""
_BEYOND = 10.0
"""How much more it counts to be beyond `REACH` than within."""


@dataclass(frozen=True, eq=False)
class PosePrior:
    """Poses by codes [B, D] in standard deviations along the principal axes of likely poses.

    Attributes:
        mean: [P], the numbers of the mean pose.
        axes: [D, P], principal axes times their standard deviations; `inverse` [P, D] undoes them.
        shape: of a pose, P numbers.
        draws: codes [N, D] of likely poses, to start from.
    """

    mean: Tensor
    axes: Tensor
    inverse: Tensor
    shape: tuple[int, ...]
    draws: Tensor

    @classmethod
    def drawn_by(cls, poser: Poser, device: torch.device, seed: int = 0) -> PosePrior:
        """Of what a poser draws."""
        poses = poser.drawn(np.random.default_rng(seed), DRAWS)
        numbers = torch.from_numpy(poses.reshape(len(poses), -1)).double()
        mean = numbers.mean(dim=0)
        variance, directions = torch.linalg.eigh((numbers - mean).T @ (numbers - mean) / len(numbers))
        std = variance.clamp_min(0).sqrt()
        kept = std > _LEAST_RELATIVE_STD * std.max()
        std, directions = std[kept], directions[:, kept]
        inverse = directions / std
        parts = (mean, (directions * std).T, inverse, (numbers - mean) @ inverse)
        mean_, axes, inverse_, draws = (part.float().contiguous().to(device) for part in parts)
        return cls(mean_, axes, inverse_, tuple(poses.shape[1:]), draws)

    def poses(self, codes: Tensor) -> Tensor:
        """Poses [B, *shape] of codes [B, D]; differentiable."""
        return (self.mean + codes @ self.axes).unflatten(1, self.shape)

    def code(self, pose: Tensor) -> Tensor:
        """The code [D] of a pose [*shape], or of what of it the axes reach."""
        return (pose.reshape(math.prod(self.shape)) - self.mean) @ self.inverse

    def penalty(self, codes: Tensor) -> Tensor:
        """How unlikely poses of codes [B, D] are, [B]: about 1 for likely ones, much more past what joints can do."""
        beyond = (codes.abs() - REACH).clamp_min(0)
        return codes.square().mean(dim=1) + _BEYOND * beyond.square().sum(dim=1)
