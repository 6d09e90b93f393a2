"""The multi-scale semantic tri-plane (paper section 3.1), in projected form.

The paper upsamples every block's channels to the last resolution R, concatenates them to C_total channels, reads them at a point on
three planes and sums; the decoder starts with a linear layer W [64, C_total]. Upsampling, reading, summing and W are all linear, so
here each scale goes through its own slice of W first, at its own small resolution:

    hidden(x) = sum_p bilinear_p( sum_s up(W_ps (F_s - mean_s) / std_s), x )

One subject leaves 64 channels a plane, whatever C_total is (224 to 2,944).

Convention: upsampling is bilinear, corners not aligned, rim texels repeated; a plane reads zero outside the box.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.backbone.protocols import SemanticSource, TapFinder
from dnerf_core.backbone.specs import SourceSpec
from dnerf_core.errors import UsageError
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.layers import random_parameter

MIN_RELATIVE_STD = 0.05
"""Floor of a channel's standard deviation, relative to the median of its scale: a dead channel must not become loud."""


@dataclass(frozen=True)
class ProjectedPlanes:
    """The semantic tri-plane of B subjects after the decoder's first linear layer.

    Attributes:
        table: [B, R*R*P, 64]; row (i*R + j)*P + p is texel (row i, column j) of plane p. Channels lie together, so that a point's
            read is a few whole rows.
        resolution: R.
        finder: where points read of one subject's rows.
    """

    table: Tensor
    resolution: int
    finder: TapFinder


def upsampling_matrix(size: int, resolution: int, like: Tensor) -> Tensor:
    """Bilinear upsampling of one axis as a matrix [resolution, size] (corners not aligned, rim repeated)."""
    identity = torch.eye(size, dtype=like.dtype, device=like.device)
    return F.interpolate(identity[None], size=resolution, mode="linear", align_corners=False)[0].t()


def upsample_sum(scales: Sequence[Tensor], resolution: int) -> Tensor:
    """Sum over scales [B, s, s, N] of their bilinear upsampling to [B, R, R, N].

    Rows first, each scale by itself; then the columns of all scales in one product, which adds them up.
    """
    total: Tensor | None = None
    matrices, rows = [], []
    for scale in scales:
        batch, size, _, channels = scale.shape
        if size == resolution:
            total = scale if total is None else total + scale
            continue
        matrix = upsampling_matrix(size, resolution, scale)
        matrices.append(matrix)
        rows.append((matrix @ scale.reshape(batch, size, size * channels)).reshape(batch, resolution, size, channels))
    if rows:
        columns = torch.cat(rows, dim=2).flatten(0, 1)  # [B R, sum of sizes, N]
        matrix = torch.cat(matrices, dim=1).expand(len(columns), -1, -1)
        if total is None:
            return torch.bmm(matrix, columns).unflatten(0, (-1, resolution))
        return torch.baddbmm(total.flatten(0, 1), matrix, columns).unflatten(0, (-1, resolution))
    assert total is not None
    return total


