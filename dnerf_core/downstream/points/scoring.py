"""Scores of labelled clouds: the confusion of all points, and the parts' IoU of each cloud as ShapeNetPart's benchmark has it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import IGNORE_ID
from dnerf_core.metrics import SegmentationScores, confusion_matrix, segmentation_scores


@dataclass(frozen=True)
class CloudScores:
    """Scores of some clouds.

    Attributes:
        points: of all their points together; `iou_per_class` has the background first, which no point is.
        part_miou: mean over clouds of the mean over all parts of a cloud's IoU, where a part that neither truth nor prediction has counts
            as 1 (Yi et al. 2016); NaN without clouds.
    """

    points: SegmentationScores
    part_miou: float


def score_clouds(pairs: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]], num_classes: int) -> CloudScores:
    """Scores of clouds' labels against their truth.

    Args:
        pairs: truth and prediction, uint8 [N] each; points whose truth is 0 or 255 are left out.
        num_classes: with background.

    Raises:
        AnnotationError: lengths that differ, or ids that are no labels.
    """
    total = np.zeros((num_classes, num_classes), np.int64)
    of_clouds = []
    for truth, predicted in pairs:
        confusion = confusion_matrix(np.where(truth == 0, np.uint8(IGNORE_ID), truth), predicted, num_classes)
        total += confusion
        if confusion.any():
            iou = np.array(segmentation_scores(confusion).iou_per_class[1:])
            of_clouds.append(float(np.where(np.isnan(iou), 1.0, iou).mean()))
    return CloudScores(segmentation_scores(total), float(np.mean(of_clouds)) if of_clouds else math.nan)
