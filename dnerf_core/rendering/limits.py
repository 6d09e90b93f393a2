"""Where rays are sampled by a configuration's own limits, in whatever family."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import RayLimits
from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.rendering.rays import box_limits


def configured_limits(origins: Tensor, directions: Tensor, rays: RayConfig, box_side: float) -> RayLimits:
    """The limits of rays [M, 3]: the config's two distances, or with "auto" those at which a ray enters and leaves the box.

    `hit` is False where "auto" limits find that a ray misses the box.
    """
    if rays.ray_start == "auto" or rays.ray_end == "auto":
        return RayLimits(*box_limits(origins, directions, box_side - 2 * rays.auto_inset))
    start = origins.new_full((len(origins),), rays.ray_start)
    end = origins.new_full((len(origins),), rays.ray_end)
    return RayLimits(start, end, torch.ones_like(start, dtype=torch.bool))


def longest_ray(rays: RayConfig, box_side: float) -> float:
    """Length of the longest stretch of a ray that is sampled, world units."""
    if rays.ray_start == "auto" or rays.ray_end == "auto":
        return math.sqrt(3) * box_side
    return rays.ray_end - rays.ray_start
