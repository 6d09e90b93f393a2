"""Linear blend skinning: rotations of joints become one rigid motion a joint, and vertices follow the weighted sum of them.

Conventions: a pose [.., K + 1, 3] as `template.Template` has it, K axis-angle rotations (radians) and a translation; float32 or float64,
differentiable in everything but the tree of parents.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_AXIS_SHIFT = 1e-8
"""Added to an axis-angle before its length is taken, as the published code does: a rotation of 0 has an axis."""


def rotation_matrices(axis_angle: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] of axis-angle vectors [..., 3], radians (Rodrigues)."""
    angle = (axis_angle + _AXIS_SHIFT).norm(dim=-1, keepdim=True)
    x, y, z = (axis_angle / angle).unbind(dim=-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    sine, cosine = angle.sin()[..., None], angle.cos()[..., None]
    return torch.eye(3).to(axis_angle) + sine * cross + (1 - cosine) * (cross @ cross)


def joint_motions(pose: Tensor, joints: Tensor, parents: Sequence[int]) -> Tensor:
    """What each joint does to the points of the body at rest: rigid motions [B, K, 3, 4].

    Args:
        pose: [B, K + 1, 3]; its translation is left out, see `skin`.
        joints: [B or 1, K, 3] at rest.
        parents: K whole numbers, -1 for the root; parents come before children.
    """
    rotations = rotation_matrices(pose[:, :-1])
    joints = joints.expand(len(pose), -1, -1)
    turns: list[Tensor] = []  # the frame of each bone: its rotation, and where its joint has gone
    places: list[Tensor] = []
    for joint, parent in enumerate(parents):
        if parent < 0:
            turns.append(rotations[:, joint])
            places.append(joints[:, joint])
        else:
            step = (joints[:, joint] - joints[:, parent])[..., None]
            turns.append(turns[parent] @ rotations[:, joint])
            places.append((turns[parent] @ step)[..., 0] + places[parent])
    turn, place = torch.stack(turns, dim=1), torch.stack(places, dim=1)
    shift = place - (turn @ joints[..., None])[..., 0]
    return torch.cat([turn, shift[..., None]], dim=-1)


def skin(points: Tensor, weights: Tensor, motions: Tensor, translation: Tensor) -> Tensor:
    """Points [B, V, 3] of the body, carried from rest into the pose.

    Args:
        points: [B or 1, V, 3] at rest.
        weights: [V, K], rows sum to 1.
        motions: [B, K, 3, 4] of `joint_motions`.
        translation: [B, 3].
    """
    blended = torch.einsum("vk,bkij->bvij", weights, motions)
    turned = (blended[..., :3] @ points[..., None])[..., 0]
    return turned + blended[..., 3] + translation[:, None]


def quaternion_product(first: Tensor, second: Tensor) -> Tensor:
    """Hamilton products [..., 4] of quaternions xyzw [..., 4]: the rotation `second`, then `first`."""
    u, a = first[..., :3], first[..., 3:]
    v, b = second[..., :3], second[..., 3:]
    return torch.cat([a * v + b * u + torch.linalg.cross(u, v), a * b - (u * v).sum(dim=-1, keepdim=True)], dim=-1)


def conjugate(quaternion: Tensor) -> Tensor:
    """The inverse rotations [..., 4] of unit quaternions xyzw [..., 4]."""
    return torch.cat([-quaternion[..., :3], quaternion[..., 3:]], dim=-1)


def quaternions(axis_angle: Tensor) -> Tensor:
    """Unit quaternions xyzw [..., 4], their last number not negative, of axis-angle vectors [..., 3], radians."""
    angle = (axis_angle + _AXIS_SHIFT).norm(dim=-1, keepdim=True)
    half = torch.cat([axis_angle / angle * (angle / 2).sin(), (angle / 2).cos()], dim=-1)
    return torch.where(half[..., 3:] < 0, -half, half)


def blended_turns(pose: Tensor, parents: Sequence[int], weights: Tensor) -> Tensor:
    """How each vertex is turned by the pose: unit quaternions xyzw [B, V, 4], the normalised blend of its joints' own.

    Linear blend skinning shears and shrinks what lies between two joints; a turn does neither, so it carries offsets from the skin at
    their full length.

    Args:
        pose: [B, K + 1, 3].
        parents: K whole numbers, as `joint_motions` has them.
        weights: [V, K].
    """
    local = quaternions(pose[:, :-1])
    turns: list[Tensor] = []
    for joint, parent in enumerate(parents):
        turns.append(local[:, joint] if parent < 0 else quaternion_product(turns[parent], local[:, joint]))
    # a child's sign is its parent's, since a local turn's last number is not negative: neighbours blend the short way round
    return torch.nn.functional.normalize(weights @ torch.stack(turns, dim=1), dim=-1)
