"""How strange a cloud is to a network: how far what the network makes of the whole cloud lies from what it made of those that it learned.

A network may be sure of labels that mean nothing, as those of random points, or of an object on its side. But the features of the whole
cloud, of which each is the largest over its points, are then unlike those of the clouds that it was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dnerf_core.downstream.points.recipes import RECIPES, RecipeName

if TYPE_CHECKING:
    from torch import nn

BATCH, BATCHES = 16, 12
"""Clouds, changed as in training, of which the usual features are told."""
SMALLEST = 1e-3
"""A standard deviation of a feature, at least: some are the same for all clouds."""


@dataclass(frozen=True)
class Familiar:
    """The features of clouds that a network learned from.

    Attributes:
        mean, deviation: of each feature; deviations are above 0.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """As a network file's settings have it."""
        return {"mean": list(self.mean), "deviation": list(self.deviation)}

    @classmethod
    def from_json(cls, value: Any) -> Familiar | None:
        """What `to_json` gave; None: it is something else."""
        if not isinstance(value, dict) or value.keys() != {"mean", "deviation"}:
            return None
        columns = (value["mean"], value["deviation"])
        if not all(isinstance(column, list) and all(map(_is_number, column)) for column in columns):
            return None
        mean, deviation = (tuple(map(float, column)) for column in columns)
        return cls(mean, deviation) if len(mean) == len(deviation) and all(number > 0 for number in deviation) else None

    def distance(self, features: Tensor) -> float:
        """How far features `[B, F]` of one cloud's views are from these: the root mean square over features of their distance in
        deviations, and the mean over views. About 1 of clouds as in training."""
        mean, deviation = features.new_tensor(self.mean), features.new_tensor(self.deviation)
        return float(((features - mean) / deviation).square().mean(dim=1).sqrt().mean())


@torch.no_grad()
def familiar_features(
    network: nn.Module, clouds: Sequence[tuple[Tensor, Tensor]], recipe: RecipeName, count: int, seed: int
) -> Familiar:
    """The features of clouds as a training changes them.

    Args:
        network: in the mode for prediction, on any device.
        clouds: see `recipes.Recipe.batch`.
        count: points that the network sees of each.
    """
    device, generator = next(network.parameters()).device, torch.Generator().manual_seed(seed)
    order = torch.randperm(len(clouds), generator=generator).tolist()
    found = []
    for batch in range(BATCHES):
        chosen = [clouds[order[(batch * BATCH + place) % len(order)]] for place in range(BATCH)]
        points, _ = RECIPES[recipe].batch(chosen, count, generator)
        found.append(network.cloud_features(points.to(device)).float().cpu())  # type: ignore[operator]  # of every network here
    features = torch.cat(found)
    mean, deviation = features.mean(dim=0), features.std(dim=0) + SMALLEST
    return Familiar(tuple(round(value, 5) for value in mean.tolist()), tuple(round(value, 5) for value in deviation.tolist()))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
