"""The demo against its exact truth, view by view; only numbers are kept, so any number of views can be scored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.demo.truth import TRUTH_PITCH_DEG, TRUTH_YAW_DEG, TruthScores, compare, random_view, require_demo, true_view
from dnerf_core.errors import CheckpointError
from dnerf_core.generator.config import CameraConfig, GeneratorConfig
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from dnerf_core.metrics import SegmentationScores, confusion_matrix, segmentation_scores
from dnerf_core.model import Model
from headless.scoring import rounded, worst_and_typical
from headless.writers.picture_grid import picture_grid

VIDEO_FRAMES = 61
VIDEO_YAW_DEG = (-30.0, 30.0)


@dataclass(frozen=True)
class TruthViews:
    """From where each subject is seen: `count` random views, keyed by seed and number, or the frames of an even arc."""

    video: bool
    count: int
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]

    @staticmethod
    def chosen(
        config: GeneratorConfig,
        *,
        video: bool,
        count: int | None,
        yaw_deg: tuple[float, float] | None,
        pitch_deg: tuple[float, float] | None,
    ) -> TruthViews:
        """The views meant by options of which each may be missing."""
        own = config.cameras.pitch_deg
        return TruthViews(
            video=video,
            count=count or (VIDEO_FRAMES if video else 1),
            yaw_deg=yaw_deg or (VIDEO_YAW_DEG if video else TRUTH_YAW_DEG),
            pitch_deg=pitch_deg or ((own, own) if video else TRUTH_PITCH_DEG),
        )

    def cameras(self, config: CameraConfig, seed: int) -> list[Camera]:
        """The cameras of one subject."""
        if self.video:
            return arc_cameras(config, self.yaw_deg, self.pitch_deg, count=self.count, mode="even")
        return [random_view(config, seed, view, self.yaw_deg, self.pitch_deg) for view in range(self.count)]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "spacing": "even" if self.video else "random",
            "views_of_each": self.count,
            "yaw_deg": list(self.yaw_deg),
            "pitch_deg": list(self.pitch_deg),
        }


@dataclass(frozen=True, eq=False)
class TruthView:
    """One scored view: seed, number, camera, scores, and the confusion of labels int64 [C, C]; None where masks are not scored."""

    seed: int
    view: int
    camera: Camera
    scores: TruthScores
    confusion: NDArray[np.int64] | None

    @property
    def miou(self) -> float:
        """Of this view alone; NaN where masks are not scored."""
        return math.nan if self.confusion is None else segmentation_scores(self.confusion).miou

    def to_json(self) -> dict[str, Any]:
        """As JSON values, null where there is nothing to score."""
        scores = self.scores
        return {
            "seed": self.seed,
            "view": self.view,
            "silhouette_iou": rounded(scores.silhouette_iou),
            "psnr_db": rounded(scores.psnr_db),
            "depth_error": rounded(scores.depth_error),
            "miou": rounded(self.miou),
        }


def require_truth(model: Model) -> None:
    """Refuse a model whose truth is not known.

    Raises:
        UsageError: the model's generator is not the demo's.
        CheckpointError: it says so, and has latents of another length than the demo's.
    """
    from dnerf_core.demo.world import Z_DIM

    require_demo(model)
    if model.config.mapping.z_dim != Z_DIM:
        raise CheckpointError(
            f"{model.header.path}: expected latents of {Z_DIM} numbers, as the demo's, found {model.config.mapping.z_dim}; "
            "score it against an annotated folder"
        )


def scored_labels(model: Model) -> LabelSet | None:
    """The model's labels if they are the truth's, else None: its masks cannot be compared."""
    labels = model.labels if model.has_semantics else None
    return labels if labels is not None and labels.names == SHAPENET_CAR_LABELS.names else None


def score_views(model: Model, seeds: Sequence[int], views: TruthViews) -> Iterator[TruthView]:
    """Score the views of each seed, at the model's own size."""
    size, with_masks = model.config.image_size, scored_labels(model) is not None
    for seed in seeds:
        subject = model.subject(seed)
        for number, camera in enumerate(views.cameras(model.config.cameras, seed)):
            rendered = subject.render(camera)
            truth, length = true_view(model, seed, camera, size)
            confusion = None
            if with_masks and rendered.mask is not None:
                confusion = confusion_matrix(truth.mask[0].numpy(), rendered.mask, SHAPENET_CAR_LABELS.num_classes)
            yield TruthView(seed, number, camera, compare(rendered, truth, length), confusion)


def summarise(scored: Sequence[TruthView]) -> tuple[TruthScores, SegmentationScores | None]:
    """Means of the views' scores, and label scores of the summed confusion; None where masks are not scored.

    A view without a pixel where both have a depth counts as a depth error of 1, the whole length.
    """
    depths = [1.0 if math.isnan(item.scores.depth_error) else item.scores.depth_error for item in scored]
    means = TruthScores(
        float(np.mean([item.scores.silhouette_iou for item in scored])),
        float(np.mean([item.scores.psnr_db for item in scored])),
        float(np.mean(depths)),
    )
    confusions = [item.confusion for item in scored if item.confusion is not None]
    return means, segmentation_scores(np.sum(confusions, axis=0)) if confusions else None


def truth_grid(title: str, model: Model, scored: Sequence[TruthView]) -> bytes:
    """A PNG of the worst views and typical ones: true and rendered image, true mask and the model's.

    Worst by mIoU where masks are scored, else by the silhouette.
    """
    labels = scored_labels(model)
    values = [item.scores.silhouette_iou if labels is None else item.miou for item in scored]
    rows = []
    for which, index in worst_and_typical(values):
        item = scored[index]
        rendered = model.subject(item.seed).render(item.camera)
        truth, _ = true_view(model, item.seed, item.camera, model.config.image_size)
        pictures = [(truth.rgb[0] * 255).round().clamp(0, 255).to(torch.uint8).numpy(), rendered.rgb]
        if labels is not None and rendered.mask is not None:
            pictures += [labels.colorize(truth.mask[0].numpy()), labels.colorize(rendered.mask)]
        kind = "silhouette IoU" if labels is None else "mIoU"
        rows.append((f"seed {item.seed}, view {item.view}\n{kind} {values[index]:.3f}\n{which}", pictures))
    columns = ("truth", "rendered", *(() if labels is None else ("true labels", "model's labels")))
    return picture_grid(title, columns, rows, labels)
