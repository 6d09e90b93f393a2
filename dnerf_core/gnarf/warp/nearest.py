"""Our own projector: `closest.ClosestMap` of a posed body, with an end to how far the body reaches."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.body.posing import blended_turns, conjugate, quaternion_product
from dnerf_core.gnarf.config import WarpConfig
from dnerf_core.gnarf.warp.closest import ClosestMap

SEARCHED_REACHES = 4
"""How many reaches from the skin the closest point is looked for: inside of a body nothing is void that is no deeper than that."""


def closest(body: PosedBody, points: Tensor, settings: WarpConfig) -> tuple[Tensor, Tensor]:
    """See `projectors`; on the whole template. Void is what lies farther outside than `settings.reach`, or deeper than four reaches."""
    if "closest" not in body.prepared:
        parents, weights = body.config.parents, body.table.weights
        there, here = (blended_turns(pose[None], parents, weights)[0] for pose in (body.table.canonical_pose, body.pose))
        turns = quaternion_product(there, conjugate(here))
        body.prepared["closest"] = ClosestMap(body.vertices, body.canonical_vertices, body.table.faces, turns)
    skin: ClosestMap = body.prepared["closest"]
    if settings.reach is None:
        canonical, distance = skin.carry(points)
        return canonical, torch.zeros_like(distance, dtype=torch.bool)
    canonical, distance = skin.carry(points, SEARCHED_REACHES * settings.reach)
    return canonical, distance > settings.reach
