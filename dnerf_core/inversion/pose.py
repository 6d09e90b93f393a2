"""Sphere cameras as a differentiable function of their two angles; the torch counterpart of `camera.sphere_camera`."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import Camera, sphere_camera
from dnerf_core.camera_arcs import sphere_angles
from dnerf_core.inversion.settings import STEEPEST_PITCH_DEG

STEEPEST_RAD = math.radians(STEEPEST_PITCH_DEG)


def sphere_cam2world(angles_rad: Tensor, cameras: CameraConfig) -> Tensor:
    """Poses cam2world [B, 4, 4] (OpenCV axes) of cameras on the config's sphere, looking at its pivot.

    Args:
        angles_rad: [B, 2], yaw and pitch as `camera_arcs.sphere_pose` has them; a pitch beyond `STEEPEST_RAD` counts as that.
    """
    yaw, pitch = angles_rad[:, 0], angles_rad[:, 1].clamp(-STEEPEST_RAD, STEEPEST_RAD)
    zero = torch.zeros_like(yaw)
    outwards = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], dim=1)
    up = angles_rad.new_zeros(3)
    up["xyz".index(cameras.world_up)] = 1.0
    if cameras.world_up == "z":  # the rig is turned as a whole, (x, y, z) -> (x, -z, y)
        outwards = torch.stack([outwards[:, 0], -outwards[:, 2], outwards[:, 1]], dim=1)
    position = cameras.radius * outwards
    # made there: a tensor of given numbers would be brought to a device, which the host waits for
    pivot = torch.stack([angles_rad.new_full((), place) for place in cameras.pivot])
    forward = F.normalize(pivot - position, dim=1)
    right = F.normalize(torch.linalg.cross(forward, up.expand_as(forward)), dim=1)
    down = torch.linalg.cross(forward, right)
    upper = torch.cat([torch.stack([right, down, forward], dim=2), position[:, :, None]], dim=2)
    last = torch.stack([zero, zero, zero, torch.ones_like(zero)], dim=1)
    return torch.cat([upper, last[:, None]], dim=1)


def sphere_angles_deg(cam2world: NDArray[np.float64], cameras: CameraConfig) -> tuple[float, float]:
    """Yaw and pitch in degrees of where a camera stands, as `camera_arcs.sphere_angles` has them; 0 at the world origin."""
    if not cam2world[:3, 3].any():
        return 0.0, 0.0
    yaw_rad, pitch_rad, _ = sphere_angles(cam2world[:3, 3], world_up=cameras.world_up)
    return math.degrees(yaw_rad), math.degrees(pitch_rad)


def camera_at(yaw_rad: float, pitch_rad: float, cameras: CameraConfig) -> Camera:
    """The camera of two angles on the config's sphere; the pitch as `sphere_cam2world` takes it."""
    pitch = min(max(pitch_rad, -STEEPEST_RAD), STEEPEST_RAD)
    return sphere_camera(
        yaw_rad, pitch, radius=cameras.radius, pivot=cameras.pivot, focal=cameras.focal, world_up=cameras.world_up
    )
