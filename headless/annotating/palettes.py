"""A label set that grows while its folder is being painted: which labels a folder has by now, and masks whose palettes follow them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.files.names import LABELS_NAME, RECORD_NAME, labels_json
from dnerf_core.files.opening.decoding import PICTURE_ERRORS, decoded_picture
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.pictures import write_mask
from dnerf_core.files.text import read_user_text
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.labels import IGNORE_ID, LabelSet


@dataclass(frozen=True)
class FolderLabels:
    """The labels of a folder of `sample`.

    Attributes:
        labels: what ids mean by now.
        recorded: the labels that the folder was made with, as its record tells them; later ones were added.
        former_palette: uint8 [256, 3] of the recorded labels.
        added: the call brings labels that `labels.json` lacks.
    """

    labels: LabelSet
    recorded: tuple[str, ...]
    former_palette: NDArray[np.uint8]
    added: bool

    def write_added(self, folder: Path) -> None:
        """Put labels that the call brings into `labels.json`.

        Raises:
            OutputError: it cannot be written.
        """
        if self.added:
            write_bytes_whole(folder / LABELS_NAME, labels_json(self.labels))


def recorded_labels(labels: LabelSet) -> tuple[str, ...]:
    """A label set as the record of a call tells it: `hood #dbb600`."""
    return tuple(f"{label.name} #{bytes(label.color).hex()}" for label in labels.labels)


def folder_labels(folder: Path, chosen: LabelSet) -> FolderLabels:
    """The labels of a folder that a call asks for again.

    A call asks for the labels that the folder was made with, or for those that `labels.json` holds by now, and may add some. The folder's
    count then, with the colours that they have by now, and those that are added. Otherwise the chosen ones are what the call asks for,
    and the record tells that it is another.

    Raises:
        AnnotationError: a `labels.json` that has been damaged.
    """
    new = FolderLabels(chosen, recorded_labels(chosen), chosen.palette(), added=False)
    recorded = _recorded(folder / RECORD_NAME)
    path = folder / LABELS_NAME
    if recorded is None or not path.is_file():
        return new
    held = LabelSet.from_json(read_user_text(path, "a labels file", error=AnnotationError), str(path))
    names = tuple(entry.rpartition(" #")[0] for entry in recorded)
    unchanged = recorded_labels(chosen)[: len(recorded)] == recorded or chosen.labels == held.labels[: len(chosen.labels)]
    if not unchanged or any(labels.names[: len(names)] != names for labels in (chosen, held)):
        return new
    if held.names[: len(chosen.names)] == chosen.names:
        return FolderLabels(held, recorded, _palette_of(recorded), added=False)
    if chosen.names[: len(held.names)] == held.names:
        grown = (*held.labels, *chosen.labels[len(held.labels) :])
        return FolderLabels(LabelSet(grown), recorded, _palette_of(recorded), added=True)
    return new


def refresh_palettes(masks: Path, names: Iterable[str], labels: FolderLabels) -> tuple[int, list[str]]:
    """Give the palette images among a folder's masks the palette of its labels by now; no pixel's id changes.

    Left alone are other kinds of image, palettes that an editor has ordered in its own way, which are read by their colours, links,
    and what cannot be read.

    Args:
        names: of the views.

    Returns:
        How many masks were written, and the names of those that cannot be read.

    Raises:
        OutputError: one cannot be written.
    """
    refreshed, unreadable = 0, []
    target = labels.labels.palette()
    for name in names:
        path = masks / f"{name}.png"
        if not path.is_file() or path.is_symlink():
            continue
        try:
            ids = _outdated_ids(path, target, labels)
        except PICTURE_ERRORS:
            unreadable.append(name)
            continue
        if ids is not None:
            write_mask(path, ids, target)
            refreshed += 1
    return refreshed, unreadable


def _outdated_ids(path: Path, target: NDArray[np.uint8], labels: FolderLabels) -> NDArray[np.uint8] | None:
    """The ids uint8 [H, W] of a mask with another palette whose indices are ids; None: it is none."""
    with decoded_picture(path, ("PNG",)) as image:
        if image.mode != "P" or "transparency" in image.info:
            return None
        colors = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(colors)] = colors
        if np.array_equal(palette, target):
            return None
        ids = np.array(image, np.uint8)
    used = np.unique(ids)
    are_ids = ((used < labels.labels.num_classes) | (used == IGNORE_ID)).all()
    known = any(np.array_equal(palette[used], other[used]) for other in (target, labels.former_palette))
    return ids if are_ids and known else None


def _recorded(path: Path) -> tuple[str, ...] | None:
    """The labels in the record of an earlier call; None: there is none that can be read, which opening the folder tells."""
    try:
        labels = without_surrogates(json.loads(read_regular_text(path)))["plan"]["labels"] if path.is_file() else None
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return None
    return tuple(labels) if isinstance(labels, list) and labels and all(isinstance(entry, str) for entry in labels) else None


def _palette_of(recorded: Sequence[str]) -> NDArray[np.uint8]:
    """The palette uint8 [256, 3] of recorded labels."""
    colors = []
    for entry in recorded:
        try:
            colors.append(tuple(bytes.fromhex(entry.rpartition(" #")[2])))
        except ValueError:
            colors.append(())
    palette = LabelSet.from_names([]).palette()
    for index, color in enumerate(colors[:IGNORE_ID]):
        if len(color) == 3:
            palette[index] = color
    return palette
