"""The published projector by bones: a point goes as rigidly as the bone that it is nearest to."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.config import WarpConfig

DISTANCES_AT_ONCE = 2**21
"""Distances of points to bones that are held together: bounds memory."""


def skinning(body: PosedBody, points: Tensor, settings: WarpConfig) -> tuple[Tensor, Tensor]:
    """See `projectors`. Nothing is void.

    As published, joints and motions are those in template units whatever the body's scale is, so the map is right at scale 1 alone.
    """
    scale = body.config.scale
    kept = body.table.prepared
    if "skinning" not in kept:
        parents = torch.tensor(body.config.parents, dtype=torch.long, device=points.device)
        tips = (parents >= 0).nonzero()[:, 0]
        kept["skinning"] = parents[tips], tips
    (begins, ends), joints = kept["skinning"], body.joints / scale
    owner = torch.zeros(len(points), dtype=torch.long, device=points.device)
    if len(ends):
        with torch.no_grad():
            lots = points.split(max(1, DISTANCES_AT_ONCE // len(ends)))
            nearest = [segment_distances(part, joints[begins], joints[ends]).argmin(dim=1) for part in lots]
            owner = begins[torch.cat(nearest)] if nearest else owner
    there, back = _unscaled(body.canonical_motions, scale), _unscaled(body.motions, scale)
    turn, shift = back[owner, :, :3], back[owner, :, 3]
    rest = (turn.transpose(1, 2) @ (points - shift)[:, :, None])[:, :, 0]
    canonical = (there[owner, :, :3] @ rest[:, :, None])[:, :, 0] + there[owner, :, 3]
    return canonical, torch.zeros(len(points), dtype=torch.bool, device=points.device)


def _unscaled(motions: Tensor, scale: float) -> Tensor:
    """Motions [K, 3, 4] of template units."""
    return torch.cat([motions[:, :, :3], motions[:, :, 3:] / scale], dim=2)


def segment_distances(points: Tensor, begins: Tensor, ends: Tensor) -> Tensor:
    """Squared distances [N, S] of points [N, 3] to segments from `begins` [S, 3] to `ends` [S, 3], which may be points."""
    along = ends - begins
    length = along.square().sum(dim=1).clamp_min(torch.finfo(points.dtype).tiny)
    way = points[:, None] - begins
    share = ((way * along).sum(dim=2) / length).clamp(0, 1)
    return (way - share[:, :, None] * along).square().sum(dim=2)
