"""Surface normals of a planar depth image (numpy only)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, pixel_centers_uv

STEEPEST = 6.0
"""Between pixels of one surface depth may change by this many times the distance between them at that depth: 80 degrees from facing us."""


def normals_from_depth(depth_planar: NDArray[np.floating], camera: Camera, step_px: int = 1) -> NDArray[np.float32]:
    """Unit normals of the surface that a depth image shows, facing the camera.

    n = t_y x t_x, normalised; t_x and t_y are differences between the surface points `step_px` to either side of a pixel. A neighbour at
    background, outside the image or on another surface (`STEEPEST`) is replaced by the pixel itself.

    Convention: camera frame, OpenCV axes (x right, y down, z forward), so n_z < 0 on what is seen head-on.

    Args:
        depth_planar: [H, W], along the optical axis, +inf at background.
        camera: where it was seen from; the pose does not matter.
        step_px: a depth image enlarged k times is smooth at step k and shows its old pixels as facets at step 1.
    Returns:
        [H, W, 3] float32; zeros at background and where a pixel has no neighbour on its surface in one of the directions.
    """
    height, width = depth_planar.shape
    surface = np.isfinite(depth_planar)
    depth = np.where(surface, depth_planar, 0.0).astype(np.float64)
    eye = Camera(np.eye(4), camera.intrinsics)
    points = eye.unproject(pixel_centers_uv((width, height)), depth)
    focal = camera.pixel_intrinsics((width, height))
    along_x = _tangent(points, surface, step_px, 1, STEEPEST * step_px / focal[0, 0])
    along_y = _tangent(points, surface, step_px, 0, STEEPEST * step_px / focal[1, 1])
    normals = np.cross(along_y, along_x)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
    return unit.astype(np.float32)


def _tangent(
    points: NDArray[np.float64], surface: NDArray[np.bool_], step_px: int, axis: int, largest: float
) -> NDArray[np.float64]:
    """From the neighbour before to the neighbour after along an axis of the image, [H, W, 3]; zeros where neither is usable.

    `largest` is the difference of depth, as a share of the nearer one, up to which a neighbour is on the same surface.
    """
    after, before = (_step(points, surface, offset, axis, largest) for offset in (step_px, -step_px))
    return after - before


def _step(points: NDArray[np.float64], surface: NDArray[np.bool_], offset: int, axis: int, largest: float) -> NDArray[np.float64]:
    """Differences [H, W, 3] to the points `offset` pixels on along an axis; zeros where those are not on the same surface."""
    count = points.shape[axis]
    there = np.arange(count) + offset
    inside = ((there >= 0) & (there < count)).reshape((-1, 1) if axis == 0 else (1, -1))
    neighbours = points.take(there.clip(0, count - 1), axis)
    difference = neighbours - points
    nearer = np.minimum(neighbours[..., 2], points[..., 2])
    same = surface & surface.take(there.clip(0, count - 1), axis) & inside & (np.abs(difference[..., 2]) <= largest * nearer)
    return np.where(same[..., None], difference, 0.0)
