"""Scores over folds: of all of them together, and their mean and spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import LabelSet
from dnerf_core.metrics import SegmentationScores, pooled_scores, segmentation_scores
from headless.scores.scoring import rounded, segmentation_json


@dataclass(frozen=True, eq=False)
class FoldScore:
    """What a fold's branch scored on it.

    Attributes:
        confusion: int64 [C, C] of all its views.
        views, subjects: held out.
        views_learned: what the branch learned from.
    """

    confusion: NDArray[np.int64]
    views: int
    subjects: int
    views_learned: int

    @property
    def scores(self) -> SegmentationScores:
        """Of its views together."""
        return segmentation_scores(self.confusion)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "confusion": self.confusion.tolist(),
            "views": self.views,
            "subjects": self.subjects,
            "views_learned": self.views_learned,
        }


def fold_json(number: int, fold: FoldScore, labels: LabelSet) -> dict[str, Any]:
    """A fold's scores as JSON values."""
    counts = {"fold": number, "subjects": fold.subjects, "views": fold.views, "views_learned": fold.views_learned}
    return {**counts, **segmentation_json(fold.scores, labels)}


def folds_json(folds: Sequence[FoldScore], labels: LabelSet) -> dict[str, Any]:
    """`miou`, `accuracy` and `iou_per_class` of all pixels of all folds, the same of each, and over folds their mean and spread."""
    scores = [fold.scores for fold in folds]
    per_class = zip(labels.names, zip(*(found.iou_per_class for found in scores), strict=True), strict=True)
    return {
        **segmentation_json(pooled_scores([fold.confusion for fold in folds]), labels),
        "folds": [fold_json(number, fold, labels) for number, fold in enumerate(folds, start=1)],
        "over_folds": {
            "miou": _spread([found.miou for found in scores]),
            "accuracy": _spread([found.accuracy for found in scores]),
            "iou_per_class": {name: _spread(values) for name, values in per_class},
        },
    }


def folds_table(result: dict[str, Any]) -> list[str]:
    """Lines for people: of all folds together, and in brackets mean and spread over them."""
    over = result["over_folds"]
    rows = [("mIoU", result["miou"], over["miou"]), ("accuracy", result["accuracy"], over["accuracy"])]
    rows += [(f"  IoU {name}", value, over["iou_per_class"][name]) for name, value in result["iou_per_class"].items()]
    width = max(len(name) for name, _, _ in rows)
    return [f"{name:<{width}}  {_text(value)}   ({_text(mean['mean'])} ± {_text(mean['spread'])})" for name, value, mean in rows]


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and the sample's standard deviation of what can be told."""
    known = [value for value in values if math.isfinite(value)]
    mean = statistics.fmean(known) if known else math.nan
    spread = statistics.stdev(known) if len(known) > 1 else math.nan
    return {"mean": rounded(mean), "spread": rounded(spread)}


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