class SemanticTriplane(nn.Module):
    """Projection of every block's output to 64 hidden channels a plane.

    State: `weight.<r>` of every scale r, [P*64, c(r)] for "features" and [64, plane_channels] for "planes", and the input statistics
    `mean_<r>` and `std_<r>`, one number a channel, measured once before training.
    """

    def __init__(self, config: SemanticConfig, source: SourceSpec, rng: torch.Generator) -> None:
        """Raises:
        UsageError: a scale that the generator has no block of.
        """
        super().__init__()
        blocks = source.scales
        self.scales = blocks if config.scales is None else tuple(sorted(set(config.scales)))
        if not self.scales or not set(self.scales) <= set(blocks):
            raise UsageError(
                f"semantic scales: expected some of {list(blocks)}, found {list(self.scales)}; name block resolutions"
            )
        self.block_index = {resolution: index for index, resolution in enumerate(blocks)}
        self.kind, self.hidden_dim = config.feature_kind, config.hidden_dim
        self.num_planes, self.plane_channels, self.resolution = source.num_planes, source.plane_channels, source.resolution
        self.weight = nn.ParameterDict()
        total = 0
        for scale in self.scales:
            wide = source.channels(scale) if self.kind == "features" else self.num_planes * self.plane_channels
            if self.kind == "features":
                self.weight[str(scale)] = random_parameter(rng, self.num_planes * self.hidden_dim, wide)
            else:
                self.weight[str(scale)] = random_parameter(rng, self.hidden_dim, self.plane_channels)
            self.register_buffer(f"mean_{scale}", torch.zeros(wide))
            self.register_buffer(f"std_{scale}", torch.ones(wide))
            total += wide if self.kind == "features" else self.plane_channels
        self.total_channels = total
        # inputs have unit variance and a point sums all channels of all planes
        self.gain = 1 / math.sqrt(total * self.num_planes)

    def inputs(self, source: SemanticSource) -> list[Tensor]:
        """The pictures that this branch reads, [B, s, s, c] a scale (channels last; views where they can be)."""
        maps = source.maps(self.kind)
        return [maps[self.block_index[scale]].permute(0, 2, 3, 1) for scale in self.scales]

    def statistics(self, scale: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [c] of a scale's channels."""
        mean, std = getattr(self, f"mean_{scale}"), getattr(self, f"std_{scale}")
        return mean, std

    @torch.no_grad()
    def measure(self, subjects: Iterable[Sequence[Tensor]]) -> None:
        """Set the input statistics to those of `subjects`, each what `inputs` gave; they are read one after the other."""
        texels = [0] * len(self.scales)
        sums: list[Tensor | float] = [0.0] * len(self.scales)
        squares: list[Tensor | float] = [0.0] * len(self.scales)
        for inputs in subjects:
            for index, x in enumerate(inputs):
                wide = x.reshape(-1, x.shape[-1]).double()
                texels[index] += wide.shape[0]
                sums[index] = sums[index] + wide.sum(dim=0)
                squares[index] = squares[index] + wide.square().sum(dim=0)
        for scale, count, total, square in zip(self.scales, texels, sums, squares, strict=True):
            mean = torch.as_tensor(total) / count
            std = (torch.as_tensor(square) / count - mean.square()).clamp_min(0).sqrt()
            median = float(std.median())
            std = std.clamp_min(MIN_RELATIVE_STD * median if median > 0 else 1.0)
            for own, measured in zip(self.statistics(scale), (mean, std), strict=True):
                own.copy_(measured.to(own.dtype))

    def normalize(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """(F - mean) / std of what `inputs` gave."""
        out = []
        for scale, x in zip(self.scales, inputs, strict=True):
            mean, std = self.statistics(scale)
            out.append((x - mean) / std)
        return out

    def project(self, inputs: Sequence[Tensor], *, normalized: bool = False) -> Tensor:
        """The table of `ProjectedPlanes` of B subjects, differentiable in the weights and the inputs.

        Args:
            inputs: [B, s, s, c] a scale, from `inputs`.
            normalized: they went through `normalize` already.
        """
        projected = [self._project_scale(scale, x, normalized) for scale, x in zip(self.scales, inputs, strict=True)]
        planes = upsample_sum(projected, self.resolution)
        return planes.reshape(planes.shape[0], -1, self.hidden_dim)

    def _project_scale(self, scale: int, x: Tensor, normalized: bool) -> Tensor:
        """[B, s, s, c] -> [B, s, s, P*64], plane by plane."""
        batch, size = x.shape[:2]
        weight = self.weight[str(scale)] * self.gain
        mean, std = self.statistics(scale)
        # flat texels: a channels-first picture enters the product transposed, without a copy
        texels = x.reshape(batch, size * size, -1) if x.is_contiguous() else x.permute(0, 3, 1, 2).flatten(2).transpose(1, 2)
        if self.kind == "features":
            if normalized:
                return (texels @ weight.t()).reshape(batch, size, size, -1)
            scaled = weight / std
            # the constant belongs to the texels, not to the point: outside the box a plane reads zero
            constant = -(scaled @ mean)
            if batch == 1:  # one product that starts from the constant; also of a transposed picture, without a copy
                return torch.addmm(constant, texels[0], scaled.t()).reshape(1, size, size, -1)
            return (texels @ scaled.t() + constant).reshape(batch, size, size, -1)
        if not normalized:
            texels = (texels - mean) / std
        split = texels.reshape(batch, size * size, self.num_planes, self.plane_channels)
        return (split @ weight.t()).reshape(batch, size, size, -1)


def read_table(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums [N, 64] of rows [N, T] of table [L, 64], differentiable in the table and the weights."""
    return F.embedding_bag(rows, table, per_sample_weights=weights.to(table.dtype), mode="sum")
