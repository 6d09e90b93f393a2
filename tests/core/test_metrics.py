"""Scores by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dnerf_core.errors import AnnotationError
from dnerf_core.metrics import confusion_matrix, depth_error, pooled_scores, psnr_db, segmentation_scores, silhouette_iou

TRUTH = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
PREDICTED = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)


def test_confusion_by_hand() -> None:
    """Rows are the truth; the pixel whose truth is 255 is left out although its prediction is 2."""
    assert confusion_matrix(TRUTH, PREDICTED, 4).tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_scores_by_hand() -> None:
    """Class 0: 1 / (1+1+1); class 1: 2 / 3; class 2: 0 / 1; class 3 occurs nowhere and is left out of the mean."""
    scores = segmentation_scores(confusion_matrix(TRUTH, PREDICTED, 4))
    assert scores.iou_per_class[:3] == pytest.approx([1 / 3, 2 / 3, 0])
    assert math.isnan(scores.iou_per_class[3])
    assert scores.miou == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert scores.accuracy == pytest.approx(3 / 5)


def test_a_class_only_predicted_counts_as_zero() -> None:
    truth, predicted = np.array([0, 0]), np.array([0, 3])
    scores = segmentation_scores(confusion_matrix(truth, predicted, 4))
    assert scores.miou == pytest.approx((1 / 2 + 0) / 2)


def test_nothing_to_score() -> None:
    scores = segmentation_scores(confusion_matrix(np.array([255]), np.array([0]), 2))
    assert math.isnan(scores.miou) and math.isnan(scores.accuracy)


def test_confusions_add_up() -> None:
    """The score of two views is that of their union."""
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 2, 8, 8))
    total = confusion_matrix(truth[0], predicted[0], 3) + confusion_matrix(truth[1], predicted[1], 3)
    assert np.array_equal(total, confusion_matrix(truth, predicted, 3))


def test_pooled_scores_count_pixels_and_not_views() -> None:
    """Class 0: 4 / 5; class 1: 0 / 1. The views alone have mIoU 1 and 0, whose mean is another number."""
    scores = pooled_scores([np.array([[4, 0], [0, 0]]), np.array([[0, 1], [0, 0]])])
    assert scores.iou_per_class == pytest.approx([4 / 5, 0])
    assert (scores.miou, scores.accuracy) == pytest.approx((2 / 5, 4 / 5))


def test_bad_masks_are_named() -> None:
    with pytest.raises(AnnotationError, match=r"predicted mask: expected shape \[2, 3\] to go with truth, found \[3\]; resize"):
        confusion_matrix(TRUTH, PREDICTED[0], 4)
    with pytest.raises(AnnotationError, match="truth: expected ids 0 to 1, found 2; use the label set"):
        confusion_matrix(TRUTH, PREDICTED, 2)
    with pytest.raises(AnnotationError, match="predicted mask: expected ids 0 to 2, found 255"):
        confusion_matrix(TRUTH, np.full_like(TRUTH, 255), 3)


def test_silhouette_by_hand() -> None:
    truth, predicted = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert silhouette_iou(truth, predicted) == pytest.approx(1 / 3)
    assert silhouette_iou(truth & False, truth & False) == 1
    with pytest.raises(AnnotationError, match=r"predicted silhouette: expected bool \[4\] to go with truth, found bool \[2\]"):
        silhouette_iou(truth, predicted[:2])


def test_psnr_by_hand() -> None:
    """An error of 10 in every channel: 10 log10(65025 / 100); uint8 differences do not wrap round."""
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(black, black + 10) == pytest.approx(10 * math.log10(650.25))
    assert psnr_db(black + 10, black) == pytest.approx(10 * math.log10(650.25))
    assert psnr_db(black, black) == math.inf
    with pytest.raises(AnnotationError, match=r"image: expected uint8 \[4, 4, 3\] to go with truth, found uint8 \[2, 4, 3\]"):
        psnr_db(black, black[:2])


def test_depth_error_by_hand() -> None:
    """Common pixels are the first and the last: (0.1 + 0.3) / 2 of a length 2 is 0.1."""
    truth = np.array([1.0, np.inf, 2.0, 3.0], np.float32)
    depth = np.array([1.1, 5.0, np.inf, 2.7], np.float32)
    assert depth_error(truth, depth, 2.0) == pytest.approx(0.1, rel=1e-5)
    assert math.isnan(depth_error(truth[1:2], depth[1:2], 2.0))
    with pytest.raises(AnnotationError, match=r"depth: expected shape \[4\] to go with truth, found \[3\]"):
        depth_error(truth, depth[:3], 2.0)
