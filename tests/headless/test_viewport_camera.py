"""What the engine is asked for an orthographic viewport of Blender, and that it sees the subject where that shows it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from blender_addon.viewport_camera import is_orthographic, viewport_square
from dnerf_core.camera import ENGINE_TO_BLENDER, Camera, arc_cameras
from tests.blender.fused import demo, fused

REGION_PX = (700, 500)


def window_matrix(scale: float, shift: tuple[float, float]) -> np.ndarray:
    """Blender's of an orthographic viewport that is `scale` high and moved aside, as when looking through a shifted camera."""
    width, height = REGION_PX
    half = scale / 2.0
    matrix = np.eye(4)
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = height / width / half, 1.0 / half, -0.01
    matrix[0, 3], matrix[1, 3] = shift
    return matrix


def turned(x: float, y: float, z: float) -> np.ndarray:
    """A rotation [4, 4] about x, then y, then z, radians."""
    matrix = np.eye(4)
    for axis, angle in enumerate((x, y, z)):
        one, other = (k for k in range(3) if k != axis)
        step = np.eye(4)
        step[[one, other], [one, other]] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        matrix = step @ matrix
    return matrix


def moved(x: float, y: float, z: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def placed(yaw: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A viewport's pose, and a subject's place."""
    place = moved(0.4, 0.3, 0.2)
    view2world = place @ turned(1.2, 0.1, yaw) @ moved(0.2, -0.1, 9.0)
    return view2world, place @ turned(0.2, -0.1, 0.5) @ np.diag([scale, scale, scale, 1.0])


def region_px(view2world: np.ndarray, matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where world points [N, 3] are in the region, from its bottom left, [N, 2]."""
    whole = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    clip = whole @ (matrix @ np.linalg.inv(view2world)).T
    return (clip[:, :2] / clip[:, 3:] + 1.0) / 2.0 * REGION_PX


@pytest.mark.parametrize(("yaw", "scale", "shift"), [(0.3, 1.0, (0.0, 0.0)), (2.0, 0.5, (0.1, -0.05)), (-1.0, 2.5, (0.0, 0.2))])
def test_an_orthographic_viewports_points_are_where_the_camera_sees_them(
    yaw: float, scale: float, shift: tuple[float, float]
) -> None:
    """To 1/600 of the box's side in the picture, as `FAR_BOXES` says."""
    box, matrix = 1.8, window_matrix(4.0 * scale, shift)
    view2world, root = placed(yaw, scale)
    assert is_orthographic(matrix)
    square = viewport_square(view2world, matrix, REGION_PX, root, "y", box)
    assert square is not None
    corners = np.array(list(itertools.product((-0.5, 0.0, 0.5), repeat=3))) * box
    in_world = corners @ ENGINE_TO_BLENDER[:3, :3].T @ root[:3, :3].T + root[:3, 3]
    uv, depth = square.camera.project(corners)
    assert (depth > 0).all()
    found = np.stack([square.left_px + uv[:, 0] * square.side_px, square.bottom_px + (1 - uv[:, 1]) * square.side_px], axis=1)
    expected = region_px(view2world, matrix, in_world)
    side_px = box * scale * matrix[1, 1] / 2.0 * REGION_PX[1]
    worst = np.abs(found - expected).max() / side_px
    print("worst, in sides of the box", worst)
    assert worst < 1.5 / 600  # corners of the cube are farther from its middle than its faces
    low, high = expected.min(axis=0), expected.max(axis=0)
    assert square.left_px < low[0] and square.bottom_px < low[1] and square.left_px + square.side_px > high[0]
    near = viewport_square(view2world, matrix, REGION_PX, root, "y", box, distance=2.7)
    assert near is not None and np.linalg.norm(near.camera.position) == pytest.approx(2.7)


def share_on(mask: np.ndarray, at_px: np.ndarray) -> float:
    """How many of some points (columns and rows) lie where a mask shows the subject."""
    columns, rows = np.clip(at_px.astype(int), 0, len(mask) - 1).T
    return float((mask > 0)[rows, columns].mean())


def test_the_engine_sees_it_from_afar_as_its_cloud_is_seen() -> None:
    """The mask of the far camera against the points of the cloud in the parallel projection; as for any camera and its own."""
    model, subject = demo()
    (usual,) = arc_cameras(model.config.cameras, (25, 25), count=1)
    root, matrix = placed(0.6, 1.0)[1], window_matrix(3.0, (0.0, 0.0))
    view2world = root @ usual.to_blender_matrix("y")  # from the same direction
    square = viewport_square(view2world, matrix, REGION_PX, root, "y", model.config.box_side)
    assert square is not None
    size, points = 256, fused().points
    camera = Camera.from_json(square.camera.to_json())  # as a request has it: it is not refused
    mask = subject.channels(camera, size, ("rgb", "mask")).mask
    assert 0.03 < (mask > 0).mean() < 0.8
    in_world = points @ ENGINE_TO_BLENDER[:3, :3].T @ root[:3, :3].T + root[:3, 3]
    at = (region_px(view2world, matrix, in_world) - (square.left_px, square.bottom_px)) / square.side_px
    at_px = np.stack([at[:, 0], 1.0 - at[:, 1]], axis=1) * size
    expected = share_on(subject.channels(usual, size, ("rgb", "mask")).mask, usual.project(points)[0] * size)
    found = share_on(mask, at_px)
    print("points of the cloud on the mask, from afar and from near", found, expected)
    assert expected > 0.9 and found > expected - 0.02
    assert share_on(mask, at_px + np.array([0, 8])) < found - 0.02
