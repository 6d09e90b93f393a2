"""A picture of how far a search has come, replaced as it goes on: target, current state and their difference, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dnerf_core.files.pictures import write_image
from headless.pictures.picture_grid import drawn_grid

MAX_TILE_PX = 256
GAIN = 4
"""Differences are shown this many times as bright, so that small ones can be seen."""


class ProgressPicture:
    """A PNG that is replaced in one step, so that a viewer sees either the last picture or the next, never half of one.

    Args:
        path: its name; the folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def show(self, caption: str, rows: Sequence[tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]) -> None:
        """Replace the picture.

        Args:
            caption: one line at the top, such as stage, step and loss.
            rows: for each photo its name, the target and the current state, both uint8 [S, S, 3].

        Raises:
            OutputError: the file cannot be written.
        """
        write_image(self.path, progress_picture(caption, rows))


def progress_picture(
    caption: str, rows: Sequence[tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]
) -> npt.NDArray[np.uint8]:
    """What `ProgressPicture.show` writes, uint8 [H, W, 3]. Differences are absolute, by channel, times `GAIN`."""
    columns = ("target", "current", f"difference x {GAIN}")
    pictures = [(name, (target, current, _difference(target, current))) for name, target, current in rows]
    tile_px = min(MAX_TILE_PX, max(rows[0][1].shape[:2]))
    return np.array(drawn_grid(caption, columns, pictures, None, tile_px), np.uint8)


def _difference(target: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    apart = np.abs(target.astype(np.int32) - current.astype(np.int32))
    return np.minimum(GAIN * apart, 255).astype(np.uint8)
