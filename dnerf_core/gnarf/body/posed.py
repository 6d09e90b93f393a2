"""A body in a pose: where its vertices, its coarse meshes and its joints are, in the world, beside where they are in its canonical pose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dnerf_core.gnarf.body.posing import joint_motions, rotation_matrices, skin
from dnerf_core.gnarf.body.tables import BodyTable, CoarseTable
from dnerf_core.gnarf.config import BodyConfig


@dataclass(frozen=True, eq=False)
class PosedBody:
    """One body in one pose. World frame and units; differentiable in the pose and in the shape coefficients.

    Attributes:
        config, table: of the body; faces, skinning weights and what else no pose changes are there.
        pose: [K + 1, 3], template units.
        vertices: [V, 3] of the whole template, faces `table.faces`.
        reduced: [Vr, 3], faces `table.reduced.faces`.
        clip: [Vc, 3], faces `table.clip.faces`.
        canonical_vertices, canonical_reduced, canonical_clip: the same vertices in the canonical pose and the mean shape.
        rest, canonical_rest: [V, 3], the template at rest in this body's shape, and in the mean shape, with a pose's correctives if any.
        joints, canonical_joints: [K, 3], where the bones begin.
        motions, canonical_motions: [K, 3, 4], what each joint does to points of `rest` and of `canonical_rest`, the translation in it:
            vertices = sum over k of weights[:, k] (R_k rest + t_k).
        prepared: what is made of it once, by the name of who makes it, such as a tree of its triangles.
    """

    config: BodyConfig
    table: BodyTable
    pose: Tensor
    vertices: Tensor
    reduced: Tensor
    clip: Tensor
    canonical_vertices: Tensor
    canonical_reduced: Tensor
    canonical_clip: Tensor
    rest: Tensor
    canonical_rest: Tensor
    joints: Tensor
    canonical_joints: Tensor
    motions: Tensor
    canonical_motions: Tensor
    prepared: dict[str, Any] = field(default_factory=dict)


def pose_body(config: BodyConfig, table: BodyTable, pose: Tensor | None = None, shape: Tensor | None = None) -> PosedBody:
    """A body in a pose.

    Args:
        pose: [K + 1, 3]; None: the canonical one.
        shape: [S] coefficients; None: the mean.
    """
    canonical = _skinned(config, table, table.canonical_pose, None)
    at_home = pose is None and shape is None
    pose = table.canonical_pose if pose is None else pose
    posed = canonical if at_home else _skinned(config, table, pose, shape)
    return PosedBody(
        config,
        table,
        pose,
        posed.vertices,
        posed.reduced,
        posed.clip,
        canonical.vertices,
        canonical.reduced,
        canonical.clip,
        posed.rest,
        canonical.rest,
        posed.joints,
        canonical.joints,
        posed.motions,
        canonical.motions,
    )


@dataclass(frozen=True, eq=False)
class _Skinned:
    """Where a body is, world units; as `PosedBody` names it."""

    vertices: Tensor
    reduced: Tensor
    clip: Tensor
    rest: Tensor
    joints: Tensor
    motions: Tensor


def posed_vertices(config: BodyConfig, table: BodyTable, pose: Tensor, shape: Tensor | None) -> Tensor:
    """Where the vertices of bodies in poses [B, K + 1, 3] and of shapes [B or 1, S] (None: the mean) are, [B, V, 3], world units."""
    return _moved(config, table, pose, shape).vertices * config.scale


@dataclass(frozen=True, eq=False)
class _Moved:
    """B bodies, template units: at rest, `rest` [B or 1, V, 3] and `joints` [B or 1, K, 3]; posed, `vertices` [B, V, 3], by `motions`
    [B, K, 3, 4] and then the pose's translation.
    """

    rest: Tensor
    joints: Tensor
    motions: Tensor
    vertices: Tensor


def _moved(config: BodyConfig, table: BodyTable, pose: Tensor, shape: Tensor | None) -> _Moved:
    """Bodies in poses [B, K + 1, 3], of shapes [B or 1, S]."""
    rest, joints = table.vertices[None], table.joints[None]
    if shape is not None and shape.shape[1]:
        rest = rest + torch.tensordot(shape, table.shape_vertices, 1)
        joints = joints + torch.tensordot(shape, table.shape_joints, 1)
    if table.pose_correctives is not None:
        turned = rotation_matrices(pose[:, 1:-1]) - torch.eye(3, dtype=pose.dtype, device=pose.device)
        rest = rest + torch.tensordot(turned.flatten(1), table.pose_correctives, 1)
    motions = joint_motions(pose, joints, config.parents)
    return _Moved(rest, joints, motions, skin(rest, table.weights, motions, pose[:, -1]))


def _skinned(config: BodyConfig, table: BodyTable, pose: Tensor, shape: Tensor | None) -> _Skinned:
    """A body in a pose [K + 1, 3], of a shape [S]."""
    body = _moved(config, table, pose[None], None if shape is None else shape[None])
    vertices, joints, motions = body.vertices[0], body.joints[0], body.motions[0]
    turn, shift = motions[:, :, :3], motions[:, :, 3] + pose[-1]
    moved = (turn @ joints[:, :, None])[:, :, 0] + shift
    scale = config.scale
    return _Skinned(
        vertices * scale,
        ride(vertices, table.faces, table.reduced) * scale,
        ride(vertices, table.faces, table.clip) * scale,
        body.rest[0] * scale,
        moved * scale,
        torch.cat([turn, (shift * scale)[:, :, None]], dim=2),
    )


def ride(vertices: Tensor, faces: Tensor, coarse: CoarseTable) -> Tensor:
    """Vertices [V', 3] of a coarse mesh that rides on a mesh of vertices [V, 3] and faces int64 [F, 3], both in template units."""
    corners = vertices[faces[coarse.attach_face]]
    edges = corners[:, 1:] - corners[:, :1]
    normal = torch.linalg.cross(edges[:, 0], edges[:, 1])
    normal = normal / normal.norm(dim=1, keepdim=True).clamp_min(torch.finfo(normal.dtype).tiny)
    on_face = (coarse.attach_bary[:, :, None] * corners).sum(dim=1)
    return on_face + coarse.attach_offset[:, None] * normal
