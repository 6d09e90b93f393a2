"""The radiance field of tri-grids, as the callables the renderer takes."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.panohead.config import TrigridConfig
from dnerf_core.panohead.decoder import GridDecoder
from dnerf_core.panohead.trigrid import grid_table, sample_grids

CROPPED = -1000.0
"""Raw density of what pictures do not show."""


def crop_limit(config: TrigridConfig) -> float:
    """Distance from the middle along x and z beyond which pictures show nothing, world units."""
    return config.box_warp / 2 - config.crop_margin


class TrigridField:
    """The radiance field of a batch of subjects; `raw_density` is cropped as pictures are, `shape_density` is the whole shape's."""

    def __init__(self, grids: Tensor, decoder: GridDecoder, config: TrigridConfig) -> None:
        """grids [B, P, C, D, H, W]."""
        depth, height, width = grids.shape[-3:]
        self.table, self.size = grid_table(grids), (depth, height, width)
        self.decoder, self.config = decoder, config

    def features(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Mean features [N, C] at world points [N, 3] of subjects [N]."""
        axes, side = self.config.plane_axes, self.config.box_warp
        return sample_grids(self.table, points, subject, axes, side, self.size) / len(axes)

    def shape_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Raw density [N], whatever pictures show of it."""
        return self.decoder.raw_density(self.features(points, subject))

    def raw_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Raw density [N] as pictures show it."""
        return self._cropped(self.shape_density(points, subject), points)

    def colors(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Colour features [N, C]."""
        return self.decoder.colors(self.features(points, subject))

    def density_and_colors(self, points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both, of one read."""
        read = self.features(points, subject)
        return self._cropped(self.decoder.raw_density(read), points), self.decoder.colors(read)

    def _cropped(self, raw: Tensor, points: Tensor) -> Tensor:
        limit = crop_limit(self.config)
        cropped = (points[:, 0].abs() > limit) | (points[:, 2].abs() > limit)
        return torch.where(cropped, torch.full_like(raw, CROPPED), raw)
