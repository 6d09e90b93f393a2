"""Scores as data, as JSON and as a table; and a model's masks against painted ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.files.annotated_folder import AnnotatedImage
from dnerf_core.labels import LabelSet
from dnerf_core.metrics import SegmentationScores, confusion_matrix, pooled_scores, segmentation_scores
from dnerf_core.subject_key import SubjectKey
from headless.pictures.picture_grid import picture_grid
from headless.pictures.wrong_pixels import WRONG_COLUMN, wrong_pixels

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import LabeledView

GRID_ROWS = 8
"""Views that a picture grid shows."""


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """One painted view and how the model's mask compares: confusion int64 [C, C], and the mIoU of this view alone."""

    image: AnnotatedImage
    confusion: NDArray[np.int64]

    @property
    def miou(self) -> float:
        """Of this view alone; NaN where every pixel is ignored."""
        return segmentation_scores(self.confusion).miou


def score_images(model: Model, images: Sequence[AnnotatedImage], labels: LabelSet) -> Iterator[ScoredImage]:
    """Render each painted view and compare the masks; a subject is made once, its views in a row.

    Raises:
        AnnotationError: the model has no semantic branch, or one of other labels.
    """
    require_labels(model, labels)
    for image, view in _rendered(model, images):
        assert view.mask is not None
        yield ScoredImage(image, confusion_matrix(image.mask, view.mask, labels.num_classes))


def require_labels(model: Model, labels: LabelSet) -> None:
    """Refuse a model whose masks do not mean what `labels` says.

    Raises:
        AnnotationError: the model has no semantic branch, or one of other labels.
    """
    if not model.has_semantics or model.labels is None:
        raise AnnotationError(f"{model.header.path}: expected a model with a semantic branch, found none; train one first")
    if model.labels.names != labels.names:
        raise AnnotationError(
            f"{model.header.path}: expected the labels of the masks ({', '.join(labels.names)}), found "
            f"{', '.join(model.labels.names)}; score the model against masks of its own labels"
        )


def pooled(scored: Sequence[ScoredImage]) -> SegmentationScores:
    """Scores of at least one view together."""
    return pooled_scores([item.confusion for item in scored])


def segmentation_json(scores: SegmentationScores | None, labels: LabelSet | None) -> dict[str, Any]:
    """`miou`, `accuracy` and `iou_per_class` by name; null where there is nothing to score."""
    if scores is None or labels is None:
        return {"miou": None, "accuracy": None, "iou_per_class": None}
    per_class = {name: rounded(value) for name, value in zip(labels.names, scores.iou_per_class, strict=True)}
    return {"miou": rounded(scores.miou), "accuracy": rounded(scores.accuracy), "iou_per_class": per_class}


def rounded(value: float) -> float | None:
    """Six digits after the point, as JSON takes it: null where it is not finite."""
    return round(float(value), 6) if math.isfinite(value) else None


def score_table(rows: Mapping[str, float | None], per_class: Mapping[str, float | None] | None = None) -> list[str]:
    """Lines of a table for people: a name and a number each, the classes indented at the end."""
    named = dict(rows) | {f"  IoU {name}": value for name, value in (per_class or {}).items()}
    width = max(len(name) for name in named)
    return [f"{name:<{width}}  {'-' if value is None else f'{value:8.4f}'}" for name, value in named.items()]


def mask_grid(
    title: str, model: Model, scored: Sequence[ScoredImage], labels: LabelSet, *, call_sha256: str | None = None
) -> bytes:
    """A PNG of the worst views and typical ones: the image, the painted mask and the model's laid over it, and wrong pixels.

    `call_sha256` as in `picture_grid`.
    """
    picked = [(which, scored[index]) for which, index in worst_and_typical([item.miou for item in scored])]
    rows = []
    for (which, item), (image, view) in zip(picked, _rendered(model, [item.image for _, item in picked]), strict=True):
        assert view.mask is not None
        pictures = [view.rgb, labels.overlay(view.rgb, image.mask), labels.overlay(view.rgb, view.mask)]
        pictures.append(wrong_pixels(image.mask, view.mask))
        rows.append((f"{image.name}\nmIoU {item.miou:.3f}\n{which}", pictures))
    return picture_grid(title, ("image", "painted", "model", WRONG_COLUMN), rows, labels, call_sha256=call_sha256)


def worst_and_typical(values: Sequence[float], count: int = GRID_ROWS) -> list[tuple[str, int]]:
    """Which of some views to look at: the worst half of `count`, then those around the median.

    Args:
        values: a score of each view, higher is better; NaN counts as the worst.

    Returns:
        ("worst" or "typical", index) of each, the worst first; ("", index) of all where there are no more than `count`.
    """
    order = sorted(range(len(values)), key=lambda index: -math.inf if math.isnan(values[index]) else values[index])
    if len(order) <= count:
        return [("", index) for index in order]
    worst = order[: count // 2]
    typical = count - len(worst)
    start = max(len(worst), len(order) // 2 - typical // 2)
    return [("worst", index) for index in worst] + [("typical", index) for index in order[start : start + typical]]


def _rendered(model: Model, images: Sequence[AnnotatedImage]) -> Iterator[tuple[AnnotatedImage, LabeledView]]:
    opened: tuple[SubjectKey, Any] | None = None
    for image in images:
        if opened is None or opened[0] != image.subject:
            opened = (image.subject, image.subject.open(model))
        yield image, opened[1].render(image.camera)
