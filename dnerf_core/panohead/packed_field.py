"""The radiance field of one subject's tri-grid, packed for inference, and its density grid, both cropped as pictures are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.generator.packed_field import FoldedDecoder
from dnerf_core.panohead.config import Activation, TrigridConfig
from dnerf_core.panohead.decoder import GridDecoder
from dnerf_core.panohead.field import CROPPED, crop_limit
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.packed.grids import GridTaps, PackedGrids
from dnerf_core.stylegan2.networks import LRELU_GAIN, LRELU_SLOPE

if TYPE_CHECKING:
    from dnerf_core.rendering.sample_reading import Samples

NODES_AT_ONCE = 2**16
"""Nodes of a density grid that are read at once: bounds memory."""


@dataclass(frozen=True)
class FoldedGridDecoder(FoldedDecoder):
    """A decoder with its gains and the mean over planes folded in, and its activation."""

    activation: Activation = "none"

    @classmethod
    def from_decoder(cls, decoder: GridDecoder, num_planes: int) -> FoldedGridDecoder:
        """From a decoder whose mean runs over `num_planes` planes."""
        return cls(**vars(FoldedDecoder.fold(decoder.net[0], decoder.net[2], num_planes)), activation=decoder.activation)

    def colors(self, hidden: Tensor) -> Tensor:
        """Colour features [N, C] of hidden activations; their range is the activation's."""
        if self.activation == "sigmoid":
            return super().colors(hidden)
        raw = torch.addmm(self.color_bias, hidden, self.color)
        return raw if self.activation == "none" else F.leaky_relu_(raw, LRELU_SLOPE).mul_(LRELU_GAIN)


@dataclass(frozen=True)
class CroppedGrid(DensityGrid):
    """A density grid of which nothing counts farther than `limit` from the middle along x or z, to the point and not to the cell."""

    limit: float = math.inf

    def estimate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N], trilinear, and the highest near by [N], at points [3, N] (world frame)."""
        values, highest = super().estimate(points)
        cropped = (points[0].abs() > self.limit) | (points[2].abs() > self.limit)
        return values.masked_fill(cropped, CROPPED), highest.masked_fill(cropped, CROPPED)

    @property
    def read_in_fog(self) -> slice:
        """Every second one: the colours are not kept within [0, 1], so a sum of few samples would be farther off, by a decibel."""
        return slice(1, None, 2)


@dataclass(frozen=True)
class PackedGridField:
    """The field: taps of a point, its hidden activations, and what follows from them."""

    grids: PackedGrids
    decoder: FoldedGridDecoder
    limit: float

    @classmethod
    def pack(cls, grids: Tensor, decoder: GridDecoder, config: TrigridConfig) -> PackedGridField:
        """From one subject's grids [1, P, C, D, R, R]."""
        pictures = grids[0].permute(0, 2, 3, 4, 1).flatten(0, 1)
        packed = PackedGrids.pack(pictures, config.plane_axes, config.box_warp)
        return cls(packed, FoldedGridDecoder.from_decoder(decoder, len(config.plane_axes)), crop_limit(config))

    @property
    def planes(self) -> PackedGrids:
        """The grids, as fused kernels ask for them; see `kernels.fields.PlaneField`, as the next three."""
        return self.grids

    @property
    def color_activation(self) -> Activation:
        """The decoder's."""
        return self.decoder.activation

    def placed(self, samples: Samples) -> tuple[Samples, Tensor]:
        """Samples as they are, and which of them pictures do not show."""
        points = samples.points()
        return samples, (points[0].abs() > self.limit) | (points[2].abs() > self.limit)

    def without_void(self, raw_density: Tensor, void: Tensor) -> Tensor:
        """Raw densities as pictures show them."""
        return raw_density.masked_fill_(void, CROPPED)

    @property
    def color_channels(self) -> int:
        """Those of a plane."""
        return self.grids.table.shape[1]

    def taps(self, points: Tensor) -> GridTaps:
        """Taps of points [3, N], world frame."""
        return self.grids.taps(points, self.limit)

    def hidden(self, taps: GridTaps) -> Tensor:
        """Hidden activations [N, 64] of points' taps."""
        return self.decoder.hidden(self.grids.read(taps))

    def raw_density(self, hidden: Tensor, taps: GridTaps) -> Tensor:
        """Raw density [N] as pictures show it."""
        return self.decoder.raw_density(hidden).masked_fill_(taps.cropped, CROPPED)

    def colors(self, hidden: Tensor) -> Tensor:
        """Colour features [N, C]."""
        return self.decoder.colors(hidden)

    def table(self, pictures: Tensor) -> PackedGrids:
        """Pictures [P * D, R, R, C], slice by slice of each plane, to be read with this field's taps."""
        return PackedGrids.pack(pictures, self.grids.axes, self.grids.side)

    def density_grid(self, nodes: int, longest_ray: float, inset: float | None) -> DensityGrid:
        """The density grid with `nodes` nodes an axis; see `DensityGrid.build`.

        A node up to a cell past the crop keeps the shape's density, so that the cells which the crop cuts are interpolated as the shape's
        are; `CroppedGrid.estimate` cuts them.
        """
        width, side = nodes + 2, self.grids.side
        like = self.grids.table
        # which nodes are near is worked out on the host, which has to know
        on_host, centres = (
            (torch.arange(width, dtype=like.dtype, device=device) - 0.5) * (side / nodes) - side / 2
            for device in ("cpu", like.device)
        )
        near = (on_host.abs() < self.limit + side / nodes).nonzero()[:, 0]
        low, high = int(near[0]), int(near[-1]) + 1
        raw = like.new_full((width, width, width), CROPPED)
        z, y, x = torch.meshgrid(centres[low:high], centres, centres[low:high], indexing="ij")
        points = torch.stack([x.flatten(), y.flatten(), z.flatten()])
        parts = [self.decoder.raw_density(self.hidden(self.taps(part))) for part in points.split(NODES_AT_ONCE, dim=1)]
        raw[low:high, :, low:high] = torch.cat(parts).view(z.shape)
        return CroppedGrid(**vars(DensityGrid.build(raw, side, longest_ray, inset)), limit=self.limit)
