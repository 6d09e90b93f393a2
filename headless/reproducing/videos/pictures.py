"""Line textures of a report: of each row a frame with the line, and the line over time, pictures and labels side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headless.reproducing.writing.report import Picture

if TYPE_CHECKING:
    from headless.reproducing.averages import Averaged
    from headless.reproducing.cache import Cache

_LINE_COLOR = (0, 200, 60)
_FLICKER_COLOR = (190, 0, 20)
_ROOM_PX = 3
"""Columns of background left and right of the parts in a texture."""


def texture_pictures(name: str, title: str, found: Sequence[Averaged], cache: Cache) -> list[Picture]:
    """One sheet of all rows' textures, of the first seed."""
    from PIL import Image

    from dnerf_core.downstream.images.sets.opening import open_set
    from dnerf_core.files.masks import read_sized_mask
    from dnerf_core.files.pictures import read_image
    from headless.pictures.texture_sheet import TextureRow, texture_sheet
    from headless.reproducing.videos.scoring import FLICKER_MAP, FRAME, IMAGE_TEXTURE, LABEL_TEXTURE, line_of

    if not found:
        return []
    sheets = []
    for entry in found:
        step = next(iter(entry.first.cells.values())).step
        scores = cache.place(step)
        labels = open_set(cache.place(step.parents[0]), skip_unpainted=True).labels
        frame, images = (read_image(scores.with_name(file)) for file in (FRAME, IMAGE_TEXTURE))
        mask = read_sized_mask(scores.with_name(LABEL_TEXTURE), labels, lambda width, height: None)
        with Image.open(scores.with_name(FLICKER_MAP)) as stored:
            sheets.append((entry, frame, images, mask, np.asarray(stored)))
    shown = _columns_with_parts([mask for _, _, _, mask, _ in sheets])
    rows = []
    for entry, frame, images, mask, counts in sheets:
        line = line_of(frame.shape[0])
        strips = [
            ("the line, green", _marked(frame, line)),
            ("picture over time", images[:, shown]),
            ("labels over time", labels.colorize(mask[:, shown])),
            ("flicker, red", _in_red(frame, counts)),
        ]
        note = f"pixel row {line}\nof 0 to {frame.shape[0] - 1}\n{len(images)} frames\nflicker {entry.scores['flicker'].mean:.1f}"
        rows.append(TextureRow(_wrapped(entry.first.title), note, "frame 0", f"frame {len(images) - 1}", strips))
    caption = (
        f"{title}: one pixel row of every frame of the first subject, frame 0 on top, of the first seed. Edges of labels that keep to the "
        "surface are smooth lines, as those of the pictures are; flicker makes them ragged. Red: where labels of this subject change "
        "and change back."
    )
    return [Picture(name, caption, texture_sheet(title, rows, labels))]


def _columns_with_parts(masks: Sequence[NDArray[np.uint8]]) -> slice:
    """The columns in which half of the textures have a part, with some room; all where there are none."""
    width = masks[0].shape[1]
    parts = np.mean([(mask != 0).any(axis=0) if mask.shape[1] == width else np.ones(width, bool) for mask in masks], axis=0)
    found = np.flatnonzero(parts >= 0.5)
    if not len(found):
        return slice(0, width)
    return slice(max(0, int(found[0]) - _ROOM_PX), min(width, int(found[-1]) + 1 + _ROOM_PX))


def _marked(frame: NDArray[np.uint8], line: int) -> NDArray[np.uint8]:
    marked = frame.copy()
    marked[line] = _LINE_COLOR
    return marked


def _in_red(frame: NDArray[np.uint8], counts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A pale frame, red where labels flicker, the more the darker."""
    pale = 255 - 0.3 * (255.0 - frame)
    share = np.where(counts > 0, np.minimum(1.0, 0.4 + 0.2 * counts), 0.0)[..., None]
    return np.rint(pale * (1 - share) + np.array(_FLICKER_COLOR) * share).astype(np.uint8)


def _wrapped(text: str, width: int = 20) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))
