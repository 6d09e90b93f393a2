"""Flying pixels, and how they are told from surfaces (numpy only).

A flying pixel is a depth between a surface and what lies behind it: a ray that grazes an edge collects some of both, and so does
interpolation across an edge. Three measures, each enough to cut a pixel:

1. *continuation*: along its row or along its column, the pixel lies on the straight continuation of neither side (`breaks_off`). A
   surface, be it bent or creased, continues to at least one side; a depth between two surfaces continues neither.
2. *incidence*: the plane fitted to its surroundings (`planes.fit_planes`) is seen at more than `MAX_INCIDENCE_DEG` from its normal:
   a ramp from one surface to another is as steep, and what is seen so obliquely is better seen by another view.
3. *free space*: another view looks through the point: all pixels round its place there show something farther by more than a tolerance
   (`FreeSpace`).

The first two judge a view alone, the third needs others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.multiview.carrying import falls_into
from dnerf_core.rendering.labeled_view import LabeledView

MAX_INCIDENCE_DEG = 80.0
"""A surface's depth changes by 5.7 times the sideways step there."""

SLACK_STEPS = 1.0
"""How far a pixel may lie off the continuation, in steps from one depth sample to the next: closer than the picture resolves."""


def breaks_off(view: LabeledView, slack_steps: float = SLACK_STEPS) -> NDArray[np.bool_]:
    """bool [H, W]: pixels that continue neither side of their row, or neither side of their column (measure 1); background among them.

    Inverse depth q is linear along a plane, so from neighbours q1, q2 at one and two depth samples the plane goes on to 2 q1 - q2; the
    pixel continues that side if it is off by at most `slack_steps` * sqrt(1 + slope^2) sideways steps of depth, which is `slack_steps`
    steps on the slope itself. A side whose second neighbour shows nothing goes on level. One whose first shows nothing is none.
    """
    depth = view.depth_planar.astype(np.float64)
    inverse = np.where(np.isfinite(depth), 1.0 / depth, 0.0)
    (width, height), intrinsics = view.size_px, view.camera.intrinsics
    off = inverse == 0
    for axis, focal_px in ((0, intrinsics[1, 1] * height), (1, intrinsics[0, 0] * width)):
        step = view.sample_px / focal_px
        continues = np.zeros(depth.shape, dtype=bool)
        for side in (view.sample_px, -view.sample_px):
            first, second = _shifted(inverse, axis, side), _shifted(inverse, axis, 2 * side)
            second = np.where(second > 0, second, first)
            with np.errstate(divide="ignore", invalid="ignore"):  # where there is no first neighbour
                slope = (first - second) / (first * step)
                deviation = np.abs(inverse - 2 * first + second) / (inverse * step)
            continues |= (first > 0) & (deviation <= slack_steps * np.hypot(1.0, slope))
        off |= ~continues
    return off


def _shifted(values: NDArray[np.float64], axis: int, by: int) -> NDArray[np.float64]:
    """Each pixel's neighbour `by` pixels on along an axis, 0 outside the image."""
    moved, size = np.zeros_like(values), values.shape[axis]
    here, there = slice(max(0, -by), size - max(0, by)), slice(max(0, by), size + min(0, by))
    if axis == 0:
        moved[here] = values[there]
    else:
        moved[:, here] = values[:, there]
    return moved


@dataclass(frozen=True, eq=False)
class FreeSpace:
    """What one view knows to be empty: everything in front of `nearest`.

    Attributes:
        view: the view.
        nearest: float64 [H, W], the least depth among the pixels round each one, world units, +inf where all are background.
    """

    view: LabeledView
    nearest: NDArray[np.float64]

    @classmethod
    def from_view(cls, view: LabeledView) -> FreeSpace:
        """The free space of a view; the surroundings reach one depth sample to each side."""
        nearest = view.depth_planar.astype(np.float64)
        for axis in (0, 1):
            padded = np.pad(nearest, [(view.sample_px, view.sample_px) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
            nearest = np.lib.stride_tricks.sliding_window_view(padded, 2 * view.sample_px + 1, axis=axis).min(axis=-1)
        return cls(view, nearest)

    def looks_through(self, points: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
        """bool [N]: the points [N, 3] (world frame) that stand more than `tolerance` in front of all this view sees there."""
        chosen, x, y, depth = falls_into(self.view.camera, self.view.size_px, points)
        through = np.zeros(len(points), dtype=bool)
        through[chosen] = depth < self.nearest[y.astype(np.int64), x.astype(np.int64)] - tolerance
        return through


def seen_through(points: NDArray[np.float64], others: Sequence[FreeSpace], tolerance: float) -> NDArray[np.int64]:
    """How many of the other views look through each point [N] (measure 3)."""
    counts = np.zeros(len(points), dtype=np.int64)
    for other in others:
        counts += other.looks_through(points, tolerance)
    return counts
