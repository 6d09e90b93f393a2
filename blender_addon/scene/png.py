"""PNGs made without an imaging library: Blender brings none."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3


def palette_png(mask: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A palette PNG of ids [H, W] and their colours [256, 3]: pixel values are the ids."""
    height, width = mask.shape
    filtered = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter, 0: none
    filtered[:, 1:] = mask
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)
    pixels = zlib.compress(filtered.tobytes(), 6)
    chunks = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", pixels), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
