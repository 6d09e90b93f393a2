"""Patterns of surfaces: functions of places (x, y) in metres, float32 [M, 2], to a share [M] in [0, 1] of a second colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Pattern = Callable[[FloatArray, int], FloatArray]


def lattice(column: NDArray[np.integer], row: NDArray[np.integer], seed: int) -> FloatArray:
    """A value in [0, 1) of each cell, that tells nothing of its neighbours'."""
    mixed = column.astype(np.uint32) * np.uint32(374761393) + row.astype(np.uint32) * np.uint32(668265263)
    mixed ^= np.uint32(seed * 2654435761 % 2**32)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(1274126177)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(2246822519)
    return ((mixed ^ (mixed >> np.uint32(16))) / np.float32(2**32)).astype(np.float32)


def smooth_noise(place: FloatArray, seed: int) -> FloatArray:
    """Noise in [0, 1] that varies over one unit."""
    cell = np.floor(place)
    share = place - cell
    share = share * share * (3 - 2 * share)
    column, row = cell[:, 0].astype(np.int64), cell[:, 1].astype(np.int64)
    low = lattice(column, row, seed) * (1 - share[:, 0]) + lattice(column + 1, row, seed) * share[:, 0]
    high = lattice(column, row + 1, seed) * (1 - share[:, 0]) + lattice(column + 1, row + 1, seed) * share[:, 0]
    return (low * (1 - share[:, 1]) + high * share[:, 1]).astype(np.float32)


def fractal(place: FloatArray, seed: int, octaves: int = 4) -> FloatArray:
    """Noise in [0, 1] of several scales, each half as large and half as strong as the one before."""
    total, weight = np.zeros(len(place), np.float32), 0.0
    for octave in range(octaves):
        total += smooth_noise(place * np.float32(2**octave), seed + octave) * np.float32(0.5**octave)
        weight += 0.5**octave
    return total / np.float32(weight)


def plain(place: FloatArray, seed: int) -> FloatArray:
    """Nearly one colour, as paint is."""
    return 0.35 * fractal(place * 0.7, seed, 3)


def speckled(place: FloatArray, seed: int) -> FloatArray:
    """Asphalt and concrete: patches, and grains of some millimetres."""
    return np.clip(0.65 * fractal(place * 0.6, seed) + 0.5 * smooth_noise(place * 55, seed + 9) - 0.1, 0, 1)


def grassy(place: FloatArray, seed: int) -> FloatArray:
    """Grass and leaves: strong noise down to centimetres."""
    return np.clip(1.5 * (0.4 * fractal(place * 0.8, seed, 3) + 0.6 * fractal(place * 9, seed + 5, 3)) - 0.25, 0, 1)


def tiled(place: FloatArray, seed: int, width: float = 0.4, height: float = 0.4, shift: float = 0.0) -> FloatArray:
    """Tiles of some brightness each between darker joints."""
    row = np.floor(place[:, 1] / height)
    along = place[:, 0] / width + shift * row
    column = np.floor(along)
    joint = (np.abs(along - column - 0.5) > 0.5 - 0.008 / width) | (
        np.abs(place[:, 1] / height - row - 0.5) > 0.5 - 0.008 / height
    )
    tone = 0.45 * lattice(column.astype(np.int64), row.astype(np.int64), seed) + 0.25 * smooth_noise(place * 14, seed + 3)
    return np.where(joint, np.float32(1), tone).astype(np.float32)


def bricks(place: FloatArray, seed: int) -> FloatArray:
    """Courses of bricks."""
    return tiled(place, seed, 0.5, 0.16, 0.5)


def planks(place: FloatArray, seed: int) -> FloatArray:
    """Boards with grain."""
    board = np.floor(place[:, 1] / 0.16)
    tone = lattice(board.astype(np.int64), board.astype(np.int64) * 0, seed)
    offset = (tone * 17).astype(np.float32)
    grain = fractal(np.stack([place[:, 0] * 0.9 + offset, place[:, 1] * 16], axis=1), seed + 2, 3)
    joint = np.abs(place[:, 1] / 0.16 - board - 0.5) > 0.46
    return np.where(joint, np.float32(0.95), 0.5 * tone + 0.5 * grain).astype(np.float32)


def striped(place: FloatArray, seed: int) -> FloatArray:
    """Upright stripes, as wallpaper, curtains and slats have them."""
    width = 0.12 + 0.5 * float(lattice(np.array([seed % 977]), np.array([3]), seed)[0])
    return (0.5 + 0.5 * np.clip(4 * np.sin(2 * np.pi * place[:, 0] / width), -1, 1)).astype(np.float32)


def checked(place: FloatArray, seed: int) -> FloatArray:
    """A chessboard with some dirt."""
    odd = (np.floor(place[:, 0] / 0.5) + np.floor(place[:, 1] / 0.5)) % 2
    return (0.85 * odd + 0.15 * fractal(place * 3, seed)).astype(np.float32)


def windows(place: FloatArray, seed: int) -> FloatArray:
    """A house's front: rows of windows that mirror the sky or are dark, 1 where there is none of the wall."""
    floor = np.floor(place[:, 1] / 3.0)
    column = np.floor(place[:, 0] / 2.4)
    x, y = np.abs(place[:, 0] / 2.4 - column - 0.5), place[:, 1] / 3.0 - floor
    glass = (x < 0.25) & (y > 0.28) & (y < 0.80) & (np.abs(x) > 0.012)
    frame = (x < 0.29) & (y > 0.25) & (y < 0.83) & ~glass
    tone = 0.55 + 0.45 * lattice(column.astype(np.int64), floor.astype(np.int64), seed)
    wall = 0.16 * fractal(place * 0.8, seed + 1) + 0.06 * smooth_noise(place * 24, seed + 8)
    return np.where(glass, tone, np.where(frame, np.float32(0.30), wall)).astype(np.float32)


def shelves(place: FloatArray, seed: int) -> FloatArray:
    """Things of all tones side by side on boards."""
    board = np.floor(place[:, 1] / 0.42)
    slot = np.floor(place[:, 0] / 0.11 + 7 * lattice(board.astype(np.int64), board.astype(np.int64) * 0, seed))
    tall = 0.45 + 0.5 * lattice(slot.astype(np.int64), board.astype(np.int64), seed + 1)
    y = place[:, 1] / 0.42 - board
    return np.where(
        y < 0.07, np.float32(0.15), np.where(y < tall, lattice(slot.astype(np.int64), board.astype(np.int64), seed), 0.0)
    ).astype(np.float32)


PATTERNS: dict[str, Pattern] = {
    "plain": plain,
    "speckled": speckled,
    "grassy": grassy,
    "tiled": tiled,
    "bricks": bricks,
    "planks": planks,
    "striped": striped,
    "checked": checked,
    "windows": windows,
    "shelves": shelves,
}


@dataclass(frozen=True)
class Material:
    """A surface.

    Attributes:
        pattern: by name, see `PATTERNS`.
        first, second: colours in [0, 1].
        scale: factor of the pattern's sizes.
        seed: of its chance.
    """

    pattern: str
    first: tuple[float, float, float]
    second: tuple[float, float, float]
    scale: float = 1.0
    seed: int = 0

    def colors(self, place: FloatArray) -> FloatArray:
        """The colours [M, 3] of places [M, 2], metres."""
        share = PATTERNS[self.pattern](place / np.float32(self.scale), self.seed)[:, None]
        first, second = np.array(self.first, np.float32), np.array(self.second, np.float32)
        mixed: NDArray[np.float32] = np.add(first, share * (second - first), dtype=np.float32)
        return mixed
