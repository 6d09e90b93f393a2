"""The semantic branch: projected tri-plane -> raw semantic map -> full-size class scores (paper sections 3.1 and 3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.backbone.protocols import Backbone, Planes, SemanticSource
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.rendering.segments import segment_sum, segment_total
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.layers import random_parameter
from dnerf_core.semantic.refiner import Refiner
from dnerf_core.semantic.triplane import ProjectedPlanes, SemanticTriplane, read_table
from dnerf_core.semantic.visibility import VisibleSamples, density_pass, own_weights

BACKGROUND_SCORE = 4.0
"""First score of class 0 where nothing is hit; the others start at 0."""


@dataclass(frozen=True)
class SemanticMaps:
    """The volume-rendered semantic maps of B views.

    Attributes:
        scores: raw class scores [B, C, R, R], before softmax.
        features: [B, 32, R, R].
    """

    scores: Tensor
    features: Tensor


class SemanticBranch(nn.Module):
    """Everything that is trained; reads what a frozen generator of any family offers (`SemanticSource`), and its samples.

    The decoder is linear, softplus, linear. Its last layer commutes with compositing, so hidden activations h are composited and the
    layer runs once a ray: map = V sum_i w_i h_i + (sum_i w_i) b + (1 - sum_i w_i) background, `background` a learned vector.
    """

    def __init__(self, config: SemanticConfig, generator: BackboneConfig, seed: int = 0) -> None:
        """A fresh branch for generators of that config; its first weights come from `seed`."""
        super().__init__()
        self.config, self.generator_config = config, generator
        rng = torch.Generator().manual_seed(seed)
        hidden, out = config.hidden_dim, config.num_classes + config.feature_dim
        self.triplane = SemanticTriplane(config, generator.source, rng)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.out_weight = random_parameter(rng, out, hidden)
        self.out_bias = nn.Parameter(torch.zeros(out))
        background = torch.zeros(out)
        background[0] = BACKGROUND_SCORE
        self.background = nn.Parameter(background)
        if not config.density_prior:
            self.density_weight = random_parameter(rng, hidden)
            self.density_bias = nn.Parameter(torch.zeros(()))
        self.out_gain = 1 / math.sqrt(hidden)
        self.refiner = Refiner(config, generator, rng)

    def project(self, source: SemanticSource) -> ProjectedPlanes:
        """The semantic tri-plane of B subjects, once a subject; every view of it reads this."""
        return ProjectedPlanes(self.triplane.project(self.triplane.inputs(source)), self.triplane.resolution, source.finder)

    def hidden(self, read: Tensor) -> Tensor:
        """Hidden activations [K, 64] of what points read of the projected planes [K, 64]."""
        return F.softplus(read + self.hidden_bias)

    def decode(self, projected: ProjectedPlanes, points: Tensor, subject: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Class scores [K, C] and features [K, 32] of single points [K, 3] of subjects [K] (None: the only one)."""
        out = F.linear(self._hidden_at(projected, points, subject), self.out_weight * self.out_gain, self.out_bias)
        return out[:, : self.config.num_classes], out[:, self.config.num_classes :]

    def maps(self, projected: ProjectedPlanes, visible: VisibleSamples) -> SemanticMaps:
        """Raw semantic maps of B views: view b shows subject b of `projected`, or its only subject."""
        subjects = projected.table.shape[0]
        subject = None if subjects == 1 else visible.ray.div(visible.resolution**2, rounding_mode="floor")
        return self.composite(self._hidden_at(projected, visible.points, subject), visible)

    def composite(self, hidden: Tensor, visible: VisibleSamples) -> SemanticMaps:
        """Raw semantic maps of hidden activations [K, 64] at the samples."""
        return self.maps_of_sums(*self.ray_sums(hidden, visible), visible.views)

    def ray_sums(self, hidden: Tensor, visible: VisibleSamples) -> tuple[Tensor, Tensor]:
        """Composited hidden activations [M, 64] and opacity [M] of every ray of the picture, from those [K, 64] at the samples."""
        weight = visible.weight
        if visible.distances is not None:
            gain = 1 / math.sqrt(self.config.hidden_dim)
            raw = hidden @ (self.density_weight * gain) + self.density_bias
            weight = own_weights(visible.distances, raw.reshape(visible.distances.shape)).flatten()
        return sums_of_rays(hidden, weight, visible.ray, visible.num_rays)

    def maps_of_sums(self, sums: Tensor, opacity: Tensor, views: int) -> SemanticMaps:
        """Raw semantic maps of the rays of B square views, see `ray_sums`."""
        side = math.isqrt(len(opacity) // views)
        return self.split_map(self.map_of_sums(sums, opacity).reshape(views, side, side, -1).permute(0, 3, 1, 2))

    def map_of_sums(self, sums: Tensor, opacity: Tensor) -> Tensor:
        """Scores and features [M, C + 32] of M rays' composited hidden activations [M, 64] and opacities [M]: the decoder's last layer."""
        seen = opacity[:, None]
        return sums @ (self.out_weight * self.out_gain).t() + seen * self.out_bias + (1 - seen) * self.background

    @torch.no_grad()
    def shift_scores(self, shift: Tensor) -> None:
        """Add a number for each class [C] to the class scores of every pixel of every view."""
        if self.refiner.kind == "light":
            self.refiner.out.bias.add_(shift)
            return
        for scores in (self.out_bias, self.background):  # a ray's map is a mean of both
            scores[: self.config.num_classes] += shift

    def split_map(self, out: Tensor) -> SemanticMaps:
        """Maps of B views from scores and features [B, C + 32, R, R]."""
        return SemanticMaps(out[:, : self.config.num_classes], out[:, self.config.num_classes :])

    def refine(self, maps: SemanticMaps, guide_image: Tensor | None = None, full_size: int | None = None) -> Tensor:
        """Full-size class scores [B, C, S, S]; `guide_image` as `config.refiner.guide` asks, and `full_size` as in `Refiner.forward`."""
        scores: Tensor = self.refiner(maps.scores, maps.features, guide_image, full_size)
        return scores

    def render(
        self,
        backbone: Backbone[Any],
        planes: Planes,
        cam2world: Tensor,
        intrinsics: Tensor,
        resolution: int | None = None,
        guide_image: Tensor | None = None,
    ) -> Tensor:
        """Full-size class scores [B, C, S, S] of B subjects, one camera each, with a density pass of its own.

        A caller that renders the RGB image too shares one density pass: `visible_samples`, `maps`, `refine`.
        """
        side = resolution or backbone.config.rays.neural_resolution
        visible = density_pass(backbone, planes, cam2world, intrinsics, side, self.config)
        return self.refine(self.maps(self.project(backbone.source(planes)), visible), guide_image)

    def _hidden_at(self, projected: ProjectedPlanes, points: Tensor, subject: Tensor | None) -> Tensor:
        rows, weights = projected.finder(points, subject)
        table = projected.table
        if subject is not None:
            rows = rows + subject[:, None] * table.shape[1]
        return self.hidden(read_table(table.reshape(-1, table.shape[-1]), rows, weights))


def sums_of_rays(hidden: Tensor, weight: Tensor, ray: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Weighted sums [count, 64] of hidden activations [K, 64] a ray, and the sums [count] of weights [K]; differentiable in both.

    Args:
        ray: int64 [K], not decreasing, each in 0 .. count - 1.
    """
    # on CUDA index_add adds by atomics, and views are to be the same on every run
    if hidden.is_cuda and not torch.is_grad_enabled():
        return segment_sum(hidden, weight, ray, count), segment_total(weight, ray, count)
    sums = hidden.new_zeros(count, hidden.shape[1]).index_add(0, ray, hidden * weight[:, None])
    return sums, hidden.new_zeros(count).index_add(0, ray, weight)


def label_mask(scores: Tensor) -> Tensor:
    """The most probable class, uint8 [B, S, S], of class scores [B, C, S, S]; the first of equals."""
    return scores.max(dim=1).indices.to(torch.uint8)  # 12 times faster than argmax across channels, on a CPU


def uncertainty(scores: Tensor) -> Tensor:
    """Entropy of the class probabilities, float32 [B, S, S], as a share of log C, of class scores [B, C, S, S]: 0 certain, 1 all alike."""
    log_share = scores.float().log_softmax(dim=1)
    return (-(log_share.exp() * log_share).sum(dim=1) / math.log(scores.shape[1])).clamp(0, 1)
