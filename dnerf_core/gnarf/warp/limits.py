"""Where the rays of posed bodies are sampled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import RayLimits
from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.gnarf.warp.rasterise import mesh_depths
from dnerf_core.rendering.limits import configured_limits
from dnerf_core.rendering.rays import ViewRays, box_limits

SUBPIXELS = 8
"""A side, at which the clip mesh is seen through each pixel, as published."""


def posed_limits(view: ViewRays, bodies: Sequence[PosedBody], config: GnarfConfig) -> RayLimits:
    """The limits of B views' rays, M = B * N; view b shows body b, or the only one. Not differentiated."""
    origins, directions = view.origins.reshape(-1, 3), view.directions.reshape(-1, 3)
    mask = config.warp.mask
    if mask == "none":
        return configured_limits(origins, directions, config.rays, config.box_side)
    if mask == "cube":
        start, end, hit = box_limits(origins, directions, config.triplane.box_warp - 2 * config.rays.auto_inset)
        if not config.warp.project_inside_only:
            return RayLimits(start, end, hit)
        near, far, met = clip_limits(view, bodies)
        start, end = torch.maximum(start, near), torch.minimum(end, far)
        hit = hit & met & (end > start)
        zero = torch.zeros_like(start)
        return RayLimits(torch.where(hit, start, zero), torch.where(hit, end, zero), hit, void_outside=True)
    return RayLimits(*clip_limits(view, bodies), void_outside=True)


@torch.no_grad()
def clip_limits(view: ViewRays, bodies: Sequence[PosedBody]) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays first and last meet the clip mesh, [M] each (0 where they miss it), and whether they do, bool [M].

    The mesh is seen through the centres of 8 x 8 sub-pixels of every pixel; a pixel's ray begins at the least depth of them all and
    ends at the greatest, both turned into distances along its own ray.
    """
    near, far = [], []
    for index in range(len(view.cam2world)):
        body = bodies[index if len(bodies) > 1 else 0]
        low, high = mesh_depths(
            body.clip, body.table.clip.faces, view.cam2world[index], view.intrinsics[index], view.side, SUBPIXELS
        )
        forward = view.directions[index] @ view.cam2world[index, :3, 2]  # depth of a step along the ray
        if view.pixel is not None:
            low, high = low[view.pixel], high[view.pixel]
        near.append(low / forward)
        far.append(high / forward)
    start, end = torch.cat(near), torch.cat(far)
    hit = start.isfinite() & end.isfinite()
    zero = torch.zeros_like(start)
    return torch.where(hit, start, zero), torch.where(hit, end, zero), hit
