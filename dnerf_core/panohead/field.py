"""The radiance field of tri-grids, as the callables the renderer takes."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.panohead.config import TrigridConfig
from dnerf_core.panohead.decoder import GridDecoder
from dnerf_core.panohead.trigrid import grid_table, sample_grids

CROPPED = -1000.0
"""Raw density of what pictures do not show."""


def is_cropped(x: Tensor, z: Tensor, config: TrigridConfig) -> Tensor:
    """Whether points at world coordinates x and z [N] lie nearer to the box's faces along x or z than `crop_margin`, or outside."""
    limit = config.box_warp / 2 - config.crop_margin
    return (x.abs() > limit) | (z.abs() > limit)


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
        raw = self.shape_density(points, subject)
        return torch.where(is_cropped(points[:, 0], points[:, 2], self.config), torch.full_like(raw, CROPPED), raw)

    def colors(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Colour features [N, C]."""
        return self.decoder.colors(self.features(points, subject))
