"""Data sets in folders: what `render` wrote, which is Hugging Face's layout, too, and what `sample` wrote, its masks painted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.images.sets.labeled_set import LabeledSet, ViewFacts
from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.files.annotated_folder import read_annotations
from dnerf_core.files.masks import read_sized_mask
from dnerf_core.files.names import RECORD_NAME
from dnerf_core.files.opening.regular_files import read_regular_bytes
from dnerf_core.files.split_folders import split_of_path
from dnerf_core.files.text import read_user_text
from dnerf_core.files.view_lists import ViewRow, read_view_lists


class FolderSet(LabeledSet):
    """What `render` wrote, or the folder of one of its splits.

    Raises:
        UsageError: no such data set, one that is not finished, or one without images or masks.
        AnnotationError: its labels.json cannot be used.
    """

    kind = "folder"

    def __init__(self, folder: Path) -> None:
        lists = read_view_lists(folder)
        if lists.labels is None:
            raise UsageError(
                f"{folder}: expected a data set with masks and labels.json, found none; render it with --channels rgb,mask"
            )
        top, named = split_of_path(folder)
        splits = (named,) if named is not None else lists.splits
        dealt = (
            [(split, row) for split in splits for row in read_view_lists(top, split).rows]
            if splits
            else [("", row) for row in lists.rows]
        )
        for _, row in dealt:
            if row.image is None or row.mask is None:
                lacks = "image" if row.image is None else "mask"
                raise UsageError(
                    f"{folder}: {row.name}: expected an image and a mask, found no {lacks}; render it with --channels rgb,mask"
                )
        numbered = _numbered_subjects(top)
        super().__init__(folder, lists.labels, [ViewFacts(row.name, _subject(row, numbered), split) for split, row in dealt])
        self._rows = [row for _, row in dealt]

    def data(self, index: int) -> tuple[bytes, bytes]:
        row = self._rows[index]
        assert row.image is not None and row.mask is not None
        return _bytes_of(row.image), _bytes_of(row.mask)

    def mask(self, index: int, data: bytes) -> NDArray[np.uint8]:
        path = self._rows[index].mask
        assert path is not None
        return read_sized_mask(path, self.labels, lambda width_px, height_px: None)


class PaintedSet(LabeledSet):
    """What `sample` wrote, its masks painted.

    Args:
        skip_unpainted: leave out masks in which nothing is painted instead of refusing them.

    Raises:
        UnpaintedError: masks with nothing painted.
        AnnotationError: the folder cannot be used as it is.
        CheckpointError: a subject file is gone, or another one by now.
    """

    kind = "painted"

    def __init__(self, folder: Path, *, skip_unpainted: bool = False) -> None:
        found = read_annotations([folder], skip_unpainted=skip_unpainted)
        self.skipped = found.skipped
        views = []
        for image in found.images:
            file = image.subject.file
            views.append(ViewFacts(image.name, f"seed {image.subject.seed}" if file is None else f"file {file.sha256}", ""))
        super().__init__(folder, found.labels, views)
        self._images = [folder / "images" / f"{image.name}.png" for image in found.images]
        self._masks = [image.mask for image in found.images]

    def data(self, index: int) -> tuple[bytes, bytes]:
        return _bytes_of(self._images[index]), self._masks[index].tobytes()

    def mask(self, index: int, data: bytes) -> NDArray[np.uint8]:
        return self._masks[index]


def record_command(folder: Path) -> str | None:
    """Which command a folder's record says that it is of, such as "render" or "sample"; None: it has no such record."""
    command = _record(folder).get("command")
    return command if isinstance(command, str) else None


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD_NAME
    if not path.is_file():
        return {}
    try:
        record = json.loads(read_user_text(path, "the record of a data set"))
    except (ValueError, RecursionError):
        return {}  # whatever it was, it is no record; the lists beside it tell what they are
    return record if isinstance(record, dict) else {}


def _numbered_subjects(folder: Path) -> dict[int, str]:
    """What the subjects of a data set are whose numbers are not their seeds: those of files, and seeds that were added once more."""
    plan = _record(folder).get("plan")
    if not isinstance(plan, dict):
        return {}
    files, added = plan.get("subject_files"), plan.get("added")
    if isinstance(files, list):
        return {number: f"file {_sum_of(file)}" for number, file in enumerate(files)}
    subjects = [subject for subject in added if isinstance(subject, dict)] if isinstance(added, list) else []
    return {
        subject["number"]: f"file {_sum_of(subject)}" if "subject_file" in subject else f"seed {subject.get('seed')}"
        for subject in subjects
        if isinstance(subject.get("number"), int)
    }


def _sum_of(file: Any) -> str:
    return str(file.get("sha256")) if isinstance(file, dict) else hashlib.sha256(repr(file).encode()).hexdigest()


def _subject(row: ViewRow, numbered: dict[int, str]) -> str:
    return numbered.get(row.seed, f"seed {row.seed}")


def _bytes_of(path: Path) -> bytes:
    try:
        return read_regular_bytes(path)
    except OSError as error:
        raise AnnotationError(
            f"{path}: expected a file of the data set, it cannot be read: {error.strerror or error}; make it again"
        ) from error
