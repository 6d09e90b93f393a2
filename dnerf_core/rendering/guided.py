"""Which samples of a view have to be read, found with a subject's density grid instead of the coarse pass.

The sample distances are those of the two-pass scheme (`rendering.volume.sample_rays`) with the grid's density in place of the field's in
the coarse pass. Rays then fall into two kinds:

- *clear* rays meet little but one surface. Both passes' samples stay, and those that are empty, or hidden behind what the grid
  says is opaque, are not read: the grid's own density, which is all but zero or of no consequence there, stands in for them.
- *foggy* rays meet matter in more than `FOGGY_SHARE` of their coarse samples, so no sample could be left out. The importance
  samples follow their density already: they are read, the coarse ones are not; the two ends of the ray close the sum. (A grid may ask for
  some of the coarse ones too, see `DensityGrid.read_in_fog`.)

Error: a sample not read lies behind all but `HIDDEN_LIGHT` of the light, or all such samples together stop at most
`density_grid.EMPTY_OPACITY` of it, both as far as the grid resolves the field. Where it does not, samples not read may turn out to show
(a sample's weight is half of each interval beside it); `guided_view` finds those rays by the weights it has in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.rendering.compositing import estimated_weights
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.sampling import importance_distances, midpoints, stratified_distances
from dnerf_core.rendering.volume import RayBundle

HIDDEN_LIGHT = 1e-3
"""A sample is hidden where less than this share of the light gets through to the sample before the one before it."""

FOGGY_SHARE = 0.5
"""A ray is foggy where more than this share of its coarse samples is neither empty nor hidden."""

RAYS_PER_PIECE = 8192
"""Rays planned at once."""

FOGGY_RAYS_PER_PLAN = 1024
"""Foggy rays in one plan: their samples' hidden activations then keep near the processor."""


@dataclass(frozen=True)
class SamplePlan:
    """What has to be read of some rays.

    Attributes:
        ray: int64 [M], which ray of the bundle each row is.
        distances: [M, S], increasing, along the unit ray.
        estimate: [M, S], raw density as the grid has it.
        read: bool [M, S], the samples to be read; None: all of them.
    """

    ray: Tensor
    distances: Tensor
    estimate: Tensor
    read: Tensor | None

    def whole(self, rows: Tensor) -> SamplePlan:
        """The plan of some of its rows (an index), with all of their samples to be read."""
        return SamplePlan(self.ray[rows], self.distances[rows], self.estimate[rows], None)


def plan_samples(grid: DensityGrid, rays: RayBundle, samples_coarse: int, samples_fine: int) -> Iterator[SamplePlan]:
    """Plans that cover the rays of a bundle which can meet anything, a piece at a time.

    Args:
        samples_coarse, samples_fine: of the two-pass scheme.
    """
    origins, directions = rays.origins.t().contiguous(), rays.directions.t().contiguous()
    for first in range(0, len(rays), RAYS_PER_PIECE):
        piece = slice(first, min(first + RAYS_PER_PIECE, len(rays)))
        ray = torch.arange(piece.start, piece.stop, device=rays.start.device)
        o, d = origins[:, piece], directions[:, piece]
        coarse = stratified_distances(rays.start[piece], rays.end[piece], samples_coarse)
        estimate, bound = estimated_density(grid, rays, ray, o, d, coarse)
        weights, light = estimated_weights(coarse, estimate)
        worth = worth_reading(light, bound, grid.empty_below)
        if samples_fine == 0:
            yield SamplePlan(ray, coarse, estimate, worth)
            continue
        foggy = worth.sum(dim=1) > FOGGY_SHARE * samples_coarse
        for some in foggy.nonzero()[:, 0].split(FOGGY_RAYS_PER_PLAN):
            if len(some):
                fine = importance_distances(coarse[some], weights[some], midpoints(samples_fine, coarse))
                distances = torch.cat([coarse[some, :1], fine, coarse[some, -1:]], dim=1)
                if (also := grid.read_in_fog) is not None:
                    distances = torch.cat([distances, coarse[some, also]], dim=1).sort(dim=1).values
                yield SamplePlan(ray[some], distances, estimate[some, :1].expand_as(distances), None)
        clear = (~foggy).nonzero()[:, 0]
        if len(clear):
            near, raw, high, seen = (x if len(clear) == len(ray) else x[clear] for x in (coarse, estimate, bound, weights))
            fine = importance_distances(near, seen, midpoints(samples_fine, near))
            yield _clear_plan(grid, rays, o[:, clear], d[:, clear], ray[clear], near, raw, high, fine)


def _clear_plan(
    grid: DensityGrid,
    rays: RayBundle,
    o: Tensor,
    d: Tensor,
    ray: Tensor,
    coarse: Tensor,
    raw: Tensor,
    bound: Tensor,
    fine: Tensor,
) -> SamplePlan:
    fine_raw, fine_bound = estimated_density(grid, rays, ray, o, d, fine)
    distances, order = torch.cat([coarse, fine], dim=1).sort(dim=1, stable=True)
    estimate = torch.cat([raw, fine_raw], dim=1).gather(1, order)
    _, light = estimated_weights(distances, estimate)
    worth = worth_reading(light, torch.cat([bound, fine_bound], dim=1).gather(1, order), grid.empty_below)
    seen = worth.any(dim=1).nonzero()[:, 0]
    return SamplePlan(ray[seen], distances[seen], estimate[seen], worth[seen])


def worth_reading(light: Tensor, bound: Tensor, empty_below: float) -> Tensor:
    """bool [M, S] of the light that reaches each sample and upper estimates: neither empty nor hidden."""
    # the light that reaches the sample before the one before: a grid's surface may lie up to a cell too near
    return (F.pad(light[:, :-2], (2, 0), value=1.0) > HIDDEN_LIGHT) & (bound > empty_below)


def estimated_density(
    grid: DensityGrid, rays: RayBundle, ray: Tensor | None, origins: Tensor, directions: Tensor, distances: Tensor
) -> tuple[Tensor, Tensor]:
    """Raw density and its upper estimate, [M, S] each, at distances [M, S] of rays `ray` int64 [M] (None: all, in order).

    Args:
        origins, directions: [3, M], of those rays.
    """
    values, highest = grid.estimate(points_along(origins, directions, distances))
    estimate, bound = (rays.counted(distances, raw.view_as(distances), ray) for raw in (values, highest))
    return estimate, bound


def points_along(origins: Tensor, directions: Tensor, distances: Tensor) -> Tensor:
    """World points [3, M * S] of rays [3, M] at distances [M, S]."""
    return torch.addcmul(origins[:, :, None], directions[:, :, None], distances[None]).flatten(1)
