"""A legend of the labels' colours, as wide as a frame, to go below it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dnerf_core.labels import LabelSet
from headless.pictures.contact_sheet import draw_labels, wrap_labels

_SIZE_PX = 15
_EDGE_PX, _LINE_PX = 16, 26
_PAPER = (250, 250, 248)


def legend_strip(labels: LabelSet, width_px: int) -> NDArray[np.uint8]:
    """The strip uint8 [H, width_px, 3] of an even height; in lines, where the names do not fit beside each other."""
    font = ImageFont.load_default(size=_SIZE_PX)
    lines = wrap_labels(labels, font, width_px - 2 * _EDGE_PX)
    strip = Image.new("RGB", (width_px, len(lines) * _LINE_PX + 8), _PAPER)
    draw_labels(ImageDraw.Draw(strip), 4, lines, font)
    return np.array(strip, np.uint8)
