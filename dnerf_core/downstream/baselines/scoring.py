"""Any labeller against the truth of a test set: pooled over all of its views, as all scores here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.images.sets.joined import id_table
from dnerf_core.downstream.images.sets.opening import open_set
from dnerf_core.errors import AnnotationError
from dnerf_core.labels import LabelSet
from dnerf_core.metrics import SegmentationScores, confusion_matrix, pooled_scores


class Labeller(Protocol):
    """What names the pixels of a picture: a `Segmenter`, or a baseline."""

    @property
    def labels(self) -> LabelSet:
        """What its ids mean."""

    def predict(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The labels uint8 [H, W] of a picture uint8 [H, W, 3], RGB, and how sure they are, float32 [H, W]."""


@dataclass(frozen=True, eq=False)
class TestScores:
    """What a labeller scored on a test set.

    Attributes:
        labels: the labeller's.
        confusions: of each view, int64 [C, C].
    """

    __test__ = False  # pytest takes classes of such names for tests

    labels: LabelSet
    confusions: tuple[NDArray[np.int64], ...]

    @property
    def pooled(self) -> SegmentationScores:
        """Of all views together."""
        return pooled_scores(self.confusions)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: mIoU, accuracy and the IoU of each label; null where nothing can be told."""
        scores = self.pooled
        iou = zip(self.labels.names, scores.iou_per_class, strict=True)
        return {
            "views": len(self.confusions),
            "miou": _number(scores.miou),
            "accuracy": _number(scores.accuracy),
            "iou_per_class": {name: _number(value) for name, value in iou},
        }


def score(labeller: Labeller, test: Path, advance: Callable[[], None] = lambda: None) -> TestScores:
    """Score a labeller on all views of a test set, whichever split they are in.

    Args:
        test: what `render` or `world` wrote, its shards, or painted samples.
        advance: called after each view.

    Raises:
        DNeRFError: the set cannot be used, has no views, or other labels.
    """
    found = open_set(test, skip_unpainted=True)
    ids = id_table(found, labeller.labels, "the labeller")
    if not found.views:
        raise AnnotationError(f"{test}: expected views to score, found none; name another test set")
    confusions = []
    for index in range(len(found.views)):
        image, truth = found.pair(index)
        predicted, _ = labeller.predict(image)
        confusions.append(confusion_matrix(ids[truth], predicted, labeller.labels.num_classes))
        advance()
    return TestScores(labeller.labels, tuple(confusions))


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
