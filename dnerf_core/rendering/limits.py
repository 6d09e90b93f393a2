"""Where rays are sampled by a configuration's own limits, in whatever family."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import RayLimits, SubjectField
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.rays import box_limits

GRID_NODES = 64
"""Nodes an axis of a subject's density grid: 48 lose 3 dB on the demo's worst view; 128 take 7 times as long a subject and gain none."""


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


def subject_grid(field: SubjectField, config: BackboneConfig, nodes: int = GRID_NODES) -> DensityGrid:
    """The density grid of a subject's packed field that guides rays with a generator's own limits, `nodes` nodes an axis."""
    inset = config.rays.auto_inset if config.rays.ray_start == "auto" else None
    return field.density_grid(nodes, longest_ray(config.rays, config.box_side), inset)
