"""Rays of their own at single pixels of a larger picture, where its neighbouring rays do not see one surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.rendering.depth import SAME_SURFACE, are_edges, coarse_edges, ray_cosines, solid_depth
from dnerf_core.rendering.final_picture import resized
from dnerf_core.rendering.guided_view import GuidedPixels, guided_pixels
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.seeing.device_view import plan_pieces, read_pieces, sample_counts
from dnerf_core.seeing.raw_view import RawView, Visible, exact_raw
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.visibility import density_pass
from dnerf_core.work.compaction import true_places

EDGE_SHARE = 8
"""On a CUDA device one pixel in so many may be an edge without a further wait."""


@dataclass(frozen=True)
class EdgeRays:
    """What rays of their own see where a larger picture's neighbouring rays do not see one surface (`RayConfig.edge_rays`).

    Attributes:
        pixel: int64 [E], row-major.
        depth_planar: [E], world units, +inf at background.
        scores: [E, C], raw class scores; None without a branch.
        rgb: [E, 3] in about [-1, 1], without super-resolution; None where colours were left out.
        opacity: [E] in [0, 1].
    """

    pixel: Tensor
    depth_planar: Tensor
    scores: Tensor | None
    rgb: Tensor | None
    opacity: Tensor
    short: Tensor | None = None
    """See `RawView`."""

    def in_depth(self, depth_planar: Tensor) -> Tensor:
        """Depths [1, S, S] with those of the edges in their place."""
        return depth_planar.flatten().index_copy(0, self.pixel, self.depth_planar).view_as(depth_planar)

    def in_scores(self, refined: Tensor, raw: Tensor, full_size_px: int) -> Tensor:
        """Class scores [1, C, S, S] that a refiner made from raw ones [1, C, R, R], had those been right at the edges.

        A refiner adds what it has learned to the raw scores enlarged to `full_size_px`; that stays, on top of the pixels' own scores.
        """
        assert self.scores is not None
        enlarged = resized(resized(raw, full_size_px), refined.shape[-1])
        missing = self.scores - at_pixels(enlarged, self.pixel)
        return refined.flatten(2).index_add(2, self.pixel, missing.t()[None].to(refined.dtype)).view_as(refined)

    def in_rgb(self, image: Tensor) -> Tensor:
        """Super-resolved picture [1, 3, S, S] whose edges are the mean of what it says and of what their own rays say.

        A super-resolution that sees every second or fourth pixel knows how soft an edge is, not where; a single ray knows where, not
        how soft. On people the mean is nearer to the box-filtered truth than either, and within 0.3 dB of four rays a pixel.
        """
        assert self.rgb is not None
        flat = image.flatten(2)
        mean = (flat[0, :, self.pixel] + self.rgb.t()) / 2
        return flat.index_copy(2, self.pixel, mean[None].to(flat.dtype)).view_as(image)

    def in_coverage(self, coverage: Tensor) -> Tensor:
        """Enlarged opacities [1, 1, S, S] whose edges are such a mean, too, so that they go with the picture of `in_rgb`."""
        flat = coverage.flatten()
        mean = (flat[self.pixel] + self.opacity) / 2
        return flat.index_copy(0, self.pixel, mean.to(flat.dtype)).view_as(coverage)


@dataclass(frozen=True)
class SeenPixels:
    """What E pixels show: distance and opacity [E], raw class scores [E, C] or None, colours [E, 3] or None."""

    distance: Tensor
    opacity: Tensor
    scores: Tensor | None
    rgb: Tensor | None

    @classmethod
    def of_picture(
        cls, pixel: Tensor, distance: Tensor, opacity: Tensor, scores: Tensor | None, rgb: Tensor | None
    ) -> SeenPixels:
        """Of a picture: distance and opacity [1, S, S], scores [1, C, S, S] or None, colours [1, 3, S, S] or None."""
        both = (None if values is None else at_pixels(values, pixel) for values in (scores, rgb))
        return cls(distance.flatten()[pixel], opacity.flatten()[pixel], *both)


def rays_along_edges(
    config: BackboneConfig,
    distance: Tensor,
    opacity: Tensor,
    intrinsics: Tensor,
    size_px: int,
    see: Callable[[Tensor], SeenPixels],
) -> EdgeRays | None:
    """What `see` says of the pixels at the edges of a picture of `size_px`; None: the model asks for no such rays, or there are no edges.

    Args:
        distance, opacity: [1, R, R], of the same view at neural resolution; intrinsics: [1, 3, 3].
        see: of pixels int64 [E] of the picture, row-major, increasing.
    """
    if not config.rays.edge_rays or size_px <= opacity.shape[-1]:
        return None
    pixel = coarse_edges(distance, opacity, intrinsics, size_px, config.box_side)
    if not len(pixel):
        return None
    seen = see(pixel)
    depth = solid_depth(seen.distance, seen.opacity, ray_cosines(intrinsics, size_px)[0].flatten()[pixel])
    return EdgeRays(pixel, depth, seen.scores, seen.rgb, seen.opacity)


def edge_rays(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    raw: RawView,
    size_px: int,
    branch: SemanticBranch | None,
    *,
    colors: bool,
    exact: bool,
    whole: bool = False,
) -> EdgeRays | None:
    """Rays of their own for the edges of a picture of `size_px`; None: the model does not ask for them, or there are none.

    Args:
        raw: the same view at neural resolution.
        exact: whether every sample is read, as in `exact_raw`.
        whole: see `seeing.device_view`; of a CUDA device alone.
    """
    if cam2world.is_cuda and not exact:
        return _edges_on_device(subject, cam2world, intrinsics, raw, size_px, branch, colors, whole)
    see = _exact_edges if exact else _guided_edges
    return rays_along_edges(
        subject.model.config,
        raw.distance,
        raw.opacity,
        intrinsics,
        size_px,
        lambda pixel: see(subject, cam2world, intrinsics, branch, colors, size_px, pixel),
    )


def _guided_edges(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    branch: SemanticBranch | None,
    colors: bool,
    size_px: int,
    pixel: Tensor,
) -> SeenPixels:
    model = subject.model
    # rays that meet nothing to sample keep the background, so their place among the edges is what is counted
    rays, hit = ray_bundle(model.generator, subject.planes, ViewRays.from_cameras(cam2world, intrinsics, size_px, pixel))
    met = hit.nonzero()[:, 0]
    guided = branch is not None and branch.config.density_prior
    semantics, reader = subject.semantics if guided else None, model.sample_reader
    seen = guided_pixels(
        subject.field, semantics, subject.grid, rays.select(met), met, len(pixel), model.config.rays, colors=colors, reader=reader
    )
    return _as_seen(subject, cam2world, intrinsics, branch, size_px, pixel, seen)


def _as_seen(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    branch: SemanticBranch | None,
    size_px: int,
    pixel: Tensor,
    seen: GuidedPixels,
) -> SeenPixels:
    """Guided pixels after what the family and the branch make of them."""
    model, rgb = subject.model, None
    if seen.color is not None:  # a family may compose by place, so each is put into its own
        count = size_px**2
        color = seen.color.new_zeros(count, seen.color.shape[1]).index_copy(0, pixel, seen.color)
        opacity = seen.opacity.new_zeros(count).index_copy(0, pixel, seen.opacity)
        rgb = at_pixels(model.generator.compose(color, opacity, subject.planes, size_px).image, pixel)
    scores = None
    if seen.semantic is not None and branch is not None:
        scores = seen.semantic[:, : branch.config.num_classes]
    elif branch is not None:
        visible = density_pass(model.generator, subject.planes, cam2world, intrinsics, size_px, branch.config, pixel)
        scores = at_pixels(branch.maps(subject.projected, visible).scores, pixel)
    return SeenPixels(seen.distance, seen.opacity, scores, rgb)


def _edges_on_device(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    raw: RawView,
    size_px: int,
    branch: SemanticBranch | None,
    colors: bool,
    whole: bool,
    most: int | None = None,
) -> EdgeRays | None:
    """The same with one wait: a share of the picture's pixels is planned before the host learns how many are edges.

    Args:
        most: pixels that are planned; None: a share.
    """
    model = subject.model
    if not model.config.rays.edge_rays or size_px <= raw.opacity.shape[-1]:
        return None
    depth = solid_depth(raw.distance, raw.opacity, ray_cosines(intrinsics, raw.distance.shape[-1]))
    edges = are_edges(depth, size_px, SAME_SURFACE * model.config.box_side)
    pixel = true_places(edges, most or -(-len(edges) // EDGE_SHARE))
    place = pixel.clamp_max(len(edges) - 1)
    rays, hit = ray_bundle(model.generator, subject.planes, ViewRays.from_cameras(cam2world, intrinsics, size_px, place))
    plans = plan_pieces(subject.grid, rays, hit & (pixel < len(edges)), model.config.rays)
    count, *counts = torch.stack([edges.sum(), *sample_counts(plans)]).tolist()
    if count > len(pixel):
        return _edges_on_device(subject, cam2world, intrinsics, raw, size_px, branch, colors, whole, count)
    if count == 0:
        return None
    guided = branch is not None and branch.config.density_prior
    semantics = subject.semantics if guided else None
    view = read_pieces(subject.field, semantics, plans, counts, colors=colors, reader=model.sample_reader, whole=whole)
    own, pixel = view.pixels.first(count), pixel[:count]
    seen = _as_seen(subject, cam2world, intrinsics, branch, size_px, pixel, own)
    planar = solid_depth(seen.distance, seen.opacity, ray_cosines(intrinsics, size_px)[0].flatten()[pixel])
    return EdgeRays(pixel, planar, seen.scores, seen.rgb, seen.opacity, view.short)


def _exact_edges(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    branch: SemanticBranch | None,
    colors: bool,
    size_px: int,
    pixel: Tensor,
) -> SeenPixels:
    raw = exact_raw(subject, cam2world, intrinsics, branch, colors, size_px, pixel)
    scores = None if raw.maps is None else raw.maps.scores
    return SeenPixels.of_picture(pixel, raw.distance, raw.opacity, scores, None if raw.picture is None else raw.picture.image)


def at_pixels(picture: Tensor, pixel: Tensor) -> Tensor:
    """Values [E, C] of a picture [1, C, S, S] at pixels int64 [E]."""
    return picture[0].flatten(1)[:, pixel].t()
