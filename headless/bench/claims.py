"""The claims, as data, and how one is measured.

Both sides run in turn in one process, on the same weights and cameras, with the same branch and super-resolutions. A time is
that of a view when a subject is seen `views` times: its own, plus what has to be made once a subject, divided by `views`; for
further views, its own alone. Where subjects move, each view has a pose of its own, and what a pose needs is part of its view.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dnerf_core.backbone.family import named
from dnerf_core.backbone.registry import family_of
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.model import Model
from dnerf_core.subject import ALL_CHANNELS, Channel, PartialView, Subject
from headless.bench.literal_view import literal_channels, literal_subject
from headless.bench.measuring import peak_mb, start_peak, timed
from headless.bench.models import rigid_model

Baseline = Literal["literal", "exact", "rigid"]


@dataclass(frozen=True)
class Claim:
    """What is compared.

    Attributes:
        name: of the claim.
        model: "full-size", "panohead" (both with weights from a formula), "demo" or "people"; see `headless.bench.models`.
        channels: what a view consists of.
        baseline: the literal method; `exact`, what `--exact` renders: the same numbers from projected planes; or `rigid`, the fast views
            of a subject of the same size that does not move, whose pictures are others.
        views: views of a subject.
        further: time only the views after a subject's first.
        size_px: side of the views; None: the model's own.
        seeds: subjects, one a round and then from the start again.
        compared: how many subjects' views are compared with the exact path in each round, besides the baseline's own: the demo's
            sparsity varies.
        motion: whose poses the views take, one each, spread over it; None: subjects are in their own.
    """

    name: str
    model: str
    channels: tuple[Channel, ...] = ALL_CHANNELS
    baseline: Baseline = "literal"
    views: int = 10
    further: bool = False
    size_px: int | None = None
    seeds: tuple[int, ...] = (0,)
    compared: int = 0
    motion: str | None = None


CLAIMS = (
    Claim("labelled-view", "full-size"),
    Claim("labels-only", "full-size", ("mask", "depth")),
    Claim("rgb-view", "full-size", ("rgb", "depth")),
    Claim("panohead-view", "panohead"),
    Claim("panohead-labels", "panohead", ("mask", "depth")),
    Claim("panohead-rgb", "panohead", ("rgb", "depth")),
    Claim("demo-view", "demo", seeds=tuple(range(4)), compared=2),
    Claim("demo-first-view", "demo", baseline="exact", views=1, size_px=128, seeds=tuple(range(4))),
    Claim("demo-further-view", "demo", baseline="exact", further=True, size_px=128, seeds=tuple(range(4))),
    Claim("posed-view", "people", seeds=tuple(range(4)), motion="dance"),
    Claim("posed-rigid", "people", baseline="rigid", further=True, size_px=128, seeds=tuple(range(4)), motion="dance"),
)


@dataclass(frozen=True)
class Difference:
    """How far two sets of views are apart.

    Attributes:
        agreement: share of pixels with the same label; None without masks.
        psnr_db: over all pixels, in dB; None without images; 99 where they are equal.
        depth_error: median difference of planar depth where both have one, as a fraction of the box's side; None without depth.
    """

    agreement: float | None
    psnr_db: float | None
    depth_error: float | None


@dataclass(frozen=True)
class Measured:
    """A claim's figures: seconds a view of both sides, their ratio, how far the results are apart, and the fast path's peak memory."""

    claim: Claim
    rounds: int
    baseline_s: float
    fast_s: float
    difference: Difference
    peak_mb: float | None
    baseline_peak_mb: float | None

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.baseline_s / self.fast_s


def measure(claim: Claim, model: Model, rounds: int, progress: Callable[[], None]) -> Measured:
    """Measure a claim.

    Args:
        model: the claim's, see `headless.bench.models`.
        progress: called after each of the 2 * rounds steps.
    """
    size = claim.size_px or model.config.image_size
    warm = arc_cameras(model.config.cameras, (0.0, 0.0), count=1)[0]
    model.subject(claim.seeds[0]).channels(warm, size, claim.channels)  # first calls make kernels and pages
    poses = _poses(claim, model)
    rigid = rigid_model(model) if claim.baseline == "rigid" else model
    baseline: list[float] = []
    fast: list[float] = []
    pairs: list[tuple[PartialView, PartialView]] = []
    view: PartialView | None
    peaks: list[float | None] = []
    baseline_peaks: list[float | None] = []
    for number in range(rounds):
        seed = claim.seeds[number % len(claim.seeds)]
        cameras = arc_cameras(model.config.cameras, (-30.0, 30.0), count=claim.views)
        start_peak(model.device)
        views, seconds = _fast_views(claim, model, seed, list(zip(cameras, poses, strict=True)), size)
        fast.append(seconds)
        peaks.append(peak_mb(model.device))
        progress()
        which = number % len(cameras)
        start_peak(model.device)
        if claim.baseline == "rigid":
            view, seconds = None, _fast_views(claim, rigid, seed, [(camera, None) for camera in cameras], size)[1]
        else:
            view, seconds = _baseline_view(claim, model, seed, cameras[which], poses[which], size)
        baseline.append(seconds)
        baseline_peaks.append(peak_mb(model.device))
        if view is not None:
            pairs.append((view, views[which]))
        progress()
    for seed in range(100, 100 + claim.compared * rounds):
        subject = model.subject(seed)
        for camera in arc_cameras(model.config.cameras, (-150.0, 120.0), (5.0, 25.0), count=3):
            exact = subject.channels(camera, size, claim.channels, exact=True)
            pairs.append((exact, subject.channels(camera, size, claim.channels)))
    return Measured(
        claim,
        rounds,
        statistics.median(baseline),
        statistics.median(fast),
        difference(pairs, model.config.box_side),
        _highest(peaks),
        _highest(baseline_peaks),
    )


def _poses(claim: Claim, model: Model) -> list[Tensor | None]:
    """A pose [1, *pose_shape] for each of a claim's views; None: the subject's own."""
    if claim.motion is None:
        return [None] * claim.views
    place = family_of(model.config).poser
    assert place is not None
    frames = named(place)(model.header.path).read(Path(claim.motion)).poses
    chosen = np.linspace(0, len(frames) - 1, claim.views).round().astype(int)
    return [torch.from_numpy(frames[frame][None]).to(model.device) for frame in chosen]


def _fast_views(
    claim: Claim, model: Model, seed: int, seen: list[tuple[Camera, Tensor | None]], size: int
) -> tuple[list[PartialView], float]:
    """All views of a subject, and seconds a view: its making included, or of further views alone."""
    subject = model.subject(seed)

    def views(which: list[tuple[Camera, Tensor | None]]) -> list[PartialView]:
        return [_posed(subject, pose).channels(camera, size, claim.channels) for camera, pose in which]

    if claim.further:
        first = views(seen[:1])
        others, seconds = timed(lambda: views(seen[1:]), model.device)
        return first + others, seconds / len(others)
    every, seconds = timed(lambda: views(seen), model.device)
    return every, seconds / len(every)


def _posed(subject: Subject, pose: Tensor | None) -> Subject:
    return subject if pose is None else subject.posed(pose)


def _baseline_view(
    claim: Claim, model: Model, seed: int, camera: Camera, pose: Tensor | None, size: int
) -> tuple[PartialView, float]:
    """One view, and its seconds, with its share of what is made once a subject unless only further views count."""
    subject = _posed(model.subject(seed), pose)
    if claim.baseline == "exact":
        first, seconds = timed(lambda: subject.channels(camera, size, claim.channels, exact=True), model.device)
        if claim.further:
            _, seconds = timed(lambda: subject.channels(camera, size, claim.channels, exact=True), model.device)
        return first, seconds
    literal, making = timed(lambda: literal_subject(subject, claim.channels), model.device)
    view, seconds = timed(lambda: literal_channels(literal, subject, camera, size, claim.channels), model.device)
    return view, seconds + (0.0 if claim.further else making / claim.views)


def difference(pairs: list[tuple[PartialView, PartialView]], box_side: float) -> Difference:
    """How far the second of each pair is from the first."""
    same, pixels, agreement, psnr, depth = 0, 0, None, None, None
    errors, squares, values = [], 0.0, 0
    for first, second in pairs:
        if first.mask is not None and second.mask is not None:
            same += int((first.mask == second.mask).sum())
            pixels += first.mask.size
        if first.rgb is not None and second.rgb is not None:
            squares += float(((first.rgb.astype(np.float64) - second.rgb) ** 2).sum())
            values += first.rgb.size
        if first.depth_planar is not None and second.depth_planar is not None:
            both = np.isfinite(first.depth_planar) & np.isfinite(second.depth_planar)
            errors.append(np.abs(first.depth_planar[both] - second.depth_planar[both]))
    if pixels:
        agreement = same / pixels
    if values:
        psnr = 99.0 if squares == 0 else 10 * math.log10(255**2 * values / squares)
    if errors:
        depth = float(np.median(np.concatenate(errors))) / box_side
    return Difference(agreement, psnr, depth)


def _highest(values: list[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return max(measured) if measured else None
