"""The shadow that a car throws on the ground it stands on: of a light with a soft edge, and of the open sky."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.demo.trace import grid_rays
from dnerf_core.demo.world import Cars

SOFTNESS = 7.0
"""How sharp the light's shadow is: distance along the ray over that past the surface at which it is full."""
SUN_SHARE = 0.42
SKY_SHARE = 0.55
"""What of a white ground's brightness the light and the sky take away where they are wholly hidden."""
_STEPS = 28
_REACH = 1.9
_HEIGHTS = (0.03, 0.09, 0.18, 0.32)


def ground_light(cars: Cars, light: Tensor, cam2world: Tensor, intrinsics: Tensor, size_px: int, where: Tensor) -> Tensor:
    """The share of its light that reaches the ground behind each pixel.

    Args:
        cars: one car.
        light: `[3]`, unit, towards the light.
        cam2world, intrinsics: `[1, 4, 4]` and `[1, 3, 3]`, normalised.
        where: bool `[H, W]`, the pixels in question.

    Returns:
        float32 `[H, W]` in [0, 1], 1 where a pixel does not show the ground, or none in question.
    """
    centers = (torch.arange(size_px) + 0.5) / size_px
    origins, directions, _ = grid_rays(cam2world, intrinsics, centers, centers)
    ground_y = -float(cars.shape.half_height[0])
    result = torch.ones(size_px * size_px)
    origins, directions = origins[0], directions[0]
    t = (ground_y - origins[:, 1]) / directions[:, 1]
    points = origins + directions * t[:, None]
    near = where.reshape(-1) & (t > 0) & (directions[:, 1] < 0) & (points[:, [0, 2]].abs().amax(dim=1) < _REACH)
    points = points[near]
    if len(points):
        result[near] = 1 - SUN_SHARE * (1 - _sun(cars, points, light)) - SKY_SHARE * (1 - _sky(cars, points))
    return result.reshape(size_px, size_px).clamp(0, 1)


def _sun(cars: Cars, points: Tensor, light: Tensor) -> Tensor:
    """1 in the light to 0 in full shadow, by how closely the way to the light passes the car."""
    seen, t = torch.ones(len(points)), torch.full((len(points),), 0.01)
    for _ in range(_STEPS):
        distance = cars.signed_distance(torch.addcmul(points, light.expand_as(points), t[:, None])[None])[0]
        seen = torch.minimum(seen, (0.5 + 0.5 * SOFTNESS * distance / t).clamp(0, 1))
        t = t + distance.clamp(0.02, 0.2)
    return seen * seen * (3 - 2 * seen)


def _sky(cars: Cars, points: Tensor) -> Tensor:
    """1 under the open sky to 0 below the car, by the distance to it at some heights."""
    hidden = torch.zeros(len(points))
    for height in _HEIGHTS:
        above = points + points.new_tensor([0.0, height, 0.0])
        distance = cars.signed_distance(above[None])[0]
        hidden += ((height - distance) / height).clamp(0, 1) / len(_HEIGHTS)
    return 1 - hidden
