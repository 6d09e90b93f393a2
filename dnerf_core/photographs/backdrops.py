"""An endless row of backgrounds, drawn ones and those of a folder, of which the latest are kept: any part of each is used many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.camera import sphere_camera
from dnerf_core.files.photos import read_upright
from dnerf_core.photographs.cutout import Cutout
from dnerf_core.photographs.ground import Stage
from dnerf_core.photographs.photograph import background
from dnerf_core.photographs.strengths import Level, draw_strengths

LARGEST_PX = 256
"""Side of a drawn background at most: its cost rises with its pixels, and most is out of focus anyway."""
_KEPT, _PICTURES_A_NEW_ONE = 96, 192
"""How many backgrounds are in use at a time, and how many pictures are made before one is replaced."""
_SMALLEST_PART = 0.45
"""Of a background's shorter side that a picture shows at least."""


class Backdrops:
    """Backgrounds by number: the n-th is a function of (level, seed, n, side, files) alone.

    Args:
        level: of the strengths that tell which kinds of places there are.
        seed: of all that is drawn.
        side_px: side of the pictures that they will be behind.
        files: the user's pictures, as many of which are used as of drawn ones.
    """

    def __init__(self, level: Level, seed: int, side_px: int, files: Sequence[Path] = ()) -> None:
        self._level, self._seed, self._files = level, seed, tuple(files)
        self._side_px = side_px
        self._kept: dict[int, NDArray[np.uint8]] = {}

    def behind(self, number: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A part of one background, uint8 [S, S, 3], for the `number`-th picture.

        Raises:
            PhotoError: a picture of the folder cannot be read any more.
        """
        oldest = number // _PICTURES_A_NEW_ONE
        which = oldest + int(rng.integers(_KEPT))
        if which not in self._kept:
            for gone in [key for key in self._kept if not oldest - _KEPT <= key < oldest + 2 * _KEPT]:
                del self._kept[gone]
            self._kept[which] = self._whole(which)
        return _part(self._kept[which], self._side_px, rng)

    def _whole(self, which: int) -> NDArray[np.uint8]:
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((self._seed, which, 3))))
        if self._files and which % 2:
            rgb, _ = read_upright(self._files[int(rng.integers(len(self._files)))])
            factor = min(1.0, 1.5 * self._side_px / min(rgb.shape[:2]))
            size = tuple(max(1, round(side * factor)) for side in rgb.shape[1::-1])
            return np.asarray(Image.fromarray(rgb).resize((size[0], size[1]), Image.Resampling.BILINEAR, reducing_gap=2.0))
        return drawn_background(self._level, int(rng.integers(2**62)), min(self._side_px, LARGEST_PX))


def drawn_background(level: Level, seed: int, side_px: int) -> NDArray[np.uint8]:
    """A drawn place as a camera anywhere near it sees it, sharp and without a subject, uint8 [S, S, 3].

    Args:
        level: "mild" or "hard".
    """
    strengths = draw_strengths(level, seed, 0)
    assert strengths is not None
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, 5))))
    camera = sphere_camera(
        float(rng.uniform(-np.pi, np.pi)), float(np.radians(rng.uniform(0, 32))), radius=2.7, focal=float(rng.uniform(0.9, 2.4))
    )
    shape = (side_px, side_px)
    flat, nothing = np.zeros(shape, np.float32), np.full(shape, np.inf, np.float32)
    color = np.zeros((*shape, 3), np.float32)
    empty = Cutout(camera, color, flat, nothing, color)
    stage = Stage.under(empty, "y")
    light = stage.light(strengths.light_yaw_deg, strengths.light_pitch_deg)
    seen = background(empty, replace(strengths, background_blur=0.0), stage, light, finer=1)
    return np.rint(255 * seen).astype(np.uint8)


def _part(picture: NDArray[np.uint8], side_px: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square part of a picture at another size, mirrored or not, darker or brighter."""
    height, width = picture.shape[:2]
    side = min(height, width) * rng.uniform(_SMALLEST_PART, 1)
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    image = Image.fromarray(picture)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((side_px, side_px), Image.Resampling.BILINEAR, box))
