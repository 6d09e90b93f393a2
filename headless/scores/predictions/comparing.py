"""Predictions against a truth: which belong together, the confusion of each view, tables and a picture grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.labels import IGNORE_ID, LabelSet
from dnerf_core.metrics import confusion_matrix, pooled_scores, segmentation_scores
from headless.pictures.picture_grid import picture_grid
from headless.pictures.wrong_pixels import WRONG_COLUMN, wrong_pixels
from headless.scores.predictions.files import MaskFile
from headless.scores.predictions.reading import PredictionLabels
from headless.scores.predictions.truths import TrueItem
from headless.scores.scoring import rounded, worst_and_typical

WORST = 5
"""Views that a result names."""


@dataclass(frozen=True)
class Matched:
    """What predictions and a truth have in common, and the names that only one of them has."""

    pairs: list[tuple[TrueItem, MaskFile]]
    missing: list[str]
    superfluous: list[str]

    @classmethod
    def by_name(cls, items: Sequence[TrueItem], files: dict[str, MaskFile]) -> Matched:
        """By the stems of their files, pictures with pictures and videos with videos."""
        pairs = [(item, files[item.name]) for item in items if item.name in files and files[item.name].is_video == item.is_video]
        taken = {item.name for item, _ in pairs}
        missing = [item.name for item in items if item.name not in taken]
        return cls(pairs, missing, [name for name in files if name not in taken])


@dataclass(frozen=True, eq=False)
class ScoredFrame:
    """One compared view or frame: `index` of its item, and the confusion int64 [C, C]."""

    item: TrueItem
    file: MaskFile
    index: int
    confusion: NDArray[np.int64]

    @property
    def name(self) -> str:
        """The view's name, or the clip's and the frame's number."""
        return f"{self.item.name} frame {self.index}" if self.item.is_video else self.item.name

    @property
    def miou(self) -> float:
        """Of this view alone; NaN where every pixel is ignored."""
        return segmentation_scores(self.confusion).miou


def score_pair(item: TrueItem, file: MaskFile, meaning: PredictionLabels) -> Iterator[ScoredFrame]:
    """Compare each frame of an item.

    Raises:
        AnnotationError: a mask that cannot be used, or of another size or number of frames.
    """
    predicted, count = meaning.frames(file), 0
    for index, truth in enumerate(item.masks()):
        ids = next(predicted, None)
        if ids is None:
            raise AnnotationError(f"{file.path}: expected a frame for each of the truth, found {index}; predict all of the video")
        yield ScoredFrame(item, file, index, _confusion(truth, ids, meaning.labels, file))
        count += 1
    if next(predicted, None) is not None:
        raise AnnotationError(f"{file.path}: expected {count} frames as the truth has, found more; predict this video")


def _confusion(truth: NDArray[np.uint8], ids: NDArray[np.uint8], labels: LabelSet, file: MaskFile) -> NDArray[np.int64]:
    if ids.shape != truth.shape:
        raise AnnotationError(
            f"{file.path}: expected a mask of {truth.shape[1]} x {truth.shape[0]} px as the truth is, found {ids.shape[1]} x "
            f"{ids.shape[0]}; scale it by nearest"
        )
    unanswered = (ids == IGNORE_ID) & (truth != IGNORE_ID)
    if unanswered.any():
        row, column = (int(index) for index in np.argwhere(unanswered)[0])
        raise AnnotationError(
            f"{file.path}: expected a label for each pixel that counts, found {IGNORE_ID} (ignore) at column {column}, row {row}; "
            "predict a label there"
        )
    return confusion_matrix(truth, ids, labels.num_classes)


def predictions_json(scored: Sequence[ScoredFrame]) -> dict[str, Any]:
    """`confusion`, pixels by true class (rows) and predicted class, and the `worst` views with their mIoU."""
    confusion = np.sum([item.confusion for item in scored], axis=0)
    return {"confusion": confusion.tolist(), "worst": [{"name": item.name, "miou": rounded(item.miou)} for item in worst(scored)]}


def worst(scored: Sequence[ScoredFrame]) -> list[ScoredFrame]:
    """The first views by their own mIoU, the lowest first; those without a pixel that counts are left out."""
    return sorted((item for item in scored if not np.isnan(item.miou)), key=lambda item: item.miou)[:WORST]


def confusion_table(scored: Sequence[ScoredFrame], labels: LabelSet) -> list[str]:
    """Lines for people: in percent of each true class's pixels what they were predicted as."""
    confusion = np.sum([item.confusion for item in scored], axis=0).astype(np.float64)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(100 * confusion, totals, out=np.zeros_like(confusion), where=totals > 0)
    names = [name if len(name) <= 16 else f"{name[:13]}..." for name in labels.names]
    widths = [max(5, len(name)) for name in names]
    first = max(len("true, %"), *map(len, names))
    rows = [(f"{'true, %':<{first}}", names)]
    rows += [
        (f"{name:<{first}}", [f"{share:.1f}" for share in row] if total else ["-"] * len(names))
        for name, row, total in zip(names, shares, totals[:, 0], strict=True)
    ]
    return [head + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True)) for head, cells in rows]


def predictions_grid(title: str, scored: Sequence[ScoredFrame], meaning: PredictionLabels) -> bytes:
    """A PNG of the worst views and typical ones: the image where there is one, the truth, the prediction, and where it is wrong."""
    picked = [(which, scored[index]) for which, index in worst_and_typical([item.miou for item in scored])]
    labels = meaning.labels
    found = [next(islice(item.item.images(), item.index, None), None) for _, item in picked]
    with_images = any(image is not None for image in found)
    rows = []
    for (which, item), image in zip(picked, found, strict=True):
        truth = next(islice(item.item.masks(), item.index, None))
        predicted = next(islice(meaning.frames(item.file), item.index, None))
        gray = np.full((*truth.shape, 3), 200, np.uint8)
        pictures = [gray if image is None else image] if with_images else []
        pictures += [labels.colorize(truth), labels.colorize(predicted), wrong_pixels(truth, predicted)]
        rows.append((f"{item.name.replace(' ', chr(10), 1)}\nmIoU {item.miou:.3f}\n{which}", pictures))
    columns = (*(("image",) if with_images else ()), "truth", "predicted", WRONG_COLUMN)
    return picture_grid(title, columns, rows, labels)


def pooled(scored: Sequence[ScoredFrame]) -> Any:
    """Scores of all views together."""
    return pooled_scores([item.confusion for item in scored])
