"""Our own projector: `closest.ClosestMap` of a posed body, with an end to how far the body reaches."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.body.posing import blended_turns, conjugate, quaternion_product
from dnerf_core.gnarf.config import WarpConfig
from dnerf_core.gnarf.warp.closest import ClosestMap
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

_PROBES = 24
"""Points an axis at which it is measured how thick a body is."""

_THICKER = 1.5
"""How much thicker than at rest a body may become where it is bent."""


def closest(body: PosedBody, points: Tensor, settings: WarpConfig) -> tuple[Tensor, Tensor]:
    """See `projectors`; on the whole template. Void is what lies farther outside than `settings.reach`."""
    if "closest" not in body.prepared:
        parents, weights = body.config.parents, body.table.weights
        there, here = (blended_turns(pose[None], parents, weights)[0] for pose in (body.table.canonical_pose, body.pose))
        turns = quaternion_product(there, conjugate(here))
        body.prepared["closest"] = ClosestMap(body.vertices, body.canonical_vertices, body.table.faces, turns)
    skin: ClosestMap = body.prepared["closest"]
    if settings.reach is None:
        canonical, distance = skin.carry(points)
        return canonical, torch.zeros_like(distance, dtype=torch.bool)
    # no farther than needed, which is what takes the time: up to the reach outside, and to the middle of the body inside
    canonical, distance = skin.carry(points, max(1.01 * settings.reach, _THICKER * _depth(body)))
    return canonical, distance > settings.reach


def _depth(body: PosedBody) -> float:
    """How far inside the body at rest a point can be from its skin, world units; measured once a body."""
    kept = body.table.prepared
    if "depth" not in kept:
        rest = body.canonical_rest.detach()
        low, high = rest.amin(dim=0), rest.amax(dim=0)
        steps = (torch.arange(_PROBES, dtype=rest.dtype, device=rest.device) + 0.5) / _PROBES
        probes = low + torch.cartesian_prod(steps, steps, steps) * (high - low)
        nearest = MeshSearch(rest, body.table.faces).closest(probes)
        on_skin = (rest[body.table.faces[nearest.face]] * nearest.shares[:, :, None]).sum(dim=1)
        inside = (probes - on_skin).norm(dim=1)[nearest.sign < 0]
        kept["depth"] = float(inside.max()) / body.config.scale if len(inside) else 0.0
    depth: float = kept["depth"]
    return depth * body.config.scale
