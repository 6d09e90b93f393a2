"""One view of a subject, volume-rendered where its density grid says that there is something to see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import SubjectField
from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.rendering.compositing import composite_distance, interval_weights, sample_weights
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided import SamplePlan, plan_samples
from dnerf_core.rendering.sample_reading import SampleReader, Samples, TorchSamples
from dnerf_core.rendering.segments import segment_total
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.work.interruption import checkpoint

VALUE_EPSILON = 1e-4
"""Colours are read only at samples whose weight exceeds this; at 96 samples a pixel is off by less than 0.01 in the worst case."""

UNREAD_WEIGHT = 0.02
"""A ray is read once more, in whole, where the samples that the grid ruled out turn out to hold more than this share of its light."""


@dataclass(frozen=True)
class GuidedView:
    """A view at neural resolution R.

    Attributes:
        color: [R * R, C], weighted sums of colour features, before the family's epilogue; None if colours were not asked for.
        distance: [R, R] along the unit ray, world units; +inf where nothing is met. opacity: [R, R] in [0, 1].
        semantic_map: [1, C + 32, R, R] (channels last), raw class scores and semantic features; None if not asked for.
    """

    color: Tensor | None
    distance: Tensor
    opacity: Tensor
    semantic_map: Tensor | None


@dataclass(frozen=True)
class GuidedPixels:
    """What N pixels show, in no order of a picture: color [N, C], distance [N], opacity [N], semantic [N, C + 32]; see `GuidedView`."""

    color: Tensor | None
    distance: Tensor
    opacity: Tensor
    semantic: Tensor | None

    def first(self, count: int) -> GuidedPixels:
        """The first so many of them."""
        color, semantic = (None if rows is None else rows[:count] for rows in (self.color, self.semantic))
        return GuidedPixels(color, self.distance[:count], self.opacity[:count], semantic)


class _Canvas:
    """The view, filled piece by piece; a pixel that no ray reaches keeps the background."""

    def __init__(self, count: int, like: Tensor, color_channels: int, semantics: PackedSemantics | None) -> None:
        self.opacity = like.new_zeros(count)
        self.distance = like.new_full((count,), torch.inf)
        self.color = like.new_zeros(count, color_channels) if color_channels else None
        self.semantic = None if semantics is None else semantics.branch.background.repeat(count, 1)


def guided_view(
    field: SubjectField,
    semantics: PackedSemantics | None,
    grid: DensityGrid,
    rays: RayBundle,
    pixel: Tensor,
    side: int,
    settings: RayConfig,
    *,
    colors: bool = True,
    reader: type[SampleReader] = TorchSamples,
) -> GuidedView:
    """Render one view.

    Args:
        semantics: None: no semantics are rendered.
        rays: M rays, of the pixels that can see anything.
        pixel: int64 [M], which pixel of the view (row-major) each is.
        side: R, of the view.
        settings: samples a ray.
        colors: whether colour features are rendered.
        reader: what reads the samples.
    """
    return whole_view(
        guided_pixels(field, semantics, grid, rays, pixel, side * side, settings, colors=colors, reader=reader), side
    )


def whole_view(seen: GuidedPixels, side: int) -> GuidedView:
    """All pixels of a view of R x R, row-major, as the view."""
    square = (side, side)
    semantic = None if seen.semantic is None else seen.semantic.view(1, side, side, -1).permute(0, 3, 1, 2)
    return GuidedView(seen.color, seen.distance.view(square), seen.opacity.view(square), semantic)


def guided_pixels(
    field: SubjectField,
    semantics: PackedSemantics | None,
    grid: DensityGrid,
    rays: RayBundle,
    pixel: Tensor,
    count: int,
    settings: RayConfig,
    *,
    colors: bool = True,
    reader: type[SampleReader] = TorchSamples,
) -> GuidedPixels:
    """Render N = `count` pixels: M rays, of those that can see anything; `pixel` int64 [M], which one each is. See `guided_view`."""
    channels = field.color_channels if colors else 0
    canvas = _Canvas(count, rays.start, channels, semantics)
    for seen in seen_samples(field, semantics, grid, rays, settings, reader):
        _fill(canvas, seen, pixel, semantics)
    return GuidedPixels(canvas.color, canvas.distance, canvas.opacity, canvas.semantic)


@dataclass(frozen=True, eq=False)
class SeenSamples:
    """What some rays' planned samples turned out to be.

    Attributes:
        ray: int64 [M], which ray of the bundle each row is.
        samples: the K that were read; reader: what read them.
        weights: [M, S - 1], of the intervals.
        own: [K], of each sample that was read.
        lacking: int64 [L], the rows whose unread samples hold more than `UNREAD_WEIGHT`: what is theirs comes once more, in whole.
    """

    ray: Tensor
    samples: Samples
    reader: SampleReader
    weights: Tensor
    own: Tensor
    lacking: Tensor


def seen_samples(
    field: SubjectField,
    semantics: PackedSemantics | None,
    grid: DensityGrid,
    rays: RayBundle,
    settings: RayConfig,
    reader: type[SampleReader] = TorchSamples,
) -> Iterator[SeenSamples]:
    """Read the densities of rays that can see anything, a piece at a time; a row that lacks something comes a second time, complete."""
    origins, directions = rays.origins.t().contiguous(), rays.directions.t().contiguous()
    for plan in plan_samples(grid, rays, settings.samples_coarse, settings.samples_fine):
        checkpoint()
        place = None if plan.read is None else plan.read.flatten().nonzero()[:, 0]
        seen = _seen(plan, place, field, semantics, rays, origins, directions, reader)
        yield seen
        if len(seen.lacking):
            yield _seen(plan.whole(seen.lacking), None, field, semantics, rays, origins, directions, reader)


def _seen(
    plan: SamplePlan,
    place: Tensor | None,
    field: SubjectField,
    semantics: PackedSemantics | None,
    rays: RayBundle,
    origins: Tensor,
    directions: Tensor,
    reader: type[SampleReader],
) -> SeenSamples:
    samples = Samples(origins[:, plan.ray], directions[:, plan.ray], plan.distances, place)
    distances = samples.distances
    read = reader(field, semantics, samples)
    raw = read.raw_density()
    if place is not None:
        raw = plan.estimate.flatten().index_copy(0, place, raw)
    weights = interval_weights(distances, rays.counted(distances, raw.view_as(distances), plan.ray))
    every = sample_weights(weights)
    if plan.read is None or place is None:
        own, lacking = every.flatten(), plan.ray[:0]
    else:
        own = every.flatten()[place]
        lacking = (every.masked_fill(plan.read, 0.0).sum(dim=1) > UNREAD_WEIGHT).nonzero()[:, 0]
    return SeenSamples(plan.ray, samples, read, weights, own, lacking)


def _fill(canvas: _Canvas, seen: SeenSamples, place: Tensor, semantics: PackedSemantics | None) -> None:
    """Composite samples into their pixels; `place` int64, the pixel of each ray of the bundle."""
    pixel, samples, own = place[seen.ray], seen.samples, seen.own
    opacity = seen.weights.sum(dim=1)
    canvas.opacity[pixel] = opacity
    canvas.distance[pixel] = composite_distance(seen.weights, samples.distances)
    if canvas.color is not None:
        keep = (own > VALUE_EPSILON).nonzero()[:, 0]
        canvas.color[pixel] = seen.reader.color_sums(keep, own[keep], samples.ray_of(keep))
    if semantics is not None:
        assert canvas.semantic is not None
        keep = (own > semantics.branch.config.weight_epsilon).nonzero()[:, 0]
        weight, at = own[keep], samples.ray_of(keep)
        sums = seen.reader.hidden_sums(keep, weight, at)
        # what was left out is made up for, so that a ray keeps its opacity; a ray that has nothing left shows background
        kept = segment_total(weight, at, len(opacity))
        met = kept > 0
        sums *= torch.where(met, opacity / kept, torch.zeros_like(kept))[:, None]
        canvas.semantic[pixel] = semantics.branch.map_of_sums(sums, torch.where(met, opacity, torch.zeros_like(opacity)))
