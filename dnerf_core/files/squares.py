"""How a picture of any shape becomes a square one of the model's size: padded, cut at its centre, or cut where the caller says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from dnerf_core.errors import UsageError, brief

MAX_PIXELS = 100_000_000
"""A picture of more is refused before it is decoded: no model takes in that much, and it would fill the memory."""

_REACH = 2
"""A square may be this many times as long as the picture's longer side."""

Color = tuple[int, int, int]
"""Red, green, blue, 0..255 each, sRGB."""


@dataclass(frozen=True)
class Square:
    """A square part of an upright picture, pixels from its top left corner; it may reach outside.

    Raises:
        UsageError: from making one, where its side is below 1.
    """

    left_px: int
    top_px: int
    side_px: int

    def __post_init__(self) -> None:
        if self.side_px < 1:
            raise UsageError(f"square: expected a side of 1 px or more, found {self.side_px}; choose another")


Fit = Literal["pad", "crop"] | Square
"""`pad`: all of the picture, centred between bars; `crop`: the largest square at its centre; a `Square`: that one."""


def parse_square(text: str) -> Square:
    """The square of `X,Y,SIDE` in whole pixels of the upright picture; X and Y may be negative.

    Raises:
        ValueError: anything else, or a side of 0.
    """
    match = re.fullmatch(r"\s*([+-]?\d{1,7})\s*,\s*([+-]?\d{1,7})\s*,\s*(\d{1,7})\s*", text, re.ASCII)
    if match is None or int(match[3]) == 0:
        raise ValueError(f"expected X,Y,SIDE in whole pixels such as 40,0,512, with a side of 1 or more, found {brief(text)}")
    return Square(int(match[1]), int(match[2]), int(match[3]))


def format_square(square: Square) -> str:
    """The text that `parse_square` reads back as `square`."""
    return f"{square.left_px},{square.top_px},{square.side_px}"


def square_of(width_px: int, height_px: int, fit: Fit, where: str) -> Square:
    """The square that `fit` means in a picture of this size.

    Args:
        where: the picture, for errors.

    Raises:
        UsageError: a given square that shows nothing of the picture, or is more than twice as long as its longer side.
    """
    if isinstance(fit, Square):
        _check_given(width_px, height_px, fit, where)
        return fit
    side = max(width_px, height_px) if fit == "pad" else min(width_px, height_px)
    return Square((width_px - side) // 2, (height_px - side) // 2, side)


def _check_given(width_px: int, height_px: int, square: Square, where: str) -> None:
    text = format_square(square)
    right, bottom = square.left_px + square.side_px, square.top_px + square.side_px
    if not (square.left_px < width_px and square.top_px < height_px and right > 0 and bottom > 0):
        raise UsageError(
            f"--crop {text}: expected a square that shows some of {where} ({width_px} x {height_px} px upright), found one "
            "outside; give the top left corner and the side in its pixels"
        )
    longest = _REACH * max(width_px, height_px)
    if square.side_px > longest:
        raise UsageError(
            f"--crop {text}: expected a side of at most {longest} px, {_REACH} times {where}'s longer side, found "
            f"{square.side_px}; give a smaller one"
        )


def squared(image: Image.Image, square: Square, size_px: int, fill: float | Color, method: Image.Resampling) -> Image.Image:
    """The part of `image` in `square`, what lies outside filled, at `size_px` a side.

    One axis after the other, the picture's shorter one first to be filled: the square of a very long picture, in full, might
    not fit into the memory. Filters are separable, so the result is the same up to rounding.
    """
    if image.width > image.height:
        return _along_y(_along_x(image, square, size_px, fill, method), square, size_px, fill, method)
    return _along_x(_along_y(image, square, size_px, fill, method), square, size_px, fill, method)


def _along_x(image: Image.Image, square: Square, size_px: int, fill: float | Color, method: Image.Resampling) -> Image.Image:
    if (square.left_px, square.side_px) != (0, image.width):
        canvas = Image.new(image.mode, (square.side_px, image.height), fill)
        canvas.paste(image, (-square.left_px, 0))
        image = canvas
    return image.resize((size_px, image.height), method)


def _along_y(image: Image.Image, square: Square, size_px: int, fill: float | Color, method: Image.Resampling) -> Image.Image:
    if (square.top_px, square.side_px) != (0, image.height):
        canvas = Image.new(image.mode, (image.width, square.side_px), fill)
        canvas.paste(image, (0, -square.top_px))
        image = canvas
    return image.resize((image.width, size_px), method)
