"""Points on a posed body's surface where a skeleton has them: at rest, with the joints they follow, and in the canonical pose."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.backbone.poses import RiggedPoints
from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.body.posing import blended_turns, conjugate, joint_motions, quaternion_product, skin
from dnerf_core.gnarf.warp.closest import ClosestMap
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
    joints = _rest_joints(body)
    return RiggedPoints(
        rest.float().cpu().numpy(),
        weights.float().cpu().numpy(),
        joints.float().cpu().numpy(),
        tuple(body.config.joint_names),
        tuple(body.config.parents),
    )


@torch.no_grad()
def canonical_points(body: PosedBody, points: Tensor) -> Tensor:
    """Points [N, 3] (world frame) about a body where they are when the same body, of its own shape, takes the canonical pose.

    They keep their distance from the skin; the field is read elsewhere, on the body of mean shape.
    """
    table, config = body.table, body.config
    pose, scale = table.canonical_pose, config.scale
    motions = joint_motions(pose[None], _rest_joints(body)[None] / scale, config.parents)
    there = skin(body.rest[None] / scale, table.weights, motions, pose[-1][None])[0] * scale
    turned, here = (blended_turns(each[None], config.parents, table.weights)[0] for each in (pose, body.pose))
    carried, _ = ClosestMap(body.vertices, there, table.faces, quaternion_product(turned, conjugate(here))).carry(points)
    return carried


def _rest_joints(body: PosedBody) -> Tensor:
    """Where the joints [K, 3] are at rest: back from where they have gone."""
    turn, shift = body.motions[:, :, :3], body.motions[:, :, 3]
    return (turn.transpose(1, 2) @ (body.joints - shift)[:, :, None])[:, :, 0]
