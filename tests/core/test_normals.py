"""Normals of planar depth: planes and a sphere whose normals are known."""

from __future__ import annotations

import numpy as np
import pytest

from dnerf_core.camera import Camera, intrinsics_from_focal, pixel_centers_uv
from dnerf_core.rendering.normals import normals_from_depth

CAMERA = Camera(np.eye(4), intrinsics_from_focal(1.5))
SIZE = 48


def depth_of_plane(normal: np.ndarray, distance: float, size: int = SIZE) -> np.ndarray:
    """Where rays (x, y, 1) z meet the plane n . p = -distance."""
    rays = Camera(np.eye(4), CAMERA.intrinsics).unproject(pixel_centers_uv(size), np.ones((size, size)))
    return -distance / (rays @ normal)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("direction", [(0.0, 0.0, -1.0), (0.5, 0.0, -1.0), (0.0, -0.7, -1.0), (0.4, 0.3, -1.0)])
def test_a_plane_has_its_own_normal_everywhere(direction: tuple[float, float, float], step: int) -> None:
    normal = np.array(direction) / np.linalg.norm(direction)
    found = normals_from_depth(depth_of_plane(normal, 2.0), CAMERA, step)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.broadcast_to(normal, found.shape), atol=1e-5)


def test_a_sphere_has_radial_normals() -> None:
    size = 200
    rays = CAMERA.unproject(pixel_centers_uv(size), np.ones((size, size)))
    centre, radius = np.array([0.1, -0.05, 3.0]), 0.8
    # |z r - c|^2 = radius^2, the nearer root
    a, b = (rays**2).sum(-1), rays @ centre
    inside = b**2 - a * (centre @ centre - radius**2)
    with np.errstate(invalid="ignore"):
        depth = np.where(inside > 0, (b - np.sqrt(inside)) / a, np.inf)
    true = (rays * np.where(np.isfinite(depth), depth, 0)[..., None] - centre) / radius
    found = normals_from_depth(depth, CAMERA)
    facing = np.isfinite(depth) & ((true * rays).sum(-1) < -0.4 * np.sqrt(a))
    assert facing.sum() > 5000
    error = np.degrees(np.arccos(np.clip((found * true).sum(-1)[facing], -1, 1)))
    assert error.max() < 1.5
    # the wrong reading, x and y exchanged, is nowhere near
    assert np.degrees(np.arccos(np.clip((found[..., [1, 0, 2]] * true).sum(-1)[facing], -1, 1))).mean() > 20


def test_background_and_single_pixels_have_none() -> None:
    depth = np.full((8, 8), np.inf, np.float32)
    assert not normals_from_depth(depth, CAMERA).any()
    depth[3, 3] = 2.0
    assert not normals_from_depth(depth, CAMERA).any()


def test_a_step_between_two_surfaces_is_no_surface() -> None:
    """Both sides face the camera up to the edge; a difference across it would be all but sideways."""
    depth = np.full((SIZE, SIZE), 2.0, np.float32)
    depth[:, SIZE // 2 :] = 5.0
    expected = np.broadcast_to([0, 0, -1], (SIZE, SIZE, 3))
    np.testing.assert_allclose(normals_from_depth(depth, CAMERA), expected, atol=1e-6)
