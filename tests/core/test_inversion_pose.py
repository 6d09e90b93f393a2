"""Differentiable sphere cameras against the NumPy ones."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from dnerf_core.camera import sphere_camera
from dnerf_core.generator.config import CameraConfig
from dnerf_core.inversion.pose import STEEPEST_RAD, camera_at, sphere_angles_deg, sphere_cam2world
from dnerf_core.inversion.view import degrees_of

RIGS = {
    "y": CameraConfig(radius=2.7, pivot=(0.0, 0.0, 0.2), focal=4.2647, world_up="y"),
    "z": CameraConfig(radius=1.7, pivot=(0.1, -0.2, 0.05), focal=1.7074, world_up="z"),
    "y, pivot aside": CameraConfig(radius=3.5, pivot=(0.3, -0.4, 0.5), focal=1.7, world_up="y"),
}
ANGLES = [(0.0, 0.0), (0.7, 0.3), (-2.5, -0.8), (3.1, 1.3), (1.6, -1.4)]


@pytest.mark.parametrize("rig", list(RIGS))
def test_poses_are_the_camera_modules(rig: str) -> None:
    cameras = RIGS[rig]
    found = sphere_cam2world(torch.tensor(ANGLES, dtype=torch.float64), cameras).numpy()
    for pose, (yaw, pitch) in zip(found, ANGLES, strict=True):
        expected = sphere_camera(
            yaw, pitch, radius=cameras.radius, pivot=cameras.pivot, focal=cameras.focal, world_up=cameras.world_up
        )
        np.testing.assert_allclose(pose, expected.cam2world, atol=1e-12)
        np.testing.assert_allclose(camera_at(yaw, pitch, cameras).cam2world, expected.cam2world, atol=1e-12)
    other_up = dataclasses.replace(cameras, world_up="z" if cameras.world_up == "y" else "y")
    assert np.abs(sphere_cam2world(torch.tensor(ANGLES, dtype=torch.float64), other_up).numpy() - found).max() > 0.5


@pytest.mark.parametrize("rig", list(RIGS))
def test_poses_are_differentiable(rig: str) -> None:
    angles = torch.tensor(ANGLES, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: sphere_cam2world(a, RIGS[rig]), (angles,))


@pytest.mark.parametrize("sign", [1, -1])
def test_no_camera_stands_at_the_pole(sign: int) -> None:
    """A pitch beyond the steepest is that, in both modules, and nothing pulls at it there."""
    cameras = RIGS["y"]
    over = torch.tensor([[0.4, sign * math.radians(89)]], dtype=torch.float64, requires_grad=True)
    steepest = torch.tensor([[0.4, sign * STEEPEST_RAD]], dtype=torch.float64)
    pose = sphere_cam2world(over, cameras)
    torch.testing.assert_close(pose, sphere_cam2world(steepest, cameras))
    np.testing.assert_allclose(camera_at(0.4, sign * 2.0, cameras).cam2world, pose[0].detach().numpy(), atol=1e-12)
    pose[0, 1, 3].backward()
    assert over.grad is not None and over.grad[0, 1] == 0


@pytest.mark.parametrize("rig", list(RIGS))
@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(0, 0), (35, 20), (-150, -60), (179, 84)])
def test_angles_of_a_camera_are_those_it_was_made_of(rig: str, yaw_deg: float, pitch_deg: float) -> None:
    camera = camera_at(math.radians(yaw_deg), math.radians(pitch_deg), RIGS[rig])
    assert sphere_angles_deg(camera.cam2world, RIGS[rig]) == pytest.approx((yaw_deg, pitch_deg), abs=1e-9)


def test_degrees_by_hand() -> None:
    """Yaw comes into [-180, 180)."""
    assert degrees_of(torch.tensor([math.radians(190), math.radians(20)])) == pytest.approx((-170, 20), abs=1e-4)
    assert degrees_of(torch.tensor([math.radians(-350), 0.0], requires_grad=True)) == pytest.approx((10, 0), abs=1e-4)
