"""Scores of masks, images and depth against a truth (numpy only).

Convention: masks are integer arrays of class ids, 255 in the truth is ignored. Scores over many views add up their confusion matrices
first; they are not means of per-view scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.labels import IGNORE_ID, check_ids
from dnerf_core.shapes import check_shapes


@dataclass(frozen=True)
class SegmentationScores:
    """Scores from a confusion matrix.

    Attributes:
        miou: mean intersection over union of the classes that occur in the truth or in the prediction; NaN when none does.
        accuracy: share of pixels with the right class; NaN without pixels.
        iou_per_class: IoU of class c, NaN where neither the truth nor the prediction has it.
    """

    miou: float
    accuracy: float
    iou_per_class: tuple[float, ...]


def confusion_matrix(truth: NDArray[np.integer], predicted: NDArray[np.integer], num_classes: int) -> NDArray[np.int64]:
    """Pixel counts int64 [C, C]: row = true class, column = predicted class; pixels whose truth is 255 are left out.

    Args:
        truth, predicted: class ids of the same shape.
    Raises:
        AnnotationError: the shapes differ, or an id is neither a class nor, in the truth, 255.
    """
    check_shapes(AnnotationError, truth=(truth, "S..."), **{"predicted mask": (predicted, "S...")})
    counted = truth != IGNORE_ID
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    for name, ids in (("truth", rows), ("predicted mask", columns)):
        check_ids(ids, num_classes, name, "use the label set the masks were made with", ignored=False)
    return np.bincount(rows * num_classes + columns, minlength=num_classes**2).reshape(num_classes, num_classes)


def segmentation_scores(confusion: NDArray[np.int64]) -> SegmentationScores:
    """IoU_c = TP / (TP + FP + FN), their mean over the classes that occur, and accuracy, of a confusion matrix [C, C]."""
    hit = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hit
    iou = np.divide(hit, union, out=np.full_like(hit, np.nan), where=union > 0)
    occurs = union > 0
    total = int(confusion.sum())
    return SegmentationScores(
        miou=float(iou[occurs].mean()) if occurs.any() else math.nan,
        accuracy=float(hit.sum()) / total if total else math.nan,
        iou_per_class=tuple(float(value) for value in iou),
    )


def pooled_scores(confusions: Sequence[NDArray[np.int64]]) -> SegmentationScores:
    """Scores of many views, of at least one: those of the sum of their confusion matrices [C, C]."""
    return segmentation_scores(np.sum(confusions, axis=0))


def silhouette_iou(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """Intersection over union of two silhouettes of the same shape; 1 when both are empty.

    Raises:
        AnnotationError: the shapes differ.
    """
    check_shapes(AnnotationError, truth=(truth, "bool S..."), **{"predicted silhouette": (predicted, "bool S...")})
    union = int((truth | predicted).sum())
    return int((truth & predicted).sum()) / union if union else 1.0


def psnr_db(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio 10 log10(255^2 / mean squared error) of two uint8 images, dB; +inf when they are equal.

    Raises:
        AnnotationError: the shapes differ.
    """
    check_shapes(AnnotationError, truth=(truth, "uint8 S..."), image=(image, "uint8 S..."))
    error = float(np.mean((truth.astype(np.float64) - image.astype(np.float64)) ** 2))
    return 10 * math.log10(255.0**2 / error) if error else math.inf


def depth_error(truth: NDArray[np.floating], depth: NDArray[np.floating], length: float) -> float:
    """Mean absolute depth difference over the pixels where both are finite, as a fraction of `length`; NaN without such pixels.

    Args:
        truth, depth: planar depth of the same shape, world units, +inf at background.
        length: a length of the object, world units.
    Raises:
        AnnotationError: the shapes differ.
    """
    check_shapes(AnnotationError, truth=(truth, "S..."), depth=(depth, "S..."))
    common = np.isfinite(truth) & np.isfinite(depth)
    if not common.any():
        return math.nan
    return float(np.abs(truth[common].astype(np.float64) - depth[common]).mean()) / length
