"""What a labelled view needs in every training step, computed once: the generator is frozen, so its samples and features never change.

Kept: for a view, its visible samples, 4 bytes each (6 MB for a full frame of fog at raw resolution 128); for a subject, the normalised
block features in half precision at their own resolutions (31 MB at full size; 90 subjects: 2.8 GB). Taps are 0.1 kB a sample: they are
kept within `TAPS_BUDGET_BYTES`, and past it worked out again in each step, to the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dnerf_core.backbone.protocols import Backbone, Planes, TapFinder
from dnerf_core.errors import AnnotationError
from dnerf_core.labels import IGNORE_ID, check_ids
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle, render_view
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.semantic.branch import SemanticBranch, SemanticMaps
from dnerf_core.semantic.guided_visibility import GuidedPlanes
from dnerf_core.semantic.kept_samples import KeptSamples
from dnerf_core.semantic.kept_taps import KeptTaps
from dnerf_core.semantic.visibility import VisibleSamples, density_pass

TAPS_BUDGET_BYTES = 2**29
"""Taps of all labelled views that are kept, 0.5 GiB; with 90 subjects' full-size features a training stays below 6 GB."""

SAMPLES_PER_PIECE = 2**18
"""A view's samples are decoded this many at a time; past the first piece, again in the backward pass rather than kept."""

GUIDE_EPSILON = 1e-4
"""Colours of a guide are read at samples whose weight exceeds this."""


@dataclass(frozen=True, eq=False)
class AnnotatedView:
    """A painted view of one subject.

    Attributes:
        subject: index into the ws that come with it.
        cam2world: [4, 4], OpenCV axes; intrinsics: [3, 3], normalised.
        mask: uint8 [S, S] of class ids at the generator's image size, 255 where nothing is known.
    """

    subject: int
    cam2world: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class Patch:
    """A square of a view's rays: its first row and column, and its side, in rays."""

    top: int
    left: int
    side: int

    def cut(self, picture: Tensor, resolution: int) -> Tensor:
        """The part of a picture [.., S, S] of so many rays a side that the patch shows; S is a multiple of it."""
        scale = picture.shape[-1] / resolution
        top, left, side = (round(value * scale) for value in (self.top, self.left, self.side))
        return picture[..., top : top + side, left : left + side]


@dataclass(frozen=True, eq=False)
class KeptView:
    """One labelled view, ready: its subject, mask uint8 [S, S], rays, samples, where they read, their taps piece by piece (or None) and
    guide image [1, G, ..].
    """

    subject: int
    mask: Tensor
    rays: RayBundle
    samples: KeptSamples
    finder: TapFinder
    taps: list[KeptTaps] | None
    guide_image: Tensor | None

    def maps(self, branch: SemanticBranch, table: Tensor) -> SemanticMaps:
        """Raw semantic maps [1, .., R, R] of the view; table [R*R*P, 64] is its subject's."""
        pieces = self.samples.samples(self.rays).split(SAMPLES_PER_PIECE)
        taps = build_taps(self.finder, pieces, len(table)) if self.taps is None else self.taps

        def sums_of(table: Tensor, taps: KeptTaps, piece: VisibleSamples) -> tuple[Tensor, Tensor]:
            return branch.ray_sums(branch.hidden(taps.read(table)), piece)

        sums, opacity = sums_of(table, taps[0], pieces[0])
        for read, piece in zip(taps[1:], pieces[1:], strict=True):
            more, light = checkpoint(sums_of, table, read, piece, use_reentrant=False)
            sums, opacity = sums + more, opacity + light
        return branch.maps_of_sums(sums, opacity, 1)

    def part(self, patch: Patch) -> KeptView:
        """A square of the view as a view of its own, without taps."""
        resolution = self.samples.resolution
        inside = torch.zeros(resolution, resolution, dtype=torch.bool, device=self.mask.device)
        inside[patch.top : patch.top + patch.side, patch.left : patch.left + patch.side] = True
        every = torch.arange(resolution**2, device=self.mask.device).view(resolution, resolution)
        mask = patch.cut(self.mask, resolution)
        guide_image = None if self.guide_image is None else patch.cut(self.guide_image, resolution)
        chosen = patch.cut(every, resolution).flatten()
        samples = self.samples.of_rays(inside.flatten(), chosen)
        return KeptView(self.subject, mask, self.rays.select(chosen), samples, self.finder, None, guide_image)


@dataclass(frozen=True, eq=False)
class KeptViews:
    """All labelled views, and per subject its normalised inputs [1, s, s, c] a scale, float16."""

    views: list[KeptView]
    inputs: dict[int, list[Tensor]]

    @property
    def num_bytes(self) -> int:
        """Memory of everything kept."""
        tensors = [x for inputs in self.inputs.values() for x in inputs]
        held = 0
        for view in self.views:
            tensors += [view.mask, *(x for x in (*vars(view.rays).values(), view.guide_image) if isinstance(x, Tensor))]
            held += view.samples.num_bytes + sum(taps.num_bytes for taps in view.taps or [])
        return held + sum(x.numel() * x.element_size() for x in tensors)


