"""Cameras that hold a posed body: the demo's frame follows the pose, so that a person fills it whatever they do."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.demo.people.config import DEMO_PEOPLE

FRAME = 1.12
"""Height of the frame at the body's middle, as a multiple of the greatest side of the body's bounding box."""


def intrinsics(count: int) -> Tensor:
    """The demo's intrinsics [count, 3, 3], normalised."""
    focal = DEMO_PEOPLE.cameras.focal
    return torch.tensor([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]).expand(count, 3, 3)


def body_frame(vertices: Tensor) -> tuple[Tensor, Tensor]:
    """Middle [B, 3] and greatest side [B] of the bounding boxes of vertices [B, V, 3]."""
    low, high = vertices.amin(dim=1), vertices.amax(dim=1)
    return (low + high) / 2, (high - low).amax(dim=1)


def cameras_about(middle: Tensor, side: Tensor, yaw: Tensor, elevation: Tensor, frame: Tensor | float = FRAME) -> Tensor:
    """cam2world [B, 4, 4] (OpenCV axes, world y up) that look at a body's middle.

    Args:
        middle, side: [B, 3] and [B], see `body_frame`.
        yaw, elevation: [B], radians; yaw 0 sees what looks along +z from the front.
        frame: see `FRAME`.
    """
    backward = torch.stack([elevation.cos() * yaw.sin(), elevation.sin(), elevation.cos() * yaw.cos()], dim=-1)
    forward = -backward
    right = F.normalize(torch.linalg.cross(forward, torch.tensor([0.0, 1.0, 0.0]).expand_as(forward), dim=-1), dim=-1)
    distance = DEMO_PEOPLE.cameras.focal * side * frame
    cam2world = torch.eye(4).repeat(len(middle), 1, 1)
    columns = [right, torch.linalg.cross(forward, right, dim=-1), forward, middle + distance[:, None] * backward]
    cam2world[:, :3, :4] = torch.stack(columns, dim=-1)
    return cam2world


def random_cameras(
    vertices: Tensor, rng: torch.Generator, elevation_deg: tuple[float, float], frame: tuple[float, float] = (FRAME, FRAME)
) -> Tensor:
    """cam2world [B, 4, 4] from all around, at a uniform elevation and a uniform frame."""
    count = len(vertices)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=rng)

    yaw, elevation = uniform(0, 2 * math.pi), uniform(*(math.radians(angle) for angle in elevation_deg))
    return cameras_about(*body_frame(vertices), yaw, elevation, uniform(*frame))
