"""Scenes with a known surface: a ball that floats before a wall, or alone, and what cameras see of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, intrinsics_from_focal, look_at
from dnerf_core.rendering.labeled_view import LabeledView

RADIUS = 0.5
WALL_Z = -1.0
FOCAL = 1.5
SEAM_X = 0.013
FRONT, BACK, WALL = 1, 2, 3
"""Labels: the ball beyond the seam, its other half, the wall."""


def camera_at(*position: float) -> Camera:
    """A camera there that looks at the ball's centre, the origin."""
    return Camera(look_at(np.array(position), np.zeros(3), np.array([0.0, 1.0, 0.0])), intrinsics_from_focal(FOCAL))


def ring(count: int, radius: float = 3.0) -> list[Camera]:
    """Cameras round the ball, a little above and below its equator in turn."""
    angles = 2 * np.pi * np.arange(count) / count
    return [camera_at(radius * np.sin(a), 0.6 * (-1) ** k, radius * np.cos(a)) for k, a in enumerate(angles)]


def depth_of(camera: Camera, size_px: int, *, wall: bool) -> NDArray[np.float64]:
    """Exact planar depth [H, W] of the ball, and of the wall behind it; +inf at background."""
    rays = camera.rays((size_px, size_px))
    along = (rays.origins * rays.directions).sum(axis=-1)
    inside = along**2 - (rays.origins**2).sum(axis=-1) + RADIUS**2
    distance = np.where(inside > 0, -along - np.sqrt(np.maximum(inside, 0)), np.inf)
    if wall:
        with np.errstate(divide="ignore"):
            to_wall = (WALL_Z - rays.origins[..., 2]) / rays.directions[..., 2]
        distance = np.minimum(distance, np.where(to_wall > 0, to_wall, np.inf))
    depth: NDArray[np.float64] = distance * (rays.directions @ camera.forward)
    return depth


def distance_to_surface(points: NDArray[np.floating], *, wall: bool) -> NDArray[np.float64]:
    """Exact distance [N] to the scene's surface."""
    to_ball = np.abs(np.linalg.norm(points, axis=1) - RADIUS)
    return np.asarray(np.minimum(to_ball, np.abs(points[:, 2] - WALL_Z)) if wall else to_ball, dtype=np.float64)


def view_of(camera: Camera, size_px: int = 64, *, wall: bool = False, subpixels: int = 1, mask: bool = True) -> LabeledView:
    """A view of the scene; with `subpixels` above 1 each depth is the mean of so many a side, so that edges fly."""
    fine = depth_of(camera, size_px * subpixels, wall=wall)
    depth = fine.reshape(size_px, subpixels, size_px, subpixels).mean(axis=(1, 3))
    ids = np.zeros(depth.shape, np.uint8)
    rgb = np.full((*depth.shape, 3), 255, np.uint8)
    seen = np.isfinite(depth)
    points = camera.unproject(_centers(size_px)[seen], depth[seen])
    on_wall = wall & (points[:, 2] < (WALL_Z - RADIUS) / 2)
    ids[seen] = np.where(on_wall, WALL, np.where(points[:, 0] > SEAM_X, FRONT, BACK))
    rgb[seen] = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)[ids[seen]]
    return LabeledView(camera, rgb, ids if mask else None, depth.astype(np.float32))


def _centers(size_px: int) -> NDArray[np.float64]:
    centers = (np.arange(size_px) + 0.5) / size_px
    return np.stack(np.meshgrid(centers, centers), axis=-1)
