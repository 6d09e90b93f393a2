"""A volume rendering whose gradients are followed only where something is seen.

The densities of all samples are read without gradients first. Only samples of some weight, and their neighbours, are read again with
gradients: a ray has a handful of them, whatever its number of samples. To its raw density a sample contributes at most about its
weight, so what is left out is a few times `epsilon`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.rendering.compositing import interval_weights, sample_weights
from dnerf_core.rendering.volume import PointFunction, RayBundle, sample_densities
from dnerf_core.work.compaction import Room

EPSILON = 1e-3
RAYS_PER_PIECE = 4096
"""Rays whose densities are read at once: bounds memory."""

DensityAndValues = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""points [N, 3], subject [N] | None -> raw density [N], values [N, C]."""


@dataclass(frozen=True)
class VisibleRendering:
    """What M rays see, differentiable in the field and in the rays.

    Attributes:
        values: [M, C], composited.
        opacity: [M].
        ray: int64 [K], increasing, the ray of each sample that was read.
        points: [K, 3], world frame.
        weight: [K]; a ray's weights sum to about its opacity.
    """

    values: Tensor
    opacity: Tensor
    ray: Tensor
    points: Tensor
    weight: Tensor


def render_visible(
    density: PointFunction,
    both: DensityAndValues,
    rays: RayBundle,
    samples_coarse: int,
    samples_fine: int,
    epsilon: float = EPSILON,
    room: Room | None = None,
    hit: Tensor | None = None,
) -> VisibleRendering:
    """Composite a field along rays at bin midpoints; equal to `volume.composite` to a few `epsilon` a ray.

    Args:
        density: raw densities, called without gradients at every sample.
        both: raw densities and values, called with gradients at the samples that are seen.
        epsilon: weight above which a sample is seen.
        room: of a device, how many samples are read, so that the host need not wait to learn their number: what is too many has no weight
            and stands at the end. None: as many as are seen.
        hit: bool [M], rays that have anything to sample; None: all.
    """
    with torch.no_grad():
        pieces = [
            sample_densities(density, rays.select(part), samples_coarse, samples_fine)
            for part in torch.arange(len(rays), device=rays.start.device).split(RAYS_PER_PIECE)
        ]
        distances = torch.cat([piece[0] for piece in pieces])
        unfollowed = torch.cat([piece[1] for piece in pieces])
        seen = sample_weights(interval_weights(distances, unfollowed)) > epsilon
        # an interval's density is the mean of its ends', so both neighbours of a seen sample matter to it
        near = seen.clone()
        near[:, 1:] |= seen[:, :-1]
        near[:, :-1] |= seen[:, 1:]
        if hit is not None:
            near &= hit[:, None]
        if room is None:
            ray, sample = near.nonzero(as_tuple=True)
    if room is not None:
        return _followed(both, rays, distances, unfollowed, room.places(near.flatten()))
    points = rays.origins[ray] + distances[ray, sample, None] * rays.directions[ray]
    raw, values = both(points, None if rays.subject is None else rays.subject[ray])
    raw = rays.counted(distances[ray, sample, None], raw[:, None], ray)[:, 0]
    intervals = interval_weights(distances, unfollowed.index_put((ray, sample), raw))
    weight = sample_weights(intervals)[ray, sample]
    sums = values.new_zeros(len(rays), values.shape[-1]).index_add(0, ray, values * weight[:, None])
    return VisibleRendering(sums, intervals.sum(dim=1), ray, points, weight)


def _followed(both: DensityAndValues, rays: RayBundle, distances: Tensor, unfollowed: Tensor, place: Tensor) -> VisibleRendering:
    """The same of samples at places int64 [K] of the M * S, those at M * S none."""
    last = distances.numel() - 1
    there, own = place <= last, place.clamp_max(last)
    ray = own.div(distances.shape[1], rounding_mode="floor")
    along = distances.flatten()[own, None]
    points = rays.origins[ray] + along * rays.directions[ray]
    raw, values = both(points, None if rays.subject is None else rays.subject[ray])
    raw = rays.counted(along, raw[:, None], ray)[:, 0]
    spare = torch.cat([unfollowed.flatten(), unfollowed.new_zeros(1)])
    intervals = interval_weights(distances, spare.index_copy(0, place, raw)[:-1].view_as(distances))
    weight = torch.where(there, sample_weights(intervals).flatten()[own], 0.0)
    sums = values.new_zeros(len(rays), values.shape[-1]).index_add(0, ray, values * weight[:, None])
    return VisibleRendering(sums, intervals.sum(dim=1), ray, points, weight)
