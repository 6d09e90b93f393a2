"""A painted view and its depth, at the small size at which masks are judged."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.labels import IGNORE_ID

CHECKED_PX = 128
"""Side at which masks are judged; a pixel of it is two of a mask of 256."""


@dataclass(frozen=True, eq=False)
class MaskedView:
    """A painted view and its depth.

    Attributes:
        name, path: of the view, and of its mask's file.
        subject: whose view it is; equal for views of the same subject.
        mask: uint8 [S, S] of label ids, 255 where nothing is known.
        depth_planar: [S, S], world units, +inf at background.
    """

    name: str
    path: Path
    subject: Hashable
    camera: Camera
    mask: NDArray[np.uint8]
    depth_planar: NDArray[np.floating]


def small_mask(mask: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """A mask [S, S] at `side_px` a side, by the nearest pixel."""
    rows = ((np.arange(side_px) + 0.5) * mask.shape[0] / side_px).astype(np.int64)
    columns = ((np.arange(side_px) + 0.5) * mask.shape[1] / side_px).astype(np.int64)
    return mask[np.ix_(rows, columns)]


def painted_area(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a label is painted, neither background nor unknown."""
    return np.asarray((mask != 0) & (mask != IGNORE_ID))


def grown(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """An area and the pixels beside it."""
    padded = np.pad(area, 1)
    height, width = area.shape
    return np.asarray(
        np.any([padded[row : row + height, column : column + width] for row in range(3) for column in range(3)], axis=0)
    )
