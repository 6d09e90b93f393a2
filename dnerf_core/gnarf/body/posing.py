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
