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
_REACHED = 0.001
"""Of likely poses, this share lies below and above what a joint's number is free to be."""
_BEYOND = 10.0
"""How much more it counts to be beyond that than within."""
_PLACE_STD = 0.05
"""How far a photo's body stands from the middle, shares of its height; likely poses stand in the middle."""


@dataclass(frozen=True, eq=False)
class PosePrior:
    """Poses by codes [B, D] in standard deviations along the principal axes of likely poses.

    Attributes:
        mean: [P], the numbers of the mean pose.
        axes: [D, P], principal axes times their standard deviations; `inverse` [P, D] undoes them.
        shape: of a pose, P numbers.
        draws: codes [N, D] of likely poses, to start from.
        least, most: [P], between which a pose's numbers are free, in `deviation` [P] from the mean: what joints can do, so that a knee
            is not bent forwards to look as short as one that is bent back.
        place: which numbers of a pose are its place, see `Poser.place`; scale: world units a unit of it.
    """

    mean: Tensor
    axes: Tensor
    inverse: Tensor
    shape: tuple[int, ...]
    draws: Tensor
    least: Tensor
    most: Tensor
    deviation: Tensor
    place: tuple[int, int, int]
    scale: float

    @classmethod
    def drawn_by(cls, poser: Poser, device: torch.device, seed: int = 0) -> PosePrior:
        """Of what a poser draws."""
        rng = np.random.default_rng(seed)
        poses = poser.drawn(rng, DRAWS)
        numbers = torch.from_numpy(poses.reshape(len(poses), -1)).double()
        still = numbers.clone()
        height = np.ptp(poser.joint_places[:, 1])
        numbers[:, list(poser.place)] += torch.from_numpy(rng.normal(0.0, _PLACE_STD * height, (len(poses), 3)))
        mean = numbers.mean(dim=0)
        variance, directions = torch.linalg.eigh((numbers - mean).T @ (numbers - mean) / len(numbers))
        std = variance.clamp_min(0).sqrt()
        kept = std > _LEAST_RELATIVE_STD * std.max()
        std, directions = std[kept], directions[:, kept]
        inverse = directions / std
        deviation = numbers.std(dim=0).clamp_min(_LEAST_RELATIVE_STD * float(std.max()))
        ends = ((numbers - mean) / deviation).quantile(torch.tensor([_REACHED, 1 - _REACHED], dtype=torch.float64), dim=0)

        def here(part: Tensor) -> Tensor:
            return part.float().contiguous().to(device)

        return cls(
            mean=here(mean),
            axes=here((directions * std).T),
            inverse=here(inverse),
            shape=tuple(poses.shape[1:]),
            draws=here((still - mean) @ inverse),
            least=here(ends[0]),
            most=here(ends[1]),
            deviation=here(deviation),
            place=poser.place,
            scale=poser.scale,
        )

    def poses(self, codes: Tensor) -> Tensor:
        """Poses [B, *shape] of codes [B, D]; differentiable."""
        return (self.mean + codes @ self.axes).unflatten(1, self.shape)

    def code(self, pose: Tensor) -> Tensor:
        """The code [D] of a pose [*shape], or of what of it the axes reach."""
        return (pose.reshape(math.prod(self.shape)) - self.mean) @ self.inverse

    def moved(self, code: Tensor, shift: Tensor) -> Tensor:
        """The code [D] of the pose of a code [D] that stands elsewhere, by a shift [3], world units; as far as likely poses do."""
        numbers = self.poses(code[None]).flatten()
        numbers[list(self.place)] += shift / self.scale
        return self.code(numbers)

    def penalty(self, codes: Tensor) -> Tensor:
        """How unlikely poses of codes [B, D] are, [B]: about 1 for likely ones, much more past what joints can do."""
        apart = codes @ self.axes / self.deviation
        beyond = (self.least - apart).clamp_min(0) + (apart - self.most).clamp_min(0)
        return codes.square().mean(dim=1) + _BEYOND * beyond.square().sum(dim=1)
