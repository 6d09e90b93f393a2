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


def viewport_square(
    view2world: Float64Array,
    window_matrix: Float64Array,
    region_px: tuple[int, int],
    root2world: Float64Array,
    world_up: WorldUp,
    box_side: float,
) -> ViewportSquare | None:
    """The square about the model's box as a viewport shows it.

    Args:
        view2world: the viewport's pose [4, 4], looking down -z.
        window_matrix: its projection [4, 4], perspective.
        region_px: width and height.
        root2world: the subject's place [4, 4], rigid but for one scale.
        world_up: the model's.
        box_side: side of the cube about the model's origin that the subject fills.

    Returns:
        None where the box is out of sight, or the viewport is inside of it.
    """
    # the lens is a stand-in: only the pose is read from it
    pose = Camera.from_blender(np.linalg.inv(root2world) @ view2world, BlenderLens(50.0), world_up).cam2world
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
        Camera(pose, np.diag([1.0 / side, 1.0 / side, 1.0]) @ pixels), float(left), float(region_px[1] - top - side), side
    )
