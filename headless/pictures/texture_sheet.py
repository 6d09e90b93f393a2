"""Spatiotemporal line textures (paper, Fig. S10) as one picture: for each object the strips of one pixel row, side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dnerf_core.labels import LabelSet
from headless.pictures.contact_sheet import draw_labels, wrap_labels

STRIP_PX = 256
"""Height and width that strips are enlarged towards, by whole factors, so that pixels stay sharp."""

_MARGIN = 16
_ROW_LABEL = 170
_GAP = 8
_LINE = 26
_INK = (32, 32, 36)
_PAPER = (250, 250, 248)


@dataclass(frozen=True)
class TextureRow:
    """One object's strips.

    Attributes:
        name: of the object.
        note: the lines below it.
        first, last: the names of the frames at the top and at the bottom.
        strips: for each column its name and the picture uint8 [T, W, 3], such as a texture, a line a frame.
    """

    name: str
    note: str
    first: str
    last: str
    strips: Sequence[tuple[str, npt.NDArray[np.uint8]]]


def texture_sheet(title: str, rows: Sequence[TextureRow], labels: LabelSet) -> bytes:
    """The sheet as a PNG.

    Args:
        title: one line at the top.
        rows: at least one object; not all need have the same columns.
        labels: names and colours for the legend.
    """
    font, large = ImageFont.load_default(size=15), ImageFont.load_default(size=18)
    pictures = [[(name, _enlarged(strip)) for name, strip in row.strips] for row in rows]
    widths = [sum(picture.width + _GAP for _, picture in row) for row in pictures]
    width = 2 * _MARGIN + max(int(large.getlength(title)), _ROW_LABEL + max(widths))
    legend = wrap_labels(labels, font, width - 2 * _MARGIN)
    heights = [_LINE + max(*(picture.height for _, picture in row), 5 * _LINE) + 2 * _GAP for row in pictures]
    legend_top = _MARGIN + _LINE + sum(heights)
    sheet = Image.new("RGB", (width, legend_top + len(legend) * _LINE + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 4), title, fill=_INK, font=large)
    top = _MARGIN + _LINE
    for row, strips, height in zip(rows, pictures, heights, strict=True):
        bottom = top + _LINE + max(picture.height for _, picture in strips)
        draw.text((_MARGIN, top), f"top: {row.first}", fill=_INK, font=font)
        draw.multiline_text((_MARGIN, top + _LINE), f"{row.name}\n{row.note}", fill=_INK, font=font, spacing=6)
        draw.text((_MARGIN, max(bottom, top + 6 * _LINE) - _LINE), f"bottom: {row.last}", fill=_INK, font=font)
        left = _MARGIN + _ROW_LABEL
        for name, picture in strips:
            draw.text((left, top), name, fill=_INK, font=font)
            sheet.paste(picture, (left, top + _LINE))
            left += picture.width + _GAP
        top += height
    draw_labels(draw, legend_top, legend, font)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()


def _enlarged(strip: npt.NDArray[np.uint8]) -> Image.Image:
    down, across = (max(1, STRIP_PX // size) for size in strip.shape[:2])
    return Image.fromarray(np.ascontiguousarray(strip.repeat(down, axis=0).repeat(across, axis=1)))
