"""A view of any family's subjects, volume-rendered in whole: every sample of both passes is read. Differentiable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.volume import RayBundle, RaySamples, composite, sample_rays

if TYPE_CHECKING:
    from dnerf_core.backbone.protocols import Backbone, Planes, RawPicture, RayLimits

RAYS_PER_CHUNK = 4096
"""Rays rendered at once: bounds memory to about 0.5 GB at 96 samples."""


@dataclass(frozen=True)
class Rendering:
    """A volume rendering at neural resolution R.

    Attributes:
        picture: after the family's epilogue; None where colours were left out.
        distance: [B, R, R] along the unit ray, world units; +inf where a ray misses what there is to sample.
        opacity: [B, R, R] in [0, 1].
    """

    picture: RawPicture | None
    distance: Tensor
    opacity: Tensor

    @property
    def raw(self) -> RawPicture:
        """The picture, of a rendering with colours."""
        assert self.picture is not None
        return self.picture


def bundle_rays(origins: Tensor, directions: Tensor, limits: RayLimits, subjects: int) -> RayBundle:
    """Rays [B, N, 3] as a bundle of B * N; ray (b, n) shows subject b of B, or the only one."""
    batch, count = origins.shape[:2]
    subject = torch.arange(batch, device=origins.device).repeat_interleave(count) if subjects > 1 else None
    flat_origins, flat_directions = origins.reshape(-1, 3), directions.reshape(-1, 3)
    return RayBundle(flat_origins, flat_directions, limits.start, limits.end, subject, limits.void_outside, limits.within)


def ray_bundle(backbone: Backbone[Any], planes: Planes, view: ViewRays) -> tuple[RayBundle, Tensor]:
    """Rays of B views with their sampling limits, M = B * N, and which of them are worth sampling (bool [M])."""
    limits = backbone.limits(view, planes)
    return bundle_rays(view.origins, view.directions, limits, len(planes)), limits.hit


def render_view(
    backbone: Backbone[Any],
    planes: Planes,
    cam2world: Tensor,
    intrinsics: Tensor,
    resolution: int | None = None,
    *,
    generator: torch.Generator | None = None,
    epsilon: float | None = None,
    colors: bool = True,
    observe: Callable[[RayBundle, RaySamples, Tensor], None] | None = None,
    pixel: Tensor | None = None,
) -> Rendering:
    """Volume-render B subjects, or one, from B cameras.

    Args:
        cam2world, intrinsics: [B, 4, 4] and [B, 3, 3] (OpenCV axes; normalised).
        resolution: side in pixels; None: the config's neural resolution.
        generator: random stratified sampling (training); None: midpoints.
        epsilon: see `volume.composite`; None is exact.
        colors: False leaves the colours out.
        observe: called with each piece of rays, their samples, and which rays of the picture they are (int64, increasing), so
            that another branch can share the density pass.
        pixel: int64 [N], increasing, of one view: the only pixels to render, others stay empty; None: all.
    """
    config = backbone.config
    side, batch = resolution or config.rays.neural_resolution, cam2world.shape[0]
    rays, hit = ray_bundle(backbone, planes, ViewRays.from_cameras(cam2world, intrinsics, side, pixel))
    field, met = backbone.field(planes), hit.nonzero()[:, 0]
    index = met if pixel is None else pixel[met]
    pieces, seen = [], []
    for chosen, part in zip(met.split(RAYS_PER_CHUNK), index.split(RAYS_PER_CHUNK), strict=True):
        bundle = rays.select(chosen)
        samples = sample_rays(field.raw_density, bundle, config.rays.samples_coarse, config.rays.samples_fine, generator)
        pieces.append(samples)
        if colors:
            seen.append(composite(field.colors, bundle, samples, epsilon))
        if observe is not None:
            observe(bundle, samples, part)
    count, like = batch * side**2, rays.start
    opacity, distance = like.new_zeros(count), like.new_full((count,), torch.inf)
    low, high = like.new_full((count,), torch.inf), like.new_full((count,), -torch.inf)
    if len(index):
        opacity = opacity.index_copy(0, index, torch.cat([piece.opacity for piece in pieces]))
        distance = distance.index_copy(0, index, torch.cat([piece.distance for piece in pieces]))
        low = low.index_copy(0, index, torch.cat([piece.distances[:, 0] for piece in pieces]))
        high = high.index_copy(0, index, torch.cat([piece.distances[:, -1] for piece in pieces]))
    picture = None
    if colors:
        color = like.new_zeros(count, config.feature_channels)
        color = color.index_copy(0, index, torch.cat(seen)) if len(index) else color
        picture = backbone.compose(color, opacity, planes, side)
    # clamped within each image, so that a view never depends on the batch it was rendered in
    distance = distance.reshape(batch, -1)
    clamped = torch.minimum(
        torch.maximum(distance, low.reshape(batch, -1).amin(1, keepdim=True)), high.reshape(batch, -1).amax(1, keepdim=True)
    )
    sampled = hit if pixel is None else hit.new_zeros(count).index_fill(0, index, value=True)
    distance = torch.where(sampled.reshape(batch, -1), clamped, distance)
    square = (batch, side, side)
    return Rendering(picture, distance.reshape(square), opacity.reshape(square))
