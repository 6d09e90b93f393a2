"""Which points of a view the semantic decoder has to look at, from the RGB branch's density pass."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import Backbone, Planes
from dnerf_core.rendering.compositing import interval_weights, sample_weights
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import RAYS_PER_CHUNK, ray_bundle
from dnerf_core.rendering.volume import RayBundle, RaySamples, sample_rays
from dnerf_core.semantic.config import SemanticConfig


@dataclass(frozen=True)
class VisibleSamples:
    """Points along the rays of B views at raw resolution R; ray index = (b*R + i)*R + j.

    Attributes:
        views: B; resolution: R.
        ray: int64 [K], increasing.
        points: [K, 3], world frame.
        weight: [K], the RGB branch's; a ray's weights sum to its opacity.
        distances: [M, S] along the ray when the branch has its own density (then K = M*S and every sample is here); else None.
    """

    views: int
    resolution: int
    ray: Tensor
    points: Tensor
    weight: Tensor
    distances: Tensor | None = None

    @property
    def num_rays(self) -> int:
        """B * R * R."""
        return self.views * self.resolution**2

    def split(self, size: int) -> list[VisibleSamples]:
        """Pieces of about `size` samples, in order; a ray with distances is never cut."""
        per_ray = 1 if self.distances is None else self.distances.shape[1]
        whole = max(1, size // per_ray) * per_ray
        distances = repeat(None) if self.distances is None else self.distances.split(whole // per_ray)
        pieces = zip(self.ray.split(whole), self.points.split(whole), self.weight.split(whole), distances, strict=False)
        return [VisibleSamples(self.views, self.resolution, *piece) for piece in pieces]


def visible_samples(
    rays: RayBundle, samples: RaySamples, ray: Tensor, views: int, resolution: int, config: SemanticConfig
) -> VisibleSamples:
    """Pick the samples that a branch of `config` reads.

    With the density prior: those of weight above `weight_epsilon`, scaled up so that a ray keeps its opacity; a ray that has none
    counts as background. Without it: `density_samples` of a ray's samples, evenly picked.

    Args:
        rays, samples: M rays that were sampled.
        ray: int64 [M], which ray of the picture each is, increasing.
    """
    if not config.density_prior:
        count = samples.distances.shape[1]
        pick = torch.linspace(0, count - 1, min(config.density_samples, count), device=ray.device).round().long()
        distances = samples.distances[:, pick]
        points = rays.points(distances).reshape(-1, 3)
        every = ray.repeat_interleave(len(pick))
        return VisibleSamples(views, resolution, every, points, points.new_zeros(len(points)), distances)
    weights = sample_weights(samples.weights)
    kept = weights.detach() > config.weight_epsilon
    sums = (weights * kept).sum(dim=1)
    scale = samples.opacity / torch.where(sums > 0, sums, torch.ones_like(sums))
    row, sample = kept.nonzero(as_tuple=True)
    points = rays.origins[row] + samples.distances[row, sample, None] * rays.directions[row]
    return VisibleSamples(views, resolution, ray[row], points, weights[row, sample] * scale[row])


def join_visible(pieces: list[VisibleSamples]) -> VisibleSamples:
    """Pieces of one picture, in the order of their rays, as one."""
    first = pieces[0]
    distances = None if first.distances is None else torch.cat([p.distances for p in pieces if p.distances is not None])
    return VisibleSamples(
        first.views,
        first.resolution,
        torch.cat([p.ray for p in pieces]),
        torch.cat([p.points for p in pieces]),
        torch.cat([p.weight for p in pieces]),
        distances,
    )


def density_pass(
    backbone: Backbone[Any],
    planes: Planes,
    cam2world: Tensor,
    intrinsics: Tensor,
    resolution: int,
    config: SemanticConfig,
    pixel: Tensor | None = None,
) -> VisibleSamples:
    """The samples that a branch reads of B subjects, or of one, from B cameras, at bin midpoints.

    Args:
        cam2world, intrinsics: [B, 4, 4] and [B, 3, 3] (OpenCV axes; normalised).
        pixel: int64 [N], increasing, of one view: the only pixels to look at; None: all.
    """
    rays, hit = ray_bundle(backbone, planes, ViewRays.from_cameras(cam2world, intrinsics, resolution, pixel))
    field, settings = backbone.field(planes), backbone.config.rays
    pieces, met = [], hit.nonzero()[:, 0]
    index = met if pixel is None else pixel[met]
    for chosen, part in zip(met.split(RAYS_PER_CHUNK), index.split(RAYS_PER_CHUNK), strict=True):
        bundle = rays.select(chosen)
        samples = sample_rays(field.raw_density, bundle, settings.samples_coarse, settings.samples_fine)
        pieces.append(visible_samples(bundle, samples, part, cam2world.shape[0], resolution, config))
    return join_visible(pieces)


def own_weights(distances: Tensor, raw_density: Tensor) -> Tensor:
    """Sample weights [M, S] of a branch's own raw density [M, S] at distances [M, S]."""
    return sample_weights(interval_weights(distances, raw_density))