def check_views(views: Sequence[AnnotatedView], num_subjects: int, num_classes: int, image_size: int) -> None:
    """Refuse views that cannot be trained on.

    Raises:
        AnnotationError: no view, or the first that has a mask of another type or size, an id outside the classes, nothing but
            ignored pixels, or a subject that is not there.
    """
    if not views:
        raise AnnotationError("annotated views: expected at least one, found none; paint some masks")
    for index, view in enumerate(views):
        if not 0 <= view.subject < num_subjects:
            raise AnnotationError(
                f"view {index}: subject: expected 0 to {num_subjects - 1}, found {view.subject}; pass its latent too"
            )
        mask = view.mask
        if mask.dtype != np.uint8 or mask.shape != (image_size, image_size):
            raise AnnotationError(
                f"view {index}: mask: expected uint8 [{image_size}, {image_size}], found {mask.dtype} {list(mask.shape)}; "
                "paint it at the generator's image size"
            )
        check_ids(mask, num_classes, f"view {index}: mask")
        if (mask == IGNORE_ID).all():
            raise AnnotationError(
                f"view {index}: mask: expected some labelled pixels, found only {IGNORE_ID}; paint it or leave it out"
            )


@torch.no_grad()
def keep_views(
    branch: SemanticBranch,
    generator: Backbone[Any],
    ws: Tensor,
    views: Sequence[AnnotatedView],
    statistics_subjects: int,
    progress: Callable[[int, int], None] | None = None,
    poses: Sequence[Tensor | None] | None = None,
    keep_taps: bool = True,
) -> KeptViews:
    """Run the frozen generator once over all labelled views, and set the branch's input statistics on the way.

    Args:
        ws: [N, num_ws, w_dim], the subjects'.
        statistics_subjects: how many of the subjects the statistics are measured on.
        progress: called with (views done, views).
        poses: N, each [1, *pose_shape] or, as the family makes them, None; None: all are.
        keep_taps: whether taps are kept at all; parts of views have none.
    Raises:
        AnnotationError: see `check_views`.
    """
    check_views(views, ws.shape[0], branch.config.num_classes, generator.config.image_size)
    used = sorted({view.subject for view in views})

    def planes_of(subject: int) -> Planes:
        one = slice(subject, subject + 1)
        pose = None if poses is None else poses[subject]
        planes: Planes = generator.planes(ws[one], pose)
        return planes

    branch.triplane.measure(branch.triplane.inputs(generator.source(planes_of(s))) for s in used[: max(1, statistics_subjects)])
    kept: dict[int, KeptView] = {}
    budget = TAPS_BUDGET_BYTES if keep_taps else 0
    inputs: dict[int, list[Tensor]] = {}
    for subject in used:
        w = ws[subject : subject + 1]
        planes = planes_of(subject)
        guided = GuidedPlanes.pack(generator, planes) if branch.config.density_prior else None
        normalized = branch.triplane.normalize(branch.triplane.inputs(generator.source(planes)))
        inputs[subject] = [x.half().contiguous() for x in normalized]
        for index, view in enumerate(views):
            if view.subject == subject:
                kept[index] = _keep_view(branch, generator, w, planes, guided, view, budget)
                budget -= sum(taps.num_bytes for taps in kept[index].taps or [])
                if progress is not None:
                    progress(len(kept), len(views))
    return KeptViews([kept[index] for index in range(len(views))], inputs)


def build_taps(finder: TapFinder, pieces: Sequence[VisibleSamples], table_rows: int) -> list[KeptTaps]:
    """The taps of each piece of one view's samples, into its subject's table of so many rows."""
    return [KeptTaps.build(*finder(piece.points, None), table_rows) for piece in pieces]


def _keep_view(
    branch: SemanticBranch,
    generator: Backbone[Any],
    w: Tensor,
    planes: Planes,
    guided: GuidedPlanes | None,
    view: AnnotatedView,
    budget_bytes: int,
) -> KeptView:
    cam2world, intrinsics = camera_tensors(view, w.device, w.dtype)
    resolution = generator.config.rays.neural_resolution
    if guided is None:
        visible = density_pass(generator, planes, cam2world, intrinsics, resolution, branch.config)
    else:  # the samples that the labelled views of the trained branch will read
        visible = guided.samples(cam2world, intrinsics, resolution, branch.config.weight_epsilon)
    rays, _ = ray_bundle(generator, planes, ViewRays.from_cameras(cam2world, intrinsics, resolution))
    samples = KeptSamples.from_visible(visible, rays)
    finder, table_rows = generator.source(planes).finder, branch.triplane.resolution**2 * branch.triplane.num_planes
    taps: list[KeptTaps] | None = None
    if budget_bytes > 0:
        built = build_taps(finder, samples.samples(rays).split(SAMPLES_PER_PIECE), table_rows)
        taps = built if sum(piece.num_bytes for piece in built) <= budget_bytes else None
    guide_image = None
    if branch.config.refiner.guide != "none":
        raw = render_view(generator, planes, cam2world, intrinsics, epsilon=GUIDE_EPSILON).raw
        guide_image = (generator.superresolve(raw, w) if branch.config.refiner.guide == "rgb" else raw.features).half()
    mask = torch.from_numpy(view.mask.copy()).to(w.device)
    return KeptView(view.subject, mask, rays, samples, finder, taps, guide_image)
