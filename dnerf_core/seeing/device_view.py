"""A view on a device that is not asked how much is left: shapes follow from the picture's size, and what is read is compacted there.

The samples, and what is read of them, are those of `guided_view`: every ray is planned, and both kinds of ray stand in one table. Rows of
a foggy ray end in copies of its last sample, which have no length and so no weight; a ray that meets nothing has nothing to read, and keeps
the background. The host waits once, to learn how many samples are to be read. What is colour enough, or label enough, of these is told by
weights that are 0 elsewhere, and of the rays that lack light at most a share is read once more; `DeviceView.short` says where that was
too few.

Sums run over a ray's samples in their order, and zeros add nothing, so no result depends on how a view is cut into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import SubjectField
from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.rendering.compositing import composite_distance, estimated_weights, interval_weights, sample_weights
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided import FOGGY_SHARE, estimated_density, worth_reading
from dnerf_core.rendering.guided_view import UNREAD_WEIGHT, VALUE_EPSILON, GuidedPixels
from dnerf_core.rendering.sample_reading import SampleReader, Samples, TorchSamples
from dnerf_core.rendering.sampling import importance_distances, midpoints, stratified_distances
from dnerf_core.rendering.segments import segment_total
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.work.compaction import true_places
from dnerf_core.work.interruption import checkpoint

RAYS_PER_PIECE = 2**15
"""Rays of one piece: bounds memory, to about a gigabyte in fog."""

LACKING_SHARE = 64
"""One ray in so many may be read once more, in whole, without a further wait; the embedded cars' worst view has one in 480."""


@dataclass(frozen=True)
class RayPlan:
    """What has to be read of M rays.

    Attributes:
        rays: these.
        distances: [M, S], not decreasing, along the unit ray.
        estimate: [M, S], raw density as the grid has it.
        read: bool [M, S], the samples to be read.
        seen: bool [M], rays that are not background.
        clear: bool [M], rays of which samples were ruled out.
    """

    rays: RayBundle
    distances: Tensor
    estimate: Tensor
    read: Tensor
    seen: Tensor
    clear: Tensor


@dataclass(frozen=True)
class DeviceView:
    """What N pixels show, and whether more rays lacked light than were read once more (bool, 0-d)."""

    pixels: GuidedPixels
    short: Tensor


def plan_pieces(grid: DensityGrid, rays: RayBundle, hit: Tensor, settings: RayConfig) -> list[RayPlan]:
    """Plans of all rays of a bundle, a piece at a time.

    Args:
        hit: bool [M], rays that have anything to sample.
        settings: samples a ray.
    """
    pieces = range(0, len(rays), RAYS_PER_PIECE)
    parts = [slice(first, min(first + RAYS_PER_PIECE, len(rays))) for first in pieces]
    return [plan_rays(grid, rays.select(part), hit[part], settings.samples_coarse, settings.samples_fine) for part in parts]


