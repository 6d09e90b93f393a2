"""The two recipes of training and predicting, as data: clouds of an aligned benchmark, and scans of anything anyhow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from dnerf_core.downstream.points import augmentation
from dnerf_core.downstream.points.normalising import Normalisation, normalised

RecipeName = Literal["aligned", "scans"]

POOL = 2
"""A cloud gives so many times a network's points to choose from, before patches are left out."""


@dataclass(frozen=True)
class Recipe:
    """How clouds are met.

    Attributes:
        normalisation: see `normalising.normalised`.
        any_heading: training turns clouds about the up axis, and prediction takes the mean over headings.
        scale: factors along each axis, from and to.
        jitter: largest deviation of noise, of a normalised cloud's radius.
        tilt_deg: largest tilt in training.
        patches, missing: how many patches are left out in training, at most, and how large a share of the points at most.
        outliers: largest share of stray points in training.
        cut_outliers: prediction leaves stray points aside first.
    """

    normalisation: Normalisation
    any_heading: bool
    scale: tuple[float, float]
    jitter: float
    tilt_deg: float
    patches: int
    missing: float
    outliers: float
    cut_outliers: bool

    def batch(self, clouds: Sequence[tuple[Tensor, Tensor]], count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """One batch to train on.

        Args:
            clouds: points float32 `[N, 3]` and labels int64 `[N]` of each.
            count: points a cloud.

        Returns:
            Points float32 `[B, count, 3]`, normalised, and labels int64 `[B, count]`.
        """
        pools = [_pool(*cloud, POOL * count, generator) for cloud in clouds]
        points, labels = torch.stack([pool[0] for pool in pools]), torch.stack([pool[1] for pool in pools])
        points = normalised(points, self.normalisation)
        if self.any_heading:
            points = augmentation.turned_at_random(points, generator)
        if self.tilt_deg:
            points = augmentation.tilted(points, self.tilt_deg, generator)
        if self.patches:
            left_out = augmentation.in_patches(points, self.patches, self.missing, generator)
        else:
            left_out = torch.zeros(labels.shape, dtype=torch.bool)
        points, labels = augmentation.drawn(points, labels, left_out, count, generator)
        points = augmentation.scaled(points, *self.scale, generator)
        points = augmentation.jittered(points, self.jitter, generator)
        if self.outliers:
            points, labels = augmentation.with_outliers(points, labels, self.outliers, generator)
        # scans are normalised as they come, with what is missing and what strays; benchmarks' scale is part of what varies
        return (normalised(points, self.normalisation) if self.any_heading else points), labels


RECIPES: dict[RecipeName, Recipe] = {
    "aligned": Recipe(
        normalisation="ball",
        any_heading=False,
        scale=(0.9, 1.1),
        jitter=0.01,
        tilt_deg=0.0,
        patches=0,
        missing=0.0,
        outliers=0.0,
        cut_outliers=False,
    ),
    "scans": Recipe(
        normalisation="robust",
        any_heading=True,
        scale=(0.9, 1.1),
        jitter=0.015,
        tilt_deg=12.0,
        patches=4,
        missing=0.35,
        outliers=0.02,
        cut_outliers=True,
    ),
}


def _pool(points: Tensor, labels: Tensor, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """`count` points by chance: none twice while there are others."""
    order = torch.randperm(len(points), generator=generator)
    chosen = order[torch.arange(count) % len(order)]
    return points[chosen], labels[chosen]
