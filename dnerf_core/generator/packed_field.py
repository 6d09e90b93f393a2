"""The radiance field of one subject, packed for inference: merged planes as one table, run-time gains folded into the decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.generator.config import TriplaneConfig
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.packed.planes import PackedPlanes, Taps
from dnerf_core.rendering.softplus import EXP_LIMIT, softplus_
from dnerf_core.rendering.triplane import AXIS
from dnerf_core.stylegan2.networks import FullyConnected

if TYPE_CHECKING:
    from dnerf_core.rendering.sample_reading import Samples


@dataclass(frozen=True)
class FoldedDecoder:
    """The decoder's two linear layers, transposed, gains and the mean over planes folded in.

    Attributes:
        first: [C, 64] and first_bias [64], of the SUM over planes.
        density: [64] and density_bias (0-d), the last layer's first row; color [64, C] and color_bias [C], its other rows.
    """

    first: Tensor
    first_bias: Tensor
    density: Tensor
    density_bias: Tensor
    color: Tensor
    color_bias: Tensor

    @classmethod
    def fold(cls, first: nn.Module, last: nn.Module, num_planes: int) -> FoldedDecoder:
        """From the layers of a decoder whose mean runs over `num_planes` planes."""
        assert isinstance(first, FullyConnected)
        assert isinstance(last, FullyConnected)
        weight, bias = last.weight * last.weight_gain, last.bias * last.bias_gain
        return cls(
            (first.weight.t() * (first.weight_gain / num_planes)).contiguous(),
            first.bias * first.bias_gain,
            weight[0].contiguous(),
            bias[0],
            weight[1:].t().contiguous(),
            bias[1:].contiguous(),
        )

    def hidden(self, features: Tensor) -> Tensor:
        """Hidden activations [N, 64] of summed plane features [N, C]."""
        return softplus_(torch.addmm(self.first_bias, features, self.first))

    def raw_density(self, hidden: Tensor) -> Tensor:
        """Raw density [...] of hidden activations [..., 64]."""
        return hidden @ self.density + self.density_bias

    def colors(self, hidden: Tensor) -> Tensor:
        """Colour features [N, C], in (-0.001, 1.001)."""
        return torch.addmm(self.color_bias, hidden, self.color).sigmoid_().mul_(1.002).sub_(0.001)


@dataclass(frozen=True)
class PackedField:
    """The field: taps of a point, its hidden activations, and what follows from them.

    Attributes:
        plane_axes: of the planes before those that read the same coordinates were merged.
    """

    planes: PackedPlanes
    decoder: FoldedDecoder
    plane_axes: tuple[str, ...]

    @classmethod
    def pack(cls, planes: Tensor, decoder: FoldedDecoder, config: TriplaneConfig) -> PackedField:
        """From one subject's planes [1, P, C, R, R]."""
        packed = PackedPlanes.pack(planes[0].permute(0, 2, 3, 1), config.plane_axes, config.box_warp)
        return cls(packed, decoder, config.plane_axes)

    @property
    def color_channels(self) -> int:
        """Those of a plane."""
        return self.planes.table.shape[1]

    def taps(self, points: Tensor) -> Taps:
        """Taps of points [3, N], world frame."""
        return self.planes.taps(points)

    @property
    def color_activation(self) -> Literal["sigmoid"]:
        """See `kernels.fields.PlaneField`, as the next two."""
        return "sigmoid"

    def placed(self, samples: Samples) -> tuple[Samples, None]:
        """Samples as they are."""
        return samples, None

    def without_void(self, raw_density: Tensor, void: Tensor) -> Tensor:
        """Raw densities as they are: nothing is void."""
        return raw_density

    def table(self, pictures: Tensor) -> PackedPlanes:
        """Pictures [P, R, R, C] of the side of the planes, to be read with their taps."""
        return PackedPlanes.pack(pictures, self.plane_axes, self.planes.side)

    def hidden(self, taps: Taps) -> Tensor:
        """Hidden activations [N, 64] of points' taps."""
        return self.decoder.hidden(self.planes.read(taps))

    def raw_density(self, hidden: Tensor, taps: Taps) -> Tensor:
        """Raw density [N] of hidden activations."""
        return self.decoder.raw_density(hidden)

    def colors(self, hidden: Tensor) -> Tensor:
        """Colour features [N, C] of hidden activations."""
        return self.decoder.colors(hidden)

    def density_grid(self, nodes: int, longest_ray: float, inset: float | None) -> DensityGrid:
        """The subject's density grid with `nodes` nodes an axis.

        On a grid the sum over planes needs no read at each node: a plane's share of the first layer is one small picture, and
        node (z, y, x) adds up three of its texels by broadcasting.

        Args:
            longest_ray, inset: see `DensityGrid.build`.
        """
        side = self.planes.resolution + 2
        shares: dict[int, Tensor] = {}
        for plane, axes in zip(self.planes.table.view(len(self.planes.axes), side, side, -1), self.planes.axes, strict=True):
            # outside a face its two planes read zero and the third reads on, so the ring is zeros of each picture
            picture = F.pad(_at_nodes(plane[1:-1, 1:-1], nodes), (0, 0, 1, 1, 1, 1))
            share = picture @ self.decoder.first  # [height axis, width axis, 64]
            high, wide = 2 - AXIS[axes[1]], 2 - AXIS[axes[0]]  # where they stand in [z, y, x]
            share = share if high < wide else share.transpose(0, 1)
            missing = 3 - high - wide
            share = share.unsqueeze(missing)
            shares[missing] = shares[missing] + share if missing in shares else share
        width = nodes + 2
        raw = self.decoder.first_bias.new_empty(width, width, width)
        slabs = max(1, 2**14 // (width * width))  # keeps the hidden activations in the cache
        whole = [share if missing == 0 else None for missing, share in shares.items()]
        base = sum((share for share in whole if share is not None), self.decoder.first_bias).expand(1, width, width, -1)
        others = [share for missing, share in shares.items() if missing != 0]
        # no node's pre-activation exceeds the sum of its shares' highest, so the slabs need not look one by one
        bounded = base.is_cuda or (
            float(base.flatten(0, -2).amax(0).add(sum((o.flatten(0, -2).amax(0) for o in others), base.new_zeros(()))).amax())
            < EXP_LIMIT
        )
        for start in range(0, width, slabs):
            part = slice(start, min(start + slabs, width))
            hidden = base + others[0][part] if others else base.expand(part.stop - start, width, width, -1).clone()
            for share in others[1:]:
                hidden += share[part]
            raw[part] = self.decoder.raw_density(softplus_(hidden, bounded=bounded))
        return DensityGrid.build(raw, self.planes.side, longest_ray, inset)


def _at_nodes(picture: Tensor, nodes: int) -> Tensor:
    """What bilinear reads [nodes, nodes, C] of a picture [R, R, C] at the centres of `nodes` equal cells a side."""
    step, rest = divmod(picture.shape[0], nodes)
    if rest == 0 and step % 2 == 0:  # a centre is the common corner of four texels
        low, high = (slice(offset, None, step) for offset in (step // 2 - 1, step // 2))
        return (picture[low, low] + picture[low, high] + picture[high, low] + picture[high, high]) / 4
    if rest == 0:
        middle = slice(step // 2, None, step)
        return picture[middle, middle].contiguous()
    centres = (torch.arange(nodes, dtype=picture.dtype, device=picture.device) + 0.5) * (2 / nodes) - 1
    down, across = torch.meshgrid(centres, centres, indexing="ij")
    read = F.grid_sample(picture.permute(2, 0, 1)[None], torch.stack([across, down], dim=-1)[None], align_corners=False)
    return read[0].permute(1, 2, 0).contiguous()
