"""The picture of an edit: the painted view and others, before and after, with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.pictures import write_image
from dnerf_core.labels import LabelSet
from dnerf_core.subject import LabeledView
from headless.pictures.picture_grid import drawn_grid
from headless.pictures.wrong_pixels import wrong_pixels

MAX_TILE_PX = 256


def edit_sheet(
    title: str,
    columns: Sequence[str],
    before: Sequence[LabeledView],
    after: Sequence[LabeledView],
    painted: NDArray[np.uint8],
    labels: LabelSet,
) -> NDArray[np.uint8]:
    """The sheet uint8 [H, W, 3]: rows of images and of masks, before and after, of the mask `painted` uint8 [S, S] for the first view,
    and of the pixels whose label changed; one column a view, named by `columns`."""
    rows: list[tuple[str, list[NDArray[np.uint8]]]] = []
    for name, views in (("before", before), ("after", after)):
        masks = [view.mask for view in views if view.mask is not None]
        assert len(masks) == len(views)
        rows += [(name, [view.rgb for view in views]), (f"labels\n{name}", [labels.colorize(mask) for mask in masks])]
        if name == "before":
            rows.append(("labels\npainted", [labels.colorize(painted)]))
    pairs = [(old.mask, new.mask) for old, new in zip(before, after, strict=True)]
    changed = [wrong_pixels(old, new) for old, new in pairs if old is not None and new is not None]
    rows.append(("labels\nchanged (red)", changed))
    return np.array(drawn_grid(title, columns, rows, labels, min(MAX_TILE_PX, before[0].rgb.shape[0])), np.uint8)


def write_edit_sheet(
    path: Path,
    title: str,
    columns: Sequence[str],
    before: Sequence[LabeledView],
    after: Sequence[LabeledView],
    painted: NDArray[np.uint8],
    labels: LabelSet,
) -> None:
    """`edit_sheet` as a PNG, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    write_image(path, edit_sheet(title, columns, before, after, painted, labels))
