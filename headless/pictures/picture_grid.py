"""A grid of pictures with names: a row a view, a column a kind of picture, and a legend of the labels. Pure but for `drawn_by`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from dnerf_core.files.opening.decoding import PICTURE_ERRORS
from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.labels import LabelSet
from headless.pictures.contact_sheet import draw_labels, wrap_labels

TILE_PX = 192

_MARGIN = 16
_ROW_LABEL = 150
_GAP = 4
_LINE = 26
_INK = (32, 32, 36)
_PAPER = (250, 250, 248)
_CALL_KEY = "datasetnerf call"


def picture_grid(
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[npt.NDArray[np.uint8]]]],
    labels: LabelSet | None,
    *,
    call_sha256: str | None = None,
) -> bytes:
    """The grid as a PNG.

    Args:
        title: one line at the top.
        columns: a name for each column.
        rows: the text of each row, lines separated by newlines, and its pictures uint8 [H, W, 3], one a column.
        labels: names and colours for the legend; None: no legend.
        call_sha256: which call drew it, kept in the PNG as text; see `drawn_by`.
    """
    text = PngInfo()
    if call_sha256 is not None:
        text.add_text(_CALL_KEY, call_sha256)
    buffer = io.BytesIO()
    drawn_grid(title, columns, rows, labels).save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()


def drawn_grid(
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[npt.NDArray[np.uint8]]]],
    labels: LabelSet | None,
    tile_px: int = TILE_PX,
) -> Image.Image:
    """The picture of `picture_grid`, each of its pictures at `tile_px` a side."""
    large = ImageFont.load_default(size=18)
    width = 2 * _MARGIN + max(int(large.getlength(title)) + 1, _ROW_LABEL + len(columns) * (tile_px + _GAP))
    font = ImageFont.load_default(size=15)
    legend = wrap_labels(labels, font, width - 2 * _MARGIN)
    top = _MARGIN + 2 * _LINE
    legend_top = top + len(rows) * (tile_px + _GAP) + _MARGIN // 2
    sheet = Image.new("RGB", (width, legend_top + len(legend) * _LINE + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 4), title, fill=_INK, font=large)
    left = _MARGIN + _ROW_LABEL
    for index, name in enumerate(columns):
        draw.text((left + index * (tile_px + _GAP), _MARGIN + _LINE), name, fill=_INK, font=font)
    for row, (name, pictures) in enumerate(rows):
        y = top + row * (tile_px + _GAP)
        draw.multiline_text((_MARGIN, y + 8), name, fill=_INK, font=font, spacing=6)
        for column, picture in enumerate(pictures):
            # Enlarged pixels stay sharp, so that a single wrong one can be seen.
            enlarged = max(picture.shape[:2]) < tile_px
            method = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
            sheet.paste(Image.fromarray(picture).resize((tile_px, tile_px), method), (left + column * (tile_px + _GAP), y))
    draw_labels(draw, legend_top, legend, font)
    return sheet


def drawn_by(path: Path) -> str | None:
    """The `call_sha256` of the grid in a file; None where the file is no such grid, or cannot be read."""
    try:
        with open_regular(path) as file, Image.open(file, formats=("PNG",)) as image:
            call_sha256 = image.info.get(_CALL_KEY)
    except PICTURE_ERRORS:
        return None
    return call_sha256 if isinstance(call_sha256, str) else None
