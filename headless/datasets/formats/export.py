"""How a format is written, as its module's `EXPORT` says, and the modules of the formats that are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from headless.datasets.formats.registry import ENTRIES, Format
from headless.datasets.listed import Listed


def nothing_to_check(listed: Listed, split: str) -> None:
    """For a format whose files do not tell how long they should be."""


@dataclass(frozen=True)
class Export:
    """How one format is written.

    Attributes:
        indexes: names, relative to a split's folder, of the files that are written last: a format that has them is complete.
        write: writes what is missing of a split; files that are there stay.
        check: raises OutputError where a split that is complete has been damaged since.
    """

    indexes: tuple[str, ...]
    write: Callable[[Listed, str], None]
    check: Callable[[Listed, str], None] = nothing_to_check

    def names(self, split: str) -> list[str]:
        """The indexes of a split, relative to the data set's folder."""
        return [f"{split}/{index}" if split else index for index in self.indexes]


def exports(formats: Iterable[Format]) -> list[Export]:
    """How formats are written, "folder" aside."""
    chosen = [importlib.import_module(ENTRIES[format].module).EXPORT for format in formats if format in ENTRIES]
    assert all(isinstance(export, Export) for export in chosen)
    return chosen


def index_names(formats: Iterable[Format], splits: Iterable[str]) -> list[str]:
    """The indexes of formats, relative to the data set's folder."""
    listed = list(splits)
    return [name for export in exports(formats) for split in listed for name in export.names(split)]
