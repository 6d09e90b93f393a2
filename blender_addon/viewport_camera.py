"""What a viewport sees of the subject, as the engine's camera over the part of the region where the subject is.

Convention: region pixels count from the bottom left, as Blender draws; the engine's u and v from the top left.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from dnerf_core.camera import BlenderLens, Camera, Float64Array, WorldUp

_MARGIN = 1.04
"""The square is this much wider than the box that the model fills."""
FAR_BOXES = 150.0
"""Parallel rays are those of a camera so many sides of the box away: what is nearer or farther than the box's middle by half a side lies
off by 1/600 of a side at most, half a pixel of a picture of 256."""


@dataclass(frozen=True, eq=False)
class ViewportSquare:
    """A square of a region, and the engine's camera that sees what is in it.

    Attributes:
        camera: intrinsics normalised by the square's side.
        left_px, bottom_px, side_px: the square, in region pixels; it may reach beyond the region.
    """

    camera: Camera
    left_px: float
    bottom_px: float
    side_px: float


def projection_intrinsics(window_matrix: Float64Array) -> Float64Array:
    """Normalised intrinsics [3, 3] of an OpenGL perspective projection P [4, 4]: fx = P00 / 2, cx = (1 - P02) / 2, cy = (1 + P12) / 2."""
    return np.array(
        [
            [window_matrix[0, 0] / 2.0, 0.0, 0.5 - window_matrix[0, 2] / 2.0],
            [0.0, window_matrix[1, 1] / 2.0, 0.5 + window_matrix[1, 2] / 2.0],
            [0.0, 0.0, 1.0],
        ]
    )


def is_orthographic(window_matrix: Float64Array) -> bool:
    """Whether a projection [4, 4] has parallel rays: its last row is that of the identity."""
    return bool(abs(window_matrix[3, 3]) > 0.5)


def camera_from_afar(
    pose: Float64Array, view2world: Float64Array, window_matrix: Float64Array, root2world: Float64Array, distance: float
) -> Camera:
    """The engine's camera at a distance from the model's origin that sees the plane through it, across the view, as an OpenGL orthographic
    projection P [4, 4] does: normalised over the region, x = (P00 x_view + P03 + 1) / 2, y = (1 - P11 y_view - P13) / 2.

    Args:
        pose: the viewport's in the model's world [4, 4], OpenCV axes, of which the turn counts.
        view2world, root2world: see `viewport_square`.
    """
    origin_view = (np.linalg.inv(view2world) @ root2world)[:3, 3]
    scale = float(np.linalg.norm(root2world[:3, 0]))  # of Blender's world to the model's
    far = pose.copy()
    far[:3, 3] = -distance * pose[:3, 2]
    middle_x = 0.5 * (window_matrix[0, 0] * origin_view[0] + window_matrix[0, 3] + 1.0)
    middle_y = 0.5 * (1.0 - window_matrix[1, 1] * origin_view[1] - window_matrix[1, 3])
    focal_x, focal_y = (0.5 * window_matrix[axis, axis] * scale * distance for axis in (0, 1))
    return Camera(far, np.array([[focal_x, 0.0, middle_x], [0.0, focal_y, middle_y], [0.0, 0.0, 1.0]]))


def viewport_square(
    view2world: Float64Array,
    window_matrix: Float64Array,
    region_px: tuple[int, int],
    root2world: Float64Array,
    world_up: WorldUp,
    box_side: float,
    distance: float | None = None,
) -> ViewportSquare | None:
    """The square about the model's box as a viewport shows it.

    Args:
        view2world: the viewport's pose [4, 4], looking down -z.
        window_matrix: its projection [4, 4], perspective or orthographic.
        region_px: width and height.
        root2world: the subject's place [4, 4], rigid but for one scale.
        world_up: the model's.
        box_side: side of the cube about the model's origin that the subject fills.
        distance: from how far an orthographic viewport is seen, where the model sees nothing from afar; None: from `FAR_BOXES` sides.

    Returns:
        None where the box is out of sight, or the viewport is inside of it.
    """
    # the lens is a stand-in: only the pose is read from it
    pose = Camera.from_blender(np.linalg.inv(root2world) @ view2world, BlenderLens(50.0), world_up).cam2world
    if is_orthographic(window_matrix):
        whole = camera_from_afar(pose, view2world, window_matrix, root2world, distance or FAR_BOXES * box_side)
    else:
        whole = Camera(pose, projection_intrinsics(window_matrix))
    corners = np.array(list(itertools.product((-0.5, 0.5), repeat=3))) * box_side
    uv, depth = whole.project(corners)
    if (depth <= 0.0).any():
        return None
    at = uv * np.array(region_px, dtype=np.float64)
    low, high = at.min(axis=0), at.max(axis=0)
    if (high < 0.0).any() or low[0] > region_px[0] or low[1] > region_px[1]:
        return None
    side = float((high - low).max()) * _MARGIN
    left, top = (low + high) / 2.0 - side / 2.0
    pixels = np.diag([region_px[0], region_px[1], 1.0]) @ whole.intrinsics
    pixels[0, 2] -= left
    pixels[1, 2] -= top
    return ViewportSquare(
        Camera(whole.cam2world, np.diag([1.0 / side, 1.0 / side, 1.0]) @ pixels),
        float(left),
        float(region_px[1] - top - side),
        side,
    )
