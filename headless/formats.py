"""The formats a data set may be written in beside its folder, and their text form."""

from __future__ import annotations

from typing import Literal

from dnerf_core.errors import brief
from headless.channels import Channel

Format = Literal["folder", "coco", "nerfstudio", "webdataset"]
FORMATS: tuple[Format, ...] = ("folder", "coco", "nerfstudio", "webdataset")

NEEDED: dict[Format, tuple[Channel, ...]] = {"folder": (), "coco": ("rgb", "mask"), "nerfstudio": ("rgb",), "webdataset": ()}
"""Channels without which a format says nothing."""


def parse_formats(text: str) -> tuple[Format, ...]:
    """Formats from text such as `coco,webdataset`, in the order of `FORMATS`; the folder is always among them.

    Raises:
        ValueError: an unknown format.
    """
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise ValueError(f"expected formats among {', '.join(FORMATS)}, found {brief(name)}")
    return tuple(format for format in FORMATS if format in names or format == "folder")
