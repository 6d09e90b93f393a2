"""The turntable strip: a found subject seen from all around, its labels below, beside the photo that it was found for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dnerf_core.files.pictures import write_image
from dnerf_core.labels import LabelSet
from headless.pictures.picture_grid import drawn_grid

MAX_TILE_PX = 256
"""Larger pictures are shrunk to this side, smaller ones stay as they are."""


@dataclass(frozen=True, eq=False)
class StripView:
    """One direction: yaw in degrees; rgb uint8 [S, S, 3]; mask uint8 [S, S] label ids, None of a model without labels."""

    yaw_deg: float
    rgb: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8] | None


@dataclass(frozen=True, eq=False)
class PhotoPair:
    """The photo uint8 [S, S, 3], and how its camera sees the subject that was found for it, uint8 [S, S, 3]; `kind` says what it is."""

    photo: npt.NDArray[np.uint8]
    rendered: npt.NDArray[np.uint8]
    kind: str = "photo"


def turntable_strip(
    title: str, views: Sequence[StripView], labels: LabelSet | None, pair: PhotoPair | None = None
) -> npt.NDArray[np.uint8]:
    """The strip uint8 [H, W, 3]: a row of images and, with labels, a row of their masks in the labels' colours.

    Args:
        title: one line at the top.
        views: at least one; with labels, each has a mask.
        labels: names and colours; None: no row of masks, no legend.
        pair: shown before the views, the photo above what was rendered for it; without labels, side by side.
    """
    columns = [f"yaw {view.yaw_deg:.4g}" for view in views]
    images, masks = [view.rgb for view in views], [view.mask for view in views if view.mask is not None]
    rows = [("image", images)]
    if labels is not None:
        assert len(masks) == len(views)
        rows.append(("labels", [labels.colorize(mask) for mask in masks]))
    if pair is not None and labels is not None:
        columns = [f"{pair.kind}, re-render", *columns]
        rows = [(name, [first, *row]) for first, (name, row) in zip((pair.photo, pair.rendered), rows, strict=True)]
    elif pair is not None:
        columns = [pair.kind, "re-render", *columns]
        rows = [("image", [pair.photo, pair.rendered, *images])]
    tile_px = min(MAX_TILE_PX, max(images[0].shape[:2]))
    return np.array(drawn_grid(title, columns, rows, labels, tile_px), np.uint8)


def write_turntable_strip(
    path: Path, title: str, views: Sequence[StripView], labels: LabelSet | None, pair: PhotoPair | None = None
) -> None:
    """`turntable_strip` as a PNG, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    write_image(path, turntable_strip(title, views, labels, pair))
