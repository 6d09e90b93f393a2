"""Predicted masks as ids of the label set that they are scored with: by names where the predictions say theirs, else the ids themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, UsageError, brief, did_you_mean, json_fault
from dnerf_core.files.names import ID2LABEL_NAME, LABELS_NAME
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.labels import IGNORE_ID, LabelSet
from headless.annotating.importing.label_names import LabelNames
from headless.scores.predictions.files import MaskFile, folder_of_masks, ids_of_picture, ids_of_video

_NO_LABEL = -1
CORRECT = "correct the names in"


@dataclass(frozen=True, eq=False)
class PredictionLabels:
    """What ids of predictions mean.

    Attributes:
        labels: the label set that they are scored with.
        own: the predictions' own labels.json; None: they have none.
        table: int16 [256], by a prediction's id the id in `labels`, or -1.
        names: by a prediction's id what the predictions call it; empty: they do not say.
        source: the file that says so; None: none does.
        unused: names that were to be taken for a label and that the predictions do not have.
    """

    labels: LabelSet
    own: LabelSet | None
    table: NDArray[np.int16]
    names: dict[int, str]
    source: Path | None
    unused: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, labels: LabelSet, pairs: Sequence[str] = ()) -> PredictionLabels:
        """What a folder of predictions says of its ids.

        Args:
            pairs: `name=label` for names that mean a label though they are spelled otherwise, see `LabelNames`.

        Raises:
            AnnotationError: its labels.json or id2label.json cannot be used.
            UsageError: a wrong pair, or pairs where the ids have no names.
        """
        known = LabelNames(labels, pairs)
        folder = folder_of_masks(folder)
        own, source = None, folder / LABELS_NAME
        if source.is_file():
            own = read_labels(folder)
            names = dict(enumerate(own.names))
        elif (source := folder / ID2LABEL_NAME).is_file():
            names = _id2label(source)
        else:
            if pairs:
                raise UsageError(
                    f"--map: expected a {LABELS_NAME} or {ID2LABEL_NAME} beside the predictions, whose names it takes for labels, found "
                    f"none in {folder}; add one, or leave --map out"
                )
            table = np.full(256, _NO_LABEL, np.int16)
            table[[*range(labels.num_classes), IGNORE_ID]] = [*range(labels.num_classes), IGNORE_ID]
            return cls(labels, None, table, {}, None)
        table = np.full(256, _NO_LABEL, np.int16)
        for number, name in names.items():
            value = known.id_of(name)
            table[number] = _NO_LABEL if value is None else value
        table[IGNORE_ID] = IGNORE_ID
        return cls(labels, own, table, names, source, tuple(known.unused))

    def frames(self, file: MaskFile) -> Iterator[NDArray[np.uint8]]:
        """The ids uint8 [H, W] of each frame of a prediction, a picture's one.

        Raises:
            AnnotationError: it cannot be read, or has an id or a colour that means none of the labels.
        """
        if file.is_video:
            for number, ids in enumerate(ids_of_video(file.path)):
                yield self._translated(ids, f"{file.path}: frame {number}")
        else:
            colors = self.labels if self.source is None else self.own
            yield self._translated(ids_of_picture(file.path, colors), str(file.path))

    def _translated(self, ids: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
        translated = self.table[ids]
        strange = translated < 0
        if strange.any():
            row, column = (int(index) for index in np.argwhere(strange)[0])
            number = int(ids[row, column])
            at = f"at column {column}, row {row}"
            if self.source is None:
                raise AnnotationError(
                    f"{where}: expected ids 0 to {self.labels.num_classes - 1} of the labels {self.labels.names_text()}, found {number} "
                    f"{at}; put a {LABELS_NAME} or {ID2LABEL_NAME} that names the ids beside the predictions"
                )
            name = (
                f"{brief(self.names[number])} (id {number}){did_you_mean(self.names[number], self.labels.names)}"
                if number in self.names
                else f"id {number}"
            )
            hint = f"say with --map which label it is, or {CORRECT}" if number in self.names else CORRECT
            raise AnnotationError(
                f"{where}: expected the labels {self.labels.names_text()}, found {name} {at}; {hint} {self.source}"
            )
        return translated.astype(np.uint8)


def read_labels(folder: Path) -> LabelSet:
    """The label set of a folder of masks.

    Raises:
        AnnotationError: its labels.json is not there, or cannot be used.
    """
    path = folder_of_masks(folder) / LABELS_NAME
    return LabelSet.from_json(_text(path), str(path))


def _id2label(path: Path) -> dict[int, str]:
    """The names by id of an id2label.json, as `transformers` writes it, or of a model's config.json."""
    try:
        data: Any = without_surrogates(json.loads(_text(path)))
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: expected JSON, found {json_fault(error)}; is it a file of names by id?") from None
    entries = data if isinstance(data, dict) else {}
    names: dict[int, str] = {}
    for key, name in entries.items():
        if re.fullmatch(r"[0-9]{1,3}", key, re.ASCII) is None or int(key) >= IGNORE_ID or not isinstance(name, str):
            raise AnnotationError(
                f'{path}: expected ids from 0 to {IGNORE_ID - 1} and names, such as "1": "hood", found {brief({key: name})}; correct it'
            )
        names[int(key)] = name
    if not names:
        raise AnnotationError(f'{path}: expected names by id, such as {{"0": "background"}}, found {brief(data)}; correct it')
    return names


def _text(path: Path) -> str:
    try:
        return read_regular_text(path, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "no file" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error})"
        raise AnnotationError(
            f"{path}: expected the names of the ids in the masks, found {reason}; add a {LABELS_NAME} as render writes it"
        ) from error
