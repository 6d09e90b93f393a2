"""A view of a subject at neural resolution, before super-resolution and refinement: quickly, or by the literal method."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import Planes, RawPicture, SubjectField
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided_view import GuidedView, guided_view, whole_view
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle, render_view
from dnerf_core.rendering.volume import RayBundle, RaySamples
from dnerf_core.seeing.device_view import device_pixels
from dnerf_core.semantic.branch import SemanticBranch, SemanticMaps
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.semantic.triplane import ProjectedPlanes
from dnerf_core.semantic.visibility import VisibleSamples, density_pass, join_visible, visible_samples


class Visible(Protocol):
    """What is read of a subject to see it; `Subject` has it."""

    model: LoadedModel

    @property
    def planes(self) -> Planes:
        """What the generator made of the latents."""

    @property
    def projected(self) -> ProjectedPlanes:
        """The semantic tri-plane, after the decoder's first layer."""

    @property
    def field(self) -> SubjectField:
        """The radiance field, packed."""

    @property
    def grid(self) -> DensityGrid:
        """Where there is something to see."""

    @property
    def semantics(self) -> PackedSemantics:
        """The semantic tri-plane, packed."""


@dataclass(frozen=True)
class RawView:
    """A view at neural resolution: picture or None, distance and opacity [1, R, R], semantic maps or None."""

    picture: RawPicture | None
    distance: Tensor
    opacity: Tensor
    maps: SemanticMaps | None
    short: Tensor | None = None
    """Whether it has to be made once more, with `whole` (bool, 0-d), see `seeing.device_view`; None: no."""


def guided_raw(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    branch: SemanticBranch | None,
    colors: bool,
    side: int | None = None,
    *,
    whole: bool = False,
) -> RawView:
    """The fast path. A branch with a density of its own needs every sample, and gets a density pass as in the exact one.

    Args:
        whole: see `seeing.device_view`; of a CUDA device alone.
    """
    backbone, settings = subject.model.generator, subject.model.config.rays
    side = side or settings.neural_resolution
    guided = branch is not None and branch.config.density_prior
    semantics = subject.semantics if guided else None
    view, short = _guided(subject, cam2world, intrinsics, semantics, side, colors, whole)
    maps = None
    if view.semantic_map is not None and branch is not None:
        maps = branch.split_map(view.semantic_map)
    elif branch is not None:
        visible = density_pass(backbone, subject.planes, cam2world, intrinsics, side, branch.config)
        maps = branch.maps(subject.projected, visible)
    picture = None if view.color is None else backbone.compose(view.color, view.opacity.flatten(), subject.planes, side)
    return RawView(picture, view.distance[None], view.opacity[None], maps, short)


def _guided(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    semantics: PackedSemantics | None,
    side: int,
    colors: bool,
    whole: bool,
) -> tuple[GuidedView, Tensor | None]:
    """The view by the density grid, and whether rays were left short (None: no)."""
    settings, reader, field, grid = subject.model.config.rays, subject.model.sample_reader, subject.field, subject.grid
    if cam2world.is_cuda:
        every = ViewRays.from_cameras(cam2world, intrinsics, side)
        rays, hit = ray_bundle(subject.model.generator, subject.planes, every)
        seen = device_pixels(field, semantics, grid, rays, hit, settings, colors=colors, reader=reader, whole=whole)
        return whole_view(seen.pixels, side), seen.short
    footprint = grid.footprint(cam2world[0], intrinsics[0], side)
    pixel = torch.arange(side * side, device=cam2world.device) if footprint is None else footprint.nonzero()[:, 0]
    rays, pixel = _met(subject, cam2world, intrinsics, side, pixel)
    return guided_view(field, semantics, grid, rays, pixel, side, settings, colors=colors, reader=reader), None


def exact_raw(
    subject: Visible,
    cam2world: Tensor,
    intrinsics: Tensor,
    branch: SemanticBranch | None,
    colors: bool,
    side: int | None = None,
    pixel: Tensor | None = None,
) -> RawView:
    """The literal method: both passes read at every sample; at all pixels or the given ones, int64 [N], increasing."""
    pieces: list[VisibleSamples] = []
    resolution = side or subject.model.config.rays.neural_resolution
    every = None if branch is None else dataclasses.replace(branch.config, weight_epsilon=0.0)

    def keep_visible(rays: RayBundle, samples: RaySamples, ray: Tensor) -> None:
        if every is not None:
            pieces.append(visible_samples(rays, samples, ray, 1, resolution, every))

    rendering = render_view(
        subject.model.generator,
        subject.planes,
        cam2world,
        intrinsics,
        resolution,
        observe=keep_visible,
        colors=colors,
        pixel=pixel,
    )
    maps = None
    if branch is not None and every is not None:
        maps = branch.maps(subject.projected, join_visible(pieces))
    return RawView(rendering.picture, rendering.distance, rendering.opacity, maps)


def _met(subject: Visible, cam2world: Tensor, intrinsics: Tensor, side: int, pixel: Tensor) -> tuple[RayBundle, Tensor]:
    """Rays of those pixels that have something to sample, and which these are."""
    rays, hit = ray_bundle(subject.model.generator, subject.planes, ViewRays.from_cameras(cam2world, intrinsics, side, pixel))
    if bool(hit.all()):
        return rays, pixel
    met = hit.nonzero()[:, 0]  # an index once: a CUDA device has to be waited for to count each use of a mask
    return rays.select(met), pixel[met]
