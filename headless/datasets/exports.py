"""Which module writes each format, and when a format is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headless.datasets.formats import Format
from headless.datasets.kinds import coco, nerfstudio, webdataset

if TYPE_CHECKING:
    from headless.datasets.listed import Listed


def nothing_to_check(listing: Listed, split: str) -> None:
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


EXPORTS: dict[Format, Export] = {
    "coco": Export((coco.INSTANCES_NAME, coco.PANOPTIC_NAME), coco.write_split),
    "nerfstudio": Export((nerfstudio.INDEX_NAME,), nerfstudio.write_split),
    "webdataset": Export((webdataset.INDEX_NAME,), webdataset.write_split, webdataset.check_split),
}


def index_names(formats: Iterable[Format], splits: Iterable[str]) -> list[str]:
    """The indexes of formats, relative to the data set's folder."""
    return [name for format in formats if format in EXPORTS for split in splits for name in EXPORTS[format].names(split)]
