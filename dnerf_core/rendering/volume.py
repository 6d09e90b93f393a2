"""Two-pass volume rendering of any field: densities first, then values only where they are seen.

The field comes in as callables, so nothing here knows a network: `density(points [N, 3], subject [N] | None) -> raw [N]` and
`values(points, subject) -> [N, C]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.rendering.compositing import composite_distance, interval_weights, sample_weights
from dnerf_core.rendering.sampling import importance_distances, midpoints, stratified_distances

PointFunction = Callable[[Tensor, Tensor | None], Tensor]

VOID = 1000.0
"""What is taken off a raw density where nothing counts: no light is stopped there, nor half way to a neighbour that is not void."""


@dataclass(frozen=True)
class RayBundle:
    """M rays, each with the stretch that is sampled.

    Attributes:
        origins, directions: [M, 3], world frame; directions of unit length.
        start, end: [M], along the ray.
        subject: int64 [M], which subject each shows; None: the only one.
        void_outside: whether nothing counts before `start` and past `end`.
        within: [M] and [M], distances that take their place there; None: none do.
    """

    origins: Tensor
    directions: Tensor
    start: Tensor
    end: Tensor
    subject: Tensor | None = None
    void_outside: bool = False
    within: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return self.origins.shape[0]

    def select(self, keep: Tensor | slice) -> RayBundle:
        """The rays that `keep` (index, mask or slice) names."""
        subject = None if self.subject is None else self.subject[keep]
        within = None if self.within is None else (self.within[0][keep], self.within[1][keep])
        start, end = self.start[keep], self.end[keep]
        return RayBundle(self.origins[keep], self.directions[keep], start, end, subject, self.void_outside, within)

    def points(self, distances: Tensor) -> Tensor:
        """World points [M, S, 3] at distances [M, S]."""
        return self.origins[:, None] + distances[..., None] * self.directions[:, None]

    def counted(self, distances: Tensor, raw_density: Tensor, ray: Tensor | None = None) -> Tensor:
        """Raw densities [L, S] at distances [L, S], with what lies outside the limits voided where it does not count.

        Args:
            ray: int64 [L], which ray each row is of; None: all M, in order.
        """
        if not self.void_outside:
            return raw_density
        start, end = self.within or (self.start, self.end)
        if ray is not None:
            start, end = start[ray], end[ray]
        outside = (distances < start[:, None]) | (distances > end[:, None])
        return torch.where(outside, raw_density - VOID, raw_density)


@dataclass(frozen=True)
class RaySamples:
    """What the density pass leaves: sample distances [M, S] (increasing) and interval weights [M, S - 1]."""

    distances: Tensor
    weights: Tensor

    @property
    def opacity(self) -> Tensor:
        """Sum of weights [M], at most 1."""
        return self.weights.sum(dim=-1)

    @property
    def distance(self) -> Tensor:
        """Expected distance [M] along the ray, +inf where there is nothing."""
        return composite_distance(self.weights, self.distances)


def sample_rays(
    density: PointFunction,
    rays: RayBundle,
    samples_coarse: int,
    samples_fine: int,
    generator: torch.Generator | None = None,
) -> RaySamples:
    """Stratified then importance sampling, densities only (EG3D section 4.1); see `sample_densities` for the arguments."""
    distances, raw = sample_densities(density, rays, samples_coarse, samples_fine, generator)
    return RaySamples(distances, interval_weights(distances, raw))


def sample_densities(
    density: PointFunction,
    rays: RayBundle,
    samples_coarse: int,
    samples_fine: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Distances (increasing) and raw densities [M, S] of both passes' samples along M rays.

    Args:
        samples_coarse, samples_fine: samples a ray of each pass; with `samples_fine` 0 there is one pass.
        generator: source of the random offsets (training); None: bin midpoints (inference, deterministic).
    """
    count = len(rays)
    like = rays.start
    if generator is None:
        jitter: Tensor | float = 0.5
        u = midpoints(samples_fine, like)
    else:
        jitter = torch.rand(count, samples_coarse, generator=generator, device=like.device, dtype=like.dtype)
        u = torch.rand(count, samples_fine, generator=generator, device=like.device, dtype=like.dtype)
    distances = stratified_distances(rays.start, rays.end, samples_coarse, jitter)
    raw = rays.counted(distances, _at_samples(density, rays, distances))
    if samples_fine:
        coarse_weights = interval_weights(distances.detach(), raw.detach())
        fine = importance_distances(distances.detach(), coarse_weights, u)
        raw_fine = rays.counted(fine, _at_samples(density, rays, fine))
        distances, order = torch.cat([distances, fine], dim=1).sort(dim=1, stable=True)
        raw = torch.cat([raw, raw_fine], dim=1).gather(1, order)
    return distances, raw


def composite(values: PointFunction, rays: RayBundle, samples: RaySamples, epsilon: float | None = None) -> Tensor:
    """Weighted sum [M, C] of a field's values along each ray.

    Args:
        epsilon: values are read only where a sample's own weight exceeds it; None reads all. What is left out of a ray is
            at most epsilon times its number of samples times the largest value (values are not renormalised).
    """
    weights = sample_weights(samples.weights)
    if epsilon is None:
        dense = _at_samples(values, rays, samples.distances)
        return (weights[..., None] * dense).sum(dim=1)
    ray, sample = (weights.detach() > epsilon).nonzero(as_tuple=True)
    points = rays.origins[ray] + samples.distances[ray, sample, None] * rays.directions[ray]
    read = values(points, None if rays.subject is None else rays.subject[ray])
    out = read.new_zeros(len(rays), read.shape[-1])
    return out.index_add(0, ray, read * weights[ray, sample, None].to(read.dtype))


def _at_samples(function: PointFunction, rays: RayBundle, distances: Tensor) -> Tensor:
    """Call a point function at every sample: [M, S] or [M, S, C]."""
    count, samples = distances.shape
    subject = None if rays.subject is None else rays.subject.repeat_interleave(samples)
    out = function(rays.points(distances).reshape(-1, 3), subject)
    return out.reshape(count, samples, *out.shape[1:])