def plan_rays(grid: DensityGrid, rays: RayBundle, hit: Tensor, samples_coarse: int, samples_fine: int) -> RayPlan:
    """The plan of M rays; see `guided.plan_samples`."""
    origins, directions = rays.origins.t().contiguous(), rays.directions.t().contiguous()
    coarse = stratified_distances(rays.start, rays.end, samples_coarse)
    raw, bound = estimated_density(grid, rays, None, origins, directions, coarse)
    weights, light = estimated_weights(coarse, raw)
    worth = worth_reading(light, bound, grid.empty_below)
    if samples_fine == 0:
        return RayPlan(rays, coarse, raw, worth & hit[:, None], hit, hit)
    foggy = worth.sum(dim=1) > FOGGY_SHARE * samples_coarse
    fine = importance_distances(coarse, weights, midpoints(samples_fine, coarse))
    fine_raw, fine_bound = estimated_density(grid, rays, None, origins, directions, fine)
    clear, order = torch.cat([coarse, fine], dim=1).sort(dim=1, stable=True)
    estimate = torch.cat([raw, fine_raw], dim=1).gather(1, order)
    _, light = estimated_weights(clear, estimate)
    worth = worth_reading(light, torch.cat([bound, fine_bound], dim=1).gather(1, order), grid.empty_below)
    fog = torch.cat([coarse[:, :1], fine, coarse[:, -1:]], dim=1)
    if (also := grid.read_in_fog) is not None:
        fog = torch.cat([fog, coarse[:, also]], dim=1).sort(dim=1).values
    width = max(clear.shape[1], fog.shape[1])
    every = torch.arange(width, device=coarse.device) < fog.shape[1]
    distances = torch.where(foggy[:, None], _widened(fog, width), _widened(clear, width))
    worth = torch.nn.functional.pad(worth, (0, width - worth.shape[1]))
    read = torch.where(foggy[:, None], every, worth) & hit[:, None]
    return RayPlan(rays, distances, _widened(estimate, width), read, read.any(dim=1), ~foggy)


def _widened(rows: Tensor, width: int) -> Tensor:
    """Rows [M, S] with copies of their last entry up to a width."""
    return torch.cat([rows, rows[:, -1:].expand(-1, width - rows.shape[1])], dim=1)


def sample_counts(plans: Sequence[RayPlan]) -> list[Tensor]:
    """How many samples each plan reads, on the device; the host needs these numbers."""
    return [plan.read.sum() for plan in plans]


def read_pieces(
    field: SubjectField,
    semantics: PackedSemantics | None,
    plans: Sequence[RayPlan],
    counts: Sequence[int],
    *,
    colors: bool = True,
    reader: type[SampleReader] = TorchSamples,
    whole: bool = False,
) -> DeviceView:
    """What the planned rays show, in order.

    Args:
        semantics: None: no semantics are rendered.
        counts: the numbers of `sample_counts`.
        colors: whether colour features are rendered.
        reader: what reads the samples.
        whole: whether all rays that lack light may be read once more, where `short` said that the share was too small.
    """
    parts = []
    for plan, count in zip(plans, counts, strict=True):
        checkpoint()
        if count == 0:
            parts.append(_background(field, semantics, plan, colors))
            continue
        place = true_places(plan.read.flatten(), count)
        parts.append(read_plan(field, semantics, plan, place, colors=colors, reader=reader, whole=whole))
    if len(parts) == 1:
        return parts[0]
    seen = [part.pixels for part in parts]
    color, semantic = (
        None if column[0] is None else torch.cat([rows for rows in column if rows is not None])
        for column in ([one.color for one in seen], [one.semantic for one in seen])
    )
    joined = GuidedPixels(color, torch.cat([one.distance for one in seen]), torch.cat([one.opacity for one in seen]), semantic)
    return DeviceView(joined, torch.stack([part.short for part in parts]).any())


def _background(field: SubjectField, semantics: PackedSemantics | None, plan: RayPlan, colors: bool) -> DeviceView:
    """What rays show of which nothing is read."""
    opacity = plan.rays.start.new_zeros(len(plan.rays))
    color = opacity.new_zeros(len(opacity), field.color_channels) if colors else None
    semantic = None if semantics is None else semantics.branch.background.repeat(len(opacity), 1)
    return DeviceView(GuidedPixels(color, torch.full_like(opacity, torch.inf), opacity, semantic), plan.read.new_zeros(()))


