"""PNGs made without an imaging library: Blender brings none."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _PALETTE = 0, 2, 3


def rgb_png(rgb: NDArray[np.uint8]) -> bytes:
    """An 8-bit RGB PNG of [H, W, 3]."""
    return _png(rgb.reshape(rgb.shape[0], -1), rgb.shape[1], _RGB, b"")


def gray_png(values: NDArray[np.uint8]) -> bytes:
    """An 8-bit gray PNG of [H, W]."""
    return _png(values, values.shape[1], _GRAY, b"")


def palette_png(mask: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A palette PNG of ids [H, W] and their colours [256, 3]: pixel values are the ids."""
    return _png(mask, mask.shape[1], _PALETTE, _chunk(b"PLTE", palette.tobytes()))


def _png(rows: NDArray[np.uint8], width: int, kind: int, before_pixels: bytes) -> bytes:
    height = rows.shape[0]
    filtered = np.zeros((height, rows.shape[1] + 1), np.uint8)  # each row begins with its filter, 0: none
    filtered[:, 1:] = rows
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    pixels = zlib.compress(filtered.tobytes(), 6)
    return b"".join([_SIGNATURE, _chunk(b"IHDR", header), before_pixels, _chunk(b"IDAT", pixels), _chunk(b"IEND", b"")])


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
