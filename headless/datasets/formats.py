"""The formats a data set may be written in beside its folder."""

from __future__ import annotations

from typing import Literal

from headless.datasets.channels import Channel

Format = Literal["folder", "coco", "nerfstudio", "webdataset"]
FORMATS: tuple[Format, ...] = ("folder", "coco", "nerfstudio", "webdataset")

NEEDED: dict[Format, tuple[Channel, ...]] = {"folder": (), "coco": ("rgb", "mask"), "nerfstudio": ("rgb",), "webdataset": ()}
"""Channels without which a format says nothing."""
