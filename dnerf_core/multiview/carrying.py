"""What of one view another sees: points projected, and found again by the other's depth (numpy only).

Convention: OpenCV cameras with normalised intrinsics, pixel centres at +0.5, planar depth with +inf at background.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, pixel_centers_uv

TOLERANCE_SHARE = 0.01
"""Depth difference, as a share of the object's longest side, up to which two views see the same surface."""


def falls_into(
    camera: Camera, size_px: tuple[int, int], points: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Which points fall into a picture, and where.

    Args:
        size_px: (width, height) of the picture.
        points: [N, 3], world frame.

    Returns:
        indices [M] of those in front of the camera and inside the picture; their places x [M] and y [M], in pixels from the picture's
        left and top edge, so a pixel's number is the whole part; and their planar depths [M], world units.
    """
    uv, distance = camera.project(points)
    chosen = np.flatnonzero(((uv >= 0) & (uv < 1)).all(axis=1))  # NaN, behind the camera, is not inside
    return chosen, uv[chosen, 0] * size_px[0], uv[chosen, 1] * size_px[1], distance[chosen]


def seen_from(
    camera: Camera, depth_planar: NDArray[np.floating], points: NDArray[np.floating], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which points a view sees, and the pixel that each falls into: the depth there is the point's, neither hidden nor looked past.

    The depth that a point is compared with is the pixel's, or the one between the four pixels round the place: inverse depth is linear
    across a plane's picture, and a surface that is seen at a slant changes by more than the tolerance within a pixel.

    Args:
        depth_planar: the view's, [H, W], world units, +inf at background.
        points: [N, 3], world frame.
        tolerance: world units, see `TOLERANCE_SHARE`.

    Returns:
        indices [M] of points, and flat indices [M] of pixels.
    """
    height, width = depth_planar.shape
    chosen, x, y, distance = falls_into(camera, (width, height), points)
    row, column = y.astype(np.int64), x.astype(np.int64)
    same = np.abs(depth_planar[row, column] - distance) <= tolerance
    rest = np.flatnonzero(~same)
    same[rest] = np.abs(_depth_between(depth_planar, x[rest] - 0.5, y[rest] - 0.5) - distance[rest]) <= tolerance
    return chosen[same], (row * width + column)[same]


def covisible_pixels(
    camera: Camera, depth: NDArray[np.floating], other: Camera, other_depth: NDArray[np.floating], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixels of one view whose surface another view sees, as `seen_from` has it, and the pixels that see it there.

    Args:
        depth, other_depth: planar, [H, W] and [H', W'], world units.
        tolerance: world units.

    Returns:
        flat indices [M] into the one view and [M] into the other.
    """
    surface = np.isfinite(depth)
    points = camera.unproject(pixel_centers_uv((depth.shape[1], depth.shape[0]))[surface], depth[surface])
    here, there = seen_from(other, other_depth, points, tolerance)
    return np.flatnonzero(surface)[here], there


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
