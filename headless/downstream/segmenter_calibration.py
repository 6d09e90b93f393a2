"""A trained segmenter's calibration: on the views that it was not trained on, else on those that it was. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.downstream.images.augment import Augmenter
from dnerf_core.downstream.images.calibration import Calibration, Look, Sampled, calibration_of, foreign_picture
from dnerf_core.downstream.images.segmenter import Segmenter
from dnerf_core.downstream.images.stream import ChangedViews
from dnerf_core.labels import IGNORE_ID

if TYPE_CHECKING:
    from torch import Tensor, nn

    from headless.downstream.segmenter_plan import SegmenterPlan

VIEWS, _PHOTOGRAPHS = 96, 48
"""Views that a network is calibrated on, spread evenly, and how many of them as photographs, too."""
_FOREIGN = 48
_SEED = 20231129
"""Of the changes, apart from those of the training."""


def calibrated(plan: SegmenterPlan, network: nn.Module) -> Calibration:
    """What is measured on a network in evaluation mode.

    Views are seen as they are; where photographs were learned from, each is also seen as one, anew.

    Raises:
        AnnotationError: a file of a view cannot be read any more.
    """
    segmenter = Segmenter(network.eval(), plan.labels, plan.size_px)
    sampled, alike, foreign = Sampled(), list[Look](), list[Look]()

    def add(image: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        scores = _scores(segmenter, image)
        sampled.add(scores, truth)
        if ((truth != 0) & (truth != IGNORE_ID)).any():
            alike.append(Look.at(scores))

    for number, (image, truth) in enumerate(_views(plan)):
        add(image, _at_size(truth, plan.size_px))
        if number < _FOREIGN:
            foreign.append(Look.at(_scores(segmenter, foreign_picture(image, number, plan.call.seed))))
    for image, truth in _photographs(plan):
        add(image, truth)
    return calibration_of(sampled.temperature(), alike, foreign)


def _views(plan: SegmenterPlan) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    places = plan.division.scored or plan.division.trained
    count = min(VIEWS, len(places))
    for number in range(count):
        yield plan.joined.pair(places[number * len(places) // count])


def _photographs(plan: SegmenterPlan) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    photographs = plan.photographs(_SEED)
    if photographs is None:
        return
    places = plan.division.scored or plan.division.trained
    views = ChangedViews(
        plan.joined, places, Augmenter(plan.augmentation, plan.mirrored_ids, photographs), plan.call.seed + _SEED
    )
    count = number = 0
    while count < min(_PHOTOGRAPHS, len(places)):
        if (photograph := photographs.drawn(number)) is not None and not photograph.empty:
            image, truth = views[number]
            yield image.permute(1, 2, 0).numpy(), truth.numpy()
            count += 1
        number += 1


def _scores(segmenter: Segmenter, image: NDArray[np.uint8]) -> Tensor:
    return segmenter.class_scores(torch.tensor(image).permute(2, 0, 1)[None])[0]


def _at_size(truth: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """A mask at the size that the network sees: the nearest pixel's label."""
    factor = size_px / max(truth.shape)
    rows, columns = (
        np.minimum(((np.arange(max(1, round(side * factor))) + 0.5) / factor).astype(np.int64), side - 1) for side in truth.shape
    )
    return np.ascontiguousarray(truth[rows][:, columns])
