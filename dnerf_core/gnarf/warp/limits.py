"""Where the rays of posed bodies are sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import RayLimits
from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.config import GnarfConfig, WarpConfig
from dnerf_core.gnarf.warp.rasterise import NEAREST_HITS, mesh_depths
from dnerf_core.rendering.limits import configured_limits
from dnerf_core.rendering.rays import ViewRays, box_limits

if TYPE_CHECKING:
    from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

PUBLISHED_SUBPIXELS = 8
"""A side, at which the published rasteriser sees the clip mesh through each pixel."""


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
        near, far, met = clip_limits(view, bodies, config.warp)
        return RayLimits(start, end, hit & met, void_outside=True, within=(near, far))
    return RayLimits(*clip_limits(view, bodies, config.warp), void_outside=True)


@torch.no_grad()
def clip_limits(view: ViewRays, bodies: Sequence[PosedBody], settings: WarpConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays first and last meet the clip mesh, [M] each (0 where they miss it), and whether they do, bool [M].

    Of our own field each ray is followed through the mesh. The published ones see the mesh through the centres of sub-pixels of every
    pixel; a pixel's ray begins at the least depth of them all and ends at the greatest, both turned into distances along its own ray.
    """
    if not settings.is_published:
        crossings = [
            clip_search(bodies[index if len(bodies) > 1 else 0]).crossed(origins, directions)
            for index, (origins, directions) in enumerate(zip(view.origins, view.directions, strict=True))
        ]
        start, end = (torch.cat(ends) for ends in zip(*crossings, strict=True))
        return start, end, end > start
    near, far = [], []
    for index in range(len(view.cam2world)):
        body = bodies[index if len(bodies) > 1 else 0]
        low, high = mesh_depths(
            body.clip,
            body.table.clip.faces,
            view.cam2world[index],
            view.intrinsics[index],
            view.side,
            subpixels=PUBLISHED_SUBPIXELS,
            nearest_hits=NEAREST_HITS,
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


def clip_search(body: PosedBody) -> MeshSearch:
    """The tree of a body's clip mesh, made once a pose."""
    if "clip" not in body.prepared:
        from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

        body.prepared["clip"] = MeshSearch(body.clip, body.table.clip.faces)
    found: MeshSearch = body.prepared["clip"]
    return found
