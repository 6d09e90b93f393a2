"""The formats that a data set may be written in beside its folder, an entry each.

To add a format is to write a module with an `EXPORT` and to name it here; it is loaded when its format is asked for (`export.exports`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headless.datasets.channels import Channel

Format = str
"""The name of an entry, or "folder", which is always written."""


@dataclass(frozen=True)
class Entry:
    """One format.

    Attributes:
        module: where its `EXPORT`, an `export.Export`, is.
        needs: channels without which it says nothing.
        folders: those that it makes in a split's folder.
        files_of: what each of the files in these, indexes aside, is made of: a view, the listed views of a subject, or the whole set.
    """

    module: str
    needs: tuple[Channel, ...]
    folders: tuple[str, ...]
    files_of: Literal["view", "subject", "set"] = "set"


ENTRIES: dict[Format, Entry] = {
    "coco": Entry("headless.datasets.formats.coco", ("rgb", "mask"), ("panoptic",), "view"),
    "coco-keypoints": Entry("headless.datasets.formats.coco_keypoints", ("rgb", "mask", "joints"), ()),
    "nerfstudio": Entry("headless.datasets.formats.nerfstudio", ("rgb",), ("nerfstudio",), "subject"),
    "webdataset": Entry("headless.datasets.formats.webdataset", (), ("webdataset",), "set"),
}

FORMATS: tuple[Format, ...] = ("folder", *ENTRIES)


def needed(format: Format) -> tuple[Channel, ...]:
    """Channels without which a format says nothing."""
    return ENTRIES[format].needs if format in ENTRIES else ()
