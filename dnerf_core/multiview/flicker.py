"""Flicker of label videos: labels that change and change back within a few frames (numpy only).

What turns before a camera changes a pixel's label once, when a boundary passes it; labels that are told frame by frame change to and fro.
In spatiotemporal line textures (`dnerf_core.multiview.consistency.line_texture`) that is what makes edges ragged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID

WITHIN = 3
"""Frames within which a change that is undone counts as flicker."""


@dataclass(frozen=True)
class Flicker:
    """How labels change over a video.

    Attributes:
        pixels: pairs of a pixel and its successor in the next frame that are compared: a part in one of them or in both, 255 in neither.
        changes: those whose labels differ.
        undone: those of the changes after which the earlier label is back in time.
    """

    pixels: int
    changes: int
    undone: int

    @property
    def per_thousand(self) -> float:
        """Undone changes of a thousand pixels; NaN without pixels."""
        return 1000 * self.undone / self.pixels if self.pixels else math.nan

    @property
    def undone_share(self) -> float:
        """Undone changes as a share of all; NaN without changes."""
        return self.undone / self.changes if self.changes else math.nan

    def plus(self, other: Flicker) -> Flicker:
        """That of the pixels of both."""
        return Flicker(self.pixels + other.pixels, self.changes + other.changes, self.undone + other.undone)


NO_FLICKER = Flicker(0, 0, 0)


def label_flicker(labels: NDArray[np.uint8], within: int = WITHIN) -> Flicker:
    """The flicker of a label video, or of a line texture of one.

    A change from frame t - 1 to t is undone where the label of t - 1 is back in one of the frames t + 1 to t + `within`.

    Args:
        labels: ids uint8 [T, H, W] of a video, or [T, W] of a line texture; 0 is background, 255 is not compared.

    Raises:
        UsageError: an array without frames, or of another type, or `within` below 1.

    Example:
        >>> label_flicker(np.stack(masks)).per_thousand
    """
    compared, changed, undone = _changes(labels, within)
    return Flicker(int(compared.sum()), int(changed.sum()), int(undone.sum()))


def flicker_counts(labels: NDArray[np.uint8], within: int = WITHIN) -> NDArray[np.int64]:
    """How often each pixel's label changes and changes back: [H, W] of a video, [W] of a line texture; arguments and errors as above."""
    counts: NDArray[np.int64] = _changes(labels, within)[2].sum(axis=0)
    return counts


def _changes(labels: NDArray[np.uint8], within: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pairs [T - 1, ...] of a pixel and its successor are compared, differ, and are undone."""
    if labels.ndim < 2 or labels.dtype != np.uint8:
        raise UsageError(
            f"labels: expected uint8 of the shape [T, H, W] or [T, W], found {labels.dtype} {list(labels.shape)}; stack the frames' masks"
        )
    if within < 1:
        raise UsageError(f"within: expected 1 frame or more, found {within}; choose another number")
    before, after = labels[:-1], labels[1:]
    compared = ((before != 0) | (after != 0)) & (before != IGNORE_ID) & (after != IGNORE_ID)
    changed = compared & (before != after)
    back = np.zeros_like(changed)
    for later in range(1, within + 1):
        follows = labels[1 + later :]
        back[: len(follows)] |= before[: len(follows)] == follows
    return compared, changed, changed & back
