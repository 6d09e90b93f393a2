"""The demo model against the exact truth: the same latent as a car of the world, seen from the same camera."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.demo.config import DEMO_NAME
from dnerf_core.demo.trace import TruthView, render_truth
from dnerf_core.demo.world import PART_NAMES, Cars
from dnerf_core.errors import UsageError
from dnerf_core.generator.config import CameraConfig
from dnerf_core.metrics import SegmentationScores, confusion_matrix, depth_error, psnr_db, segmentation_scores, silhouette_iou
from dnerf_core.model import Model
from dnerf_core.subject import LabeledView

TRUTH_YAW_DEG = (-180.0, 180.0)
TRUTH_PITCH_DEG = (5.0, 30.0)
"""Random views of an evaluation: from all around, from a little above the ground to well above."""


@dataclass(frozen=True)
class TruthScores:
    """How close one view, or the mean of many, is to the truth.

    Attributes:
        silhouette_iou: IoU of the pixels that show the car (finite depth against a hit of the pixel-centre ray).
        psnr_db: of the 8-bit image against the box-filtered truth over white.
        depth_error: mean absolute planar depth difference over common pixels, as a fraction of the car's length.
    """

    silhouette_iou: float
    psnr_db: float
    depth_error: float


def require_demo(model: Model) -> None:
    """Refuse a model whose truth is not known.

    Raises:
        UsageError: the model's generator is not the demo's.
    """
    if model.config.name != DEMO_NAME:
        raise UsageError(
            f"exact truth: expected a model made from {DEMO_NAME!r}, found {model.config.name!r}; score it against an annotated folder"
        )


def random_view(
    config: CameraConfig, seed: int, view: int, yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]
) -> Camera:
    """View number `view` of a seed: uniform yaw and pitch, a function of (seed, view) alone."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, view))))
    return arc_cameras(config, yaw_deg, pitch_deg, count=1, mode="random", rng=rng)[0]


def true_view(model: Model, seed: int, camera: Camera, size_px: int) -> tuple[TruthView, float]:
    """The exact picture of a seed's car from a camera, and the car's length (world units)."""
    cars = Cars.from_latent(torch.from_numpy(model.latent(seed))[None])
    view = render_truth(
        cars,
        torch.tensor(camera.cam2world, dtype=torch.float32)[None],
        torch.tensor(camera.intrinsics, dtype=torch.float32)[None],
        size_px,
    )
    return view, float(cars.length[0])


def compare(view: LabeledView, truth: TruthView, length: float) -> TruthScores:
    """Scores of one rendered view against its truth."""
    depth = truth.depth_planar[0].numpy()
    rgb = (truth.rgb[0] * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return TruthScores(
        silhouette_iou(np.isfinite(depth), np.isfinite(view.depth_planar)),
        psnr_db(rgb, view.rgb),
        depth_error(depth, view.depth_planar, length),
    )


@dataclass(frozen=True)
class ViewResult:
    """One scored view: its seed and number, its scores, and the confusion of labels int64 [C, C] (None without a semantic branch)."""

    seed: int
    view: int
    scores: TruthScores
    confusion: NDArray[np.int64] | None
    rendered: LabeledView
    truth: TruthView


def evaluate_truth(
    model: Model,
    seeds: Sequence[int],
    views_per_seed: int = 1,
    yaw_deg: tuple[float, float] = TRUTH_YAW_DEG,
    pitch_deg: tuple[float, float] = TRUTH_PITCH_DEG,
) -> Iterator[ViewResult]:
    """Score random views of seeds, one at a time, at the model's own size.

    Raises:
        UsageError: the model is not the demo's.
    """
    require_demo(model)
    size = model.config.image_size
    for seed in seeds:
        subject = model.subject(seed)
        for number in range(views_per_seed):
            camera = random_view(model.config.cameras, seed, number, yaw_deg, pitch_deg)
            view = subject.render(camera)
            truth, length = true_view(model, seed, camera, size)
            confusion = None
            if view.mask is not None:
                confusion = confusion_matrix(truth.mask[0].numpy(), view.mask, len(PART_NAMES))
            yield ViewResult(seed, number, compare(view, truth, length), confusion, view, truth)


def summarise(results: Sequence[ViewResult]) -> tuple[TruthScores, SegmentationScores | None]:
    """Means of the view scores, and label scores of the summed confusion (None without a semantic branch).

    Views whose depth cannot be compared (no common pixel) count as a depth error of 1.
    """
    scores = [result.scores for result in results]
    depth = [1.0 if np.isnan(s.depth_error) else s.depth_error for s in scores]
    mean = TruthScores(
        float(np.mean([s.silhouette_iou for s in scores])), float(np.mean([s.psnr_db for s in scores])), float(np.mean(depth))
    )
    confusions = [result.confusion for result in results if result.confusion is not None]
    return mean, segmentation_scores(np.sum(confusions, axis=0)) if confusions else None
