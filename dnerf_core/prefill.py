"""A painted mask carried through depth into other views of the same subject, so that what is painted once need not be painted again.

Convention: OpenCV cameras with normalised intrinsics, pixel centres at +0.5, planar depth with +inf at background (numpy only).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, pixel_centers_uv
from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID
from dnerf_core.shapes import check_shapes

TOLERANCE_SHARE = 0.01
"""Depth difference, as a share of the box's side, up to which two views see the same surface."""

_TIE_BREAK = 1e-3


@dataclass(frozen=True, eq=False)
class PaintedView:
    """A view whose mask is known.

    Attributes:
        camera: where it was seen from.
        depth_planar: float [H, W], world units, +inf at background.
        mask: uint8 [H, W] of label ids, 255 not known.

    Raises:
        UsageError: arrays of other types, or not of one size.
    """

    camera: Camera
    depth_planar: NDArray[np.floating]
    mask: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_shapes(UsageError, "painted view", depth_planar=(self.depth_planar, "H W"), mask=(self.mask, "uint8 H W"))


def prefill(
    camera: Camera, depth_planar: NDArray[np.floating], painted: Sequence[PaintedView], num_classes: int, tolerance: float
) -> NDArray[np.uint8]:
    """The mask of a view as far as painted views of the same subject tell it.

    Each pixel is back-projected by its own depth and projected into every painted view. Where that view sees the same surface, to
    within the tolerance, its label there is a vote; the label with most votes is the pixel's, of equals that of the view whose optical
    axis is nearest. A pixel that nobody sees is 255, which training leaves out, so that nothing untrue is trained on.

    Args:
        camera, depth_planar: the view to fill, [H, W], world units, +inf at background, which becomes label 0.
        painted: at least one.
        num_classes: with background.
        tolerance: world units, see `TOLERANCE_SHARE`.

    Returns:
        uint8 [H, W].

    Raises:
        UsageError: no painted view, or one with a label that is no class.
    """
    if not painted:
        raise UsageError("painted views: expected at least one, found none; paint a view of this subject first")
    height, width = depth_planar.shape
    surface = np.isfinite(depth_planar)
    points, pixels = camera.unproject(pixel_centers_uv((width, height))[surface], depth_planar[surface]), np.flatnonzero(surface)
    votes = np.zeros((depth_planar.size, num_classes))
    nearest_first = sorted(painted, key=lambda view: -float(view.camera.forward @ camera.forward))
    for rank, view in enumerate(nearest_first):
        here, there = _seen_by(view, points, tolerance)
        label = view.mask.reshape(-1)[there]
        known = label != IGNORE_ID
        if (label[known] >= num_classes).any():
            raise UsageError(
                f"mask: expected ids below {num_classes} or {IGNORE_ID}, found {label[known].max()}; use its label set"
            )
        votes[pixels[here[known]], label[known]] += 1 - _TIE_BREAK * rank / len(painted)  # a pixel is named once a view
    filled = np.where(votes.any(axis=1), votes.argmax(axis=1), IGNORE_ID).astype(np.uint8)
    filled[~surface.reshape(-1)] = 0
    return filled.reshape(depth_planar.shape)


def _seen_by(view: PaintedView, points: NDArray[np.float64], tolerance: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the points [N, 3] a view sees, and the pixel that each falls into: indices [M] of points, and flat ones [M] of pixels.

    The depth that a point is compared with is the pixel's, or the one between the four pixels round the place: inverse depth is linear
    across a plane's picture, and a surface that is seen at a slant changes by more than the tolerance within a pixel.
    """
    height, width = view.depth_planar.shape
    uv, distance = view.camera.project(points)
    chosen = np.flatnonzero(((uv >= 0) & (uv < 1)).all(axis=1))  # NaN, behind the camera, is not inside
    x, y, distance = uv[chosen, 0] * width, uv[chosen, 1] * height, distance[chosen]
    row, column = y.astype(np.int64), x.astype(np.int64)
    between = _depth_between(view.depth_planar, x - 0.5, y - 0.5)
    same = (np.abs(view.depth_planar[row, column] - distance) <= tolerance) | (np.abs(between - distance) <= tolerance)
    return chosen[same], (row * width + column)[same]


def _depth_between(depth_planar: NDArray[np.floating], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth [M] at places counted in pixels from the first one's centre, inverse depths mixed bilinearly; +inf beside background."""
    height, width = depth_planar.shape
    left, top = (np.clip(np.floor(value), 0, size - 2).astype(np.int64) for value, size in ((x, width), (y, height)))
    across, down = np.clip(x - left, 0, 1), np.clip(y - top, 0, 1)
    mixed, background = np.zeros(len(x)), np.zeros(len(x), dtype=bool)
    for row, column, share in (
        (top, left, (1 - down) * (1 - across)),
        (top, left + 1, (1 - down) * across),
        (top + 1, left, down * (1 - across)),
        (top + 1, left + 1, down * across),
    ):
        corner = depth_planar[row, column].astype(np.float64)
        background |= ~np.isfinite(corner)
        mixed += share / corner
    return np.where(background | (mixed <= 0), np.inf, 1 / np.maximum(mixed, 1e-12))
