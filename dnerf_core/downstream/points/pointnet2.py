"""PointNet++ (Qi et al., NeurIPS 2017, arXiv 1706.02413) for parts: multi-scale set abstraction, and features carried back to all points.

The paper's widths are its appendix's of part segmentation with multi-scale grouping; how many points a ball holds is our own, and no
normals are read: those of scans have no sides. Neighbourhoods are `grouping`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.downstream.points.grouping import (
    ball_indices,
    farthest_point_indices,
    gathered,
    interpolated,
    squared_distances,
)
from dnerf_core.downstream.points.rows import stacked_rows


@dataclass(frozen=True)
class Scale:
    """One scale of a level: balls of this radius, at most so many points in each, and the widths of what reads them."""

    radius: float
    points: int
    widths: tuple[int, ...]


@dataclass(frozen=True)
class PointNet2Config:
    """Widths of a PointNet++.

    Attributes:
        levels: (number of centres, scales) of each set abstraction.
        whole: widths of what reads the last level's centres into the cloud's own feature.
        back: widths of the propagation, from the cloud back to all points.
        head: of the last layers.
        dropout: of the head in training.
    """

    levels: tuple[tuple[int, tuple[Scale, ...]], ...]
    whole: tuple[int, ...]
    back: tuple[tuple[int, ...], ...]
    head: tuple[int, ...]
    dropout: float = 0.0


SMALL = PointNet2Config(
    levels=(
        (128, (Scale(0.15, 12, (16, 16, 32)), Scale(0.3, 24, (16, 24, 32)))),
        (32, (Scale(0.4, 12, (64, 64, 96)), Scale(0.8, 24, (64, 64, 96)))),
    ),
    whole=(192, 256),
    back=((128,), (96,), (64, 64)),
    head=(64,),
)
PAPER = PointNet2Config(
    levels=(
        (512, (Scale(0.1, 16, (32, 32, 64)), Scale(0.2, 32, (64, 64, 128)), Scale(0.4, 64, (64, 96, 128)))),
        (128, (Scale(0.4, 32, (128, 128, 256)), Scale(0.8, 64, (128, 196, 256)))),
    ),
    whole=(256, 512, 1024),
    back=((256, 256), (256, 128), (128, 128)),
    head=(128,),
    dropout=0.5,
)


class SetAbstraction(nn.Module):
    """Features of centres from the points round them, at several scales side by side (paper, section 3.3, "multi-scale grouping")."""

    def __init__(self, inputs: int, centres: int, scales: Sequence[Scale]) -> None:
        super().__init__()
        self.centres, self.scales = centres, tuple(scales)
        self.readers = nn.ModuleList(stacked_rows(inputs + 3, scale.widths) for scale in scales)
        self.outputs = sum(scale.widths[-1] for scale in scales)

    def forward(self, points: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        """`[B, N, 3]` and `[B, N, C]` (None where C is 0) to `[B, M, 3]` and `[B, M, outputs]`."""
        chosen = farthest_point_indices(points, self.centres)
        centres = gathered(points, chosen)
        distances = squared_distances(centres, points)
        found = []
        for scale, reader in zip(self.scales, self.readers, strict=True):
            indices = ball_indices(distances, scale.radius, scale.points)
            near = gathered(points, indices) - centres[:, :, None]
            if features is not None:
                near = torch.cat([near, gathered(features, indices).to(near.dtype)], dim=-1)
            found.append(reader(near).max(dim=2).values)
        return centres, torch.cat(found, dim=-1)


class PointNet2(nn.Module):
    """Logits of parts for every point of B clouds."""

    def __init__(self, parts: int, config: PointNet2Config) -> None:
        super().__init__()
        self.config = config
        levels, widths = [], [0]
        for centres, scales in config.levels:
            levels.append(SetAbstraction(widths[-1], centres, scales))
            widths.append(levels[-1].outputs)
        self.levels = nn.ModuleList(levels)
        self.whole = stacked_rows(widths[-1] + 3, config.whole)
        back, coming = [], config.whole[-1]
        for own, layers in zip(reversed(widths), config.back, strict=True):
            back.append(stacked_rows(coming + (own or 3), layers))
            coming = layers[-1]
        self.back = nn.ModuleList(back)
        self.head = stacked_rows(coming, config.head)
        self.logits = nn.Linear(config.head[-1], parts)

    def forward(self, points: Tensor) -> Tensor:
        """Logits `[B, N, P]` of points `[B, N, 3]`, as `recipes.Recipe` normalises them."""
        places, features, cloud = self._encoded(points)
        carried = cloud[:, None].expand(-1, self.config.levels[-1][0], -1)
        for depth, layers in zip(range(len(places) - 1, -1, -1), self.back, strict=True):
            own = features[depth]
            here = points if own is None else own
            if depth < len(places) - 1:
                carried = interpolated(carried, squared_distances(places[depth], places[depth + 1]))
            carried = layers(torch.cat([carried, here.to(carried.dtype)], dim=-1))
        logits: Tensor = self.logits(F.dropout(self.head(carried), self.config.dropout, self.training))
        return logits

    def cloud_features(self, points: Tensor) -> Tensor:
        """The features of whole clouds, `[B, F]` of points `[B, N, 3]`."""
        return self._encoded(points)[2]

    def _encoded(self, points: Tensor) -> tuple[list[Tensor], list[Tensor | None], Tensor]:
        """Centres of the levels, their features, and those of the clouds `[B, F]`."""
        places: list[Tensor] = [points]
        features: list[Tensor | None] = [None]
        for level in self.levels:
            centres, found = level(places[-1], features[-1])
            places.append(centres)
            features.append(found)
        last = features[-1]
        assert last is not None
        return places, features, self.whole(torch.cat([places[-1], last.to(points.dtype)], dim=-1)).max(dim=1).values

    def with_penalty(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and what training adds to the loss: nothing."""
        return self.forward(points), points.new_zeros(())
