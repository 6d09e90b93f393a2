"""Cameras all over a sphere: evenly, or drawn, by area."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dnerf_core.camera import sphere_cameras
from dnerf_core.camera_arcs import sphere_view_angles
from dnerf_core.errors import UsageError
from dnerf_core.generator.config import CameraConfig


def heights(angles_deg: np.ndarray) -> np.ndarray:
    return np.sin(np.radians(angles_deg[:, 1]))


def directions(angles_deg: np.ndarray) -> np.ndarray:
    yaw, pitch = np.radians(angles_deg).T
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)


def test_even_views_by_hand() -> None:
    """Heights in the middle of equal shares of the area, which on a sphere are equal shares of the height."""
    np.testing.assert_allclose(heights(sphere_view_angles(count=4)), [0.75, 0.25, -0.25, -0.75], atol=1e-12)
    np.testing.assert_allclose(heights(sphere_view_angles(count=2, upper=True)), [0.75, 0.25], atol=1e-12)
    golden_deg = 360.0 * (3.0 - math.sqrt(5.0)) / 2.0
    np.testing.assert_allclose(sphere_view_angles(count=3)[:, 0], [0.0, golden_deg, 2 * golden_deg % 360.0], atol=1e-9)


def test_even_views_leave_no_side_out() -> None:
    points = directions(sphere_view_angles(count=200))
    assert np.abs(points.mean(axis=0)).max() < 0.01
    nearest = np.sort(points @ points.T, axis=1)[:, -2]  # the cosine of the angle to the next one
    angles_deg = np.degrees(np.arccos(nearest))
    # 200 equal caps of a sphere have a radius of 8.1 degrees: none is crowded, none is far from all others
    assert angles_deg.min() > 9.0 and angles_deg.max() < 18.0


@pytest.mark.parametrize("upper", [False, True])
def test_drawn_views_are_uniform_by_area(upper: bool) -> None:
    angles_deg = sphere_view_angles(count=4000, upper=upper, rng=np.random.default_rng(3))
    lowest = 0.0 if upper else -1.0
    shares = np.histogram(heights(angles_deg), bins=10, range=(lowest, 1.0))[0] / 4000
    turns = np.histogram(angles_deg[:, 0], bins=10, range=(0.0, 360.0))[0] / 4000
    # a tenth each, give or take four deviations of a binomial count: 4 sqrt(0.1 * 0.9 / 4000) = 0.019
    assert np.abs(shares - 0.1).max() < 0.019 and np.abs(turns - 0.1).max() < 0.019


def test_a_seed_draws_the_same_views_and_more_of_them_begin_alike() -> None:
    drawn = [sphere_view_angles(count=count, rng=np.random.default_rng(seed)) for seed, count in ((7, 5), (7, 9), (8, 5))]
    np.testing.assert_array_equal(drawn[0], drawn[1][:5])
    assert np.abs(drawn[0] - drawn[2]).max() > 1.0


@pytest.mark.parametrize("world_up", ["y", "z"])
def test_cameras_stand_on_the_models_sphere_and_look_at_its_pivot(world_up: str) -> None:
    config = CameraConfig(radius=2.5, pivot=(0.1, 0.2, -0.1), focal=1.3, world_up=world_up, pitch_deg=10.0)
    cameras = sphere_cameras(config, count=11, upper=True)
    for camera in cameras:
        assert np.linalg.norm(camera.position) == pytest.approx(2.5)
        assert camera.position[1 if world_up == "y" else 2] > 0
        towards = np.array(config.pivot) - camera.position
        np.testing.assert_allclose(camera.forward, towards / np.linalg.norm(towards), atol=1e-12)
        assert camera.intrinsics[0, 0] == 1.3


def test_no_views_are_refused() -> None:
    with pytest.raises(UsageError, match="count: expected a whole number of views above 0, found 0"):
        sphere_view_angles(count=0)
