"""Points on a posed body's surface as a mesh that its skeleton moves: where they are at rest, and which joints they follow."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.backbone.poses import RiggedPoints
from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch


@torch.no_grad()
def rigged_points(body: PosedBody, points: Tensor) -> RiggedPoints:
    """Points [N, 3] (world frame) at or near the skin of a body in its pose.

    A point follows its joints as the closest place of the skin does, and lies at rest where those joints take it back to.
    """
    nearest = MeshSearch(body.vertices, body.table.faces).closest(points)
    weights = (body.table.weights[body.table.faces[nearest.face]] * nearest.shares[:, :, None]).sum(dim=1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    motion = torch.einsum("nk,kij->nij", weights, body.motions).double()
    rest = torch.linalg.solve(motion[:, :, :3], points.double()[:, :, None] - motion[:, :, 3:])[:, :, 0]
    turn, shift = body.motions[:, :, :3], body.motions[:, :, 3]
    joints = (turn.transpose(1, 2) @ (body.joints - shift)[:, :, None])[:, :, 0]  # back from where they have gone
    return RiggedPoints(
        rest.float().cpu().numpy(),
        weights.float().cpu().numpy(),
        joints.float().cpu().numpy(),
        tuple(body.config.joint_names),
        tuple(body.config.parents),
    )
