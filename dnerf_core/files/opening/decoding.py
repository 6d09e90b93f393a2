"""A picture file decoded: a regular file, of a size that is checked before its pixels are read, and a PNG's bytes whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.files.opening.whole_png import check_png

PICTURE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""The ways to say that a picture is damaged: Pillow's, and those of `decoded_picture`."""


def _any_size(width_px: int, height_px: int) -> None:
    """Takes every size."""


@contextmanager
def decoded_picture(
    path: Path, formats: Sequence[str], check_size: Callable[[int, int], None] = _any_size
) -> Iterator[Image.Image]:
    """A picture with its pixels.

    Args:
        formats: Pillow's names of those taken.
        check_size: judges width and height before the pixels are read, since a small file may claim a very large picture; it raises
            what is to be raised.

    Raises:
        PICTURE_ERRORS: it is no regular file or no such picture, or damaged.
    """
    with open_regular(path) as file, Image.open(file, formats=tuple(formats)) as image:
        check_size(*image.size)
        if image.format == "PNG":
            place = file.tell()  # Pillow has read up to the pixels, and goes on from there
            file.seek(0)
            check_png(file)
            file.seek(place)
        image.load()
        yield image


def reason_of(error: Exception) -> str:
    """What a message says of one of `PICTURE_ERRORS`, on one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(text.split())