def read_plan(
    field: SubjectField,
    semantics: PackedSemantics | None,
    plan: RayPlan,
    place: Tensor,
    *,
    colors: bool = True,
    reader: type[SampleReader] = TorchSamples,
    whole: bool = False,
) -> DeviceView:
    """What the rays of one plan show, of which the samples at places int64 [K] are read, all that `read` says; see `read_pieces`."""
    rays, rows = plan.rays, len(plan.rays)
    origins, directions = rays.origins.t().contiguous(), rays.directions.t().contiguous()
    samples = Samples(origins, directions, plan.distances, place)
    pixels, unread = _composited(field, semantics, plan, samples, None, colors, reader)
    lacking = plan.clear & plan.seen & (unread > UNREAD_WEIGHT)
    spare = rows if whole else -(-rows // LACKING_SHARE)
    again = true_places(lacking, spare)
    row = again.clamp_max(rows - 1)
    samples = Samples(origins[:, row], directions[:, row], plan.distances[row], None)
    better, _ = _composited(field, semantics, plan, samples, row, colors, reader)
    columns = zip(_columns(pixels), _columns(better), strict=True)
    merged = (None if old is None or new is None else _put(old, again, new) for old, new in columns)
    color, distance, opacity, semantic = merged
    assert distance is not None
    assert opacity is not None
    return DeviceView(GuidedPixels(color, distance, opacity, semantic), lacking.sum() > spare)


def device_pixels(
    field: SubjectField,
    semantics: PackedSemantics | None,
    grid: DensityGrid,
    rays: RayBundle,
    hit: Tensor,
    settings: RayConfig,
    *,
    colors: bool = True,
    reader: type[SampleReader] = TorchSamples,
    whole: bool = False,
) -> DeviceView:
    """What M rays show, of which those of `hit`, bool [M], have anything to sample; the host waits once. See `read_pieces`."""
    plans = plan_pieces(grid, rays, hit, settings)
    counts = torch.stack(sample_counts(plans)).tolist()
    return read_pieces(field, semantics, plans, counts, colors=colors, reader=reader, whole=whole)


def _columns(pixels: GuidedPixels) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None]:
    return pixels.color, pixels.distance, pixels.opacity, pixels.semantic


def _put(old: Tensor, row: Tensor, new: Tensor) -> Tensor:
    """Rows [M, ..] with new ones [L, ..] in their places int64 [L]; those at M go nowhere."""
    spare = old.new_zeros(1, *old.shape[1:])
    return torch.cat([old, spare]).index_copy_(0, row, new)[: len(old)]


def _composited(
    field: SubjectField,
    semantics: PackedSemantics | None,
    plan: RayPlan,
    samples: Samples,
    row: Tensor | None,
    colors: bool,
    reader: type[SampleReader],
) -> tuple[GuidedPixels, Tensor]:
    """Samples of rows of a plan (None: of all) read and composited, and how much weight [M] unread samples turned out to have."""
    distances, place = samples.distances, samples.place
    read = reader(field, semantics, samples)
    raw = read.raw_density()
    if place is not None:
        raw = plan.estimate.flatten().index_copy(0, place, raw)
    weights = interval_weights(distances, plan.rays.counted(distances, raw.view_as(distances), row))
    seen = plan.seen if row is None else plan.seen[row]
    opacity = torch.where(seen, weights.sum(dim=1), 0.0)
    distance = torch.where(seen, composite_distance(weights, distances), torch.inf)
    every = sample_weights(weights)
    own = every.flatten() if place is None else every.flatten()[place]
    ray, count = samples.ray_of(None), len(distances)
    color = semantic = None
    if colors:
        color = read.color_sums(None, torch.where(own > VALUE_EPSILON, own, 0.0), ray)
    if semantics is not None:
        weight = torch.where(own > semantics.branch.config.weight_epsilon, own, 0.0)
        sums, kept = read.hidden_sums(None, weight, ray), segment_total(weight, ray, count)
        met = seen & (kept > 0)
        sums = sums * torch.where(met, opacity / kept, 0.0)[:, None]
        semantic = semantics.branch.map_of_sums(sums, torch.where(met, opacity, 0.0))
    unread = every.masked_fill(plan.read, 0.0).sum(dim=1) if row is None else every.new_zeros(count)
    return GuidedPixels(color, distance, opacity, semantic), unread
