"""A demo model against the exact truth: the same latent as a subject of its world, in the same pose, seen from the same camera."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.demo.trace import TruthView
from dnerf_core.demo.worlds import World, is_known, names_text, world_named
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.files.view_poses import Pose
from dnerf_core.labels import LabelSet
from dnerf_core.metrics import (
    SegmentationScores,
    confusion_matrix,
    depth_error,
    pooled_scores,
    psnr_db,
    segmentation_scores,
    silhouette_iou,
)
from dnerf_core.model import Model
from dnerf_core.subject import LabeledView, Subject


@dataclass(frozen=True)
class Shot:
    """Where a subject is seen from, and in which pose; None: its own."""

    camera: Camera
    pose: Pose | None = None


@dataclass(frozen=True)
class TruthScores:
    """How close one view, or the mean of many, is to the truth.

    Attributes:
        silhouette_iou: IoU of the pixels that show the subject (finite depth against a hit of the pixel-centre ray).
        psnr_db: of the 8-bit image against the box-filtered truth over white.
        depth_error: mean absolute planar depth difference over common pixels, as a fraction of its world's
            measure, such as the car's length.
    """

    silhouette_iou: float
    psnr_db: float
    depth_error: float


@dataclass(frozen=True, eq=False)
class ScoredView:
    """One scored view: seed, number, shot, scores, and the confusion of labels int64 [C, C]; None where masks are not scored."""

    seed: int
    view: int
    shot: Shot
    scores: TruthScores
    confusion: NDArray[np.int64] | None

    @property
    def miou(self) -> float:
        """Of this view alone; NaN where masks are not scored."""
        return math.nan if self.confusion is None else segmentation_scores(self.confusion).miou


def require_truth(model: Model) -> World:
    """The world of a model; refuses one whose truth is not known.

    Raises:
        UsageError: the model's generator is no demo's.
        CheckpointError: it says so, and has latents of another length than the demo's.
    """
    name = model.config.name
    if not is_known(name):
        raise UsageError(
            f"exact truth: expected a model made from {names_text()}, found {name!r}; score it against an annotated folder"
        )
    world = world_named(name)
    if model.config.latent.z_dim != world.z_dim:
        raise CheckpointError(
            f"{model.header.path}: expected latents of {world.z_dim} numbers, as the demo's, found {model.config.latent.z_dim}; "
            "score it against an annotated folder"
        )
    return world


def scored_labels(model: Model) -> LabelSet | None:
    """The model's labels if they are the truth's, else None: its masks cannot be compared."""
    labels = model.labels if model.has_semantics else None
    return labels if labels is not None and labels.names == require_truth(model).labels.names else None


def random_view(
    config: CameraConfig, seed: int, view: int, yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]
) -> Camera:
    """View number `view` of a seed: uniform yaw and pitch, a function of (seed, view) alone."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, view))))
    return arc_cameras(config, yaw_deg, pitch_deg, count=1, mode="random", rng=rng)[0]


def true_view(
    model: Model, seed: int, camera: Camera, size_px: int, *, samples_per_pixel: int = 4, pose: Pose | None = None
) -> tuple[TruthView, float]:
    """The exact picture of a seed's subject from a camera, and its measure (world units); see `World.view`."""
    z = torch.from_numpy(model.latent(seed))
    posed = None if pose is None else model.pose(pose)[0].cpu()
    return require_truth(model).view(z, camera, size_px, samples_per_pixel=samples_per_pixel, pose=posed)


def true_mask(model: Model, seed: int, camera: Camera, size_px: int, pose: Pose | None = None) -> NDArray[np.uint8]:
    """The exact label mask uint8 [H, W] of a seed's subject: that of `true_view`, in a fifth of its rays."""
    view, _ = true_view(model, seed, camera, size_px, samples_per_pixel=1, pose=pose)
    mask: NDArray[np.uint8] = view.mask[0].numpy()
    return mask


def true_rgb(truth: TruthView) -> NDArray[np.uint8]:
    """The exact picture as a file has it, uint8 [H, W, 3]."""
    rgb: NDArray[np.uint8] = (truth.rgb[0] * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return rgb


def compare(view: LabeledView, truth: TruthView, length: float) -> TruthScores:
    """Scores of one rendered view against its truth."""
    depth = truth.depth_planar[0].numpy()
    return TruthScores(
        silhouette_iou(np.isfinite(depth), np.isfinite(view.depth_planar)),
        psnr_db(true_rgb(truth), view.rgb),
        depth_error(depth, view.depth_planar, length),
    )


@dataclass(frozen=True, eq=False)
class ObservedView:
    """A view while it is scored: which one, the subject, what was rendered and the exact mask uint8 [H, W]."""

    seed: int
    view: int
    subject: Subject
    rendered: LabeledView
    true_mask: NDArray[np.uint8]


def score_views(
    model: Model,
    seeds: Sequence[int],
    shots: Callable[[int], Sequence[Shot]],
    observe: Callable[[ObservedView], None] | None = None,
) -> Iterator[ScoredView]:
    """Score views one at a time, at the model's own size; a subject is made once, and only numbers are kept.

    Args:
        model: one that `require_truth` lets pass.
        shots: how a seed's subject is seen.
        observe: shown each view before its scores are given.
    """
    size, labels = model.config.image_size, scored_labels(model)
    for seed in seeds:
        own = model.subject(seed)
        for number, shot in enumerate(shots(seed)):
            subject = own if shot.pose is None else own.posed(model.pose(shot.pose))
            rendered = subject.render(shot.camera)
            truth, length = true_view(model, seed, shot.camera, size, pose=shot.pose)
            confusion = None
            if labels is not None and rendered.mask is not None:
                confusion = confusion_matrix(truth.mask[0].numpy(), rendered.mask, labels.num_classes)
            if observe is not None:
                observe(ObservedView(seed, number, subject, rendered, truth.mask[0].numpy()))
            yield ScoredView(seed, number, shot, compare(rendered, truth, length), confusion)


def summarise(scored: Sequence[ScoredView]) -> tuple[TruthScores, SegmentationScores | None]:
    """Means of the views' scores, and label scores of the summed confusion; None where masks are not scored.

    A view without a pixel where both have a depth counts as a depth error of 1, the whole measure.
    """
    depths = [1.0 if math.isnan(item.scores.depth_error) else item.scores.depth_error for item in scored]
    means = TruthScores(
        float(np.mean([item.scores.silhouette_iou for item in scored])),
        float(np.mean([item.scores.psnr_db for item in scored])),
        float(np.mean(depths)),
    )
    confusions = [item.confusion for item in scored if item.confusion is not None]
    return means, pooled_scores(confusions) if confusions else None
