"""Points about the canonical mean body, made once: whatever a person wears, what is true at them costs no search any more.

A point keeps its closest place on the naked body and its signed distance from it. Hair and clothes stand off along the normal by the
thickness at that place, so a person's surface is at the points whose distance is that thickness, and nearby the difference of both is
the distance from it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.demo.people.clothing import Places
from dnerf_core.demo.people.world import BodyTensors, body_tensors
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

_SPREAD = (-0.035, 0.07)
"""Distances from the naked body that near points are drawn from, metres: truncation, the thickest hair and some air."""
_HAND_WEIGHT, _HEAD_WEIGHT, _FOOT_WEIGHT = 4.0, 3.0, 2.0


class PointPool:
    """Points [N, 3] in the canonical frame, signed distances [N] from the naked mean body, and their closest places [N, ...]."""

    def __init__(self, points: Tensor) -> None:
        body = body_tensors()
        found = MeshSearch(body.canonical.position[0], body.faces).closest(points)
        corner = body.faces[found.face]

        def mixed(values: Tensor) -> Tensor:
            return (values[0, corner] * found.shares[..., None]).sum(dim=1)

        position, normal = mixed(body.canonical.position), mixed(body.canonical.normal)
        arm = mixed(body.canonical.arm[..., None])
        self.distance = (points - position).norm(dim=1) * found.sign
        self._table = torch.cat([points, position, normal, arm, self.distance[:, None]], dim=1)

    def __len__(self) -> int:
        return len(self._table)

    def take(self, index: Tensor) -> tuple[Tensor, Places, Tensor]:
        """Points [..., 3], places [..., ...] and distances [...] of indices [...]."""
        rows = self._table[index]
        return rows[..., :3], Places(rows[..., 3:6], rows[..., 6:9], rows[..., 9]), rows[..., 10]


def near_points(count: int, rng: torch.Generator) -> Tensor:
    """Points [count, 3] near the canonical mean body: by area, with more on hands, head and feet."""
    body = body_tensors()
    vertices = body.canonical.position[0]
    a, b, c = (vertices[body.faces[:, i]] for i in range(3))
    area = torch.linalg.cross(b - a, c - a).norm(dim=1)
    face = torch.multinomial(area * _importance(body), count, replacement=True, generator=rng)
    shares = torch.rand(count, 2, generator=rng)
    shares = torch.where((shares.sum(dim=1) > 1)[:, None], 1 - shares, shares)
    weights = torch.cat([shares, 1 - shares.sum(dim=1, keepdim=True)], dim=1)
    corner = body.faces[face]
    position = (vertices[corner] * weights[..., None]).sum(dim=1)
    normal = torch.nn.functional.normalize((body.canonical.normal[0, corner] * weights[..., None]).sum(dim=1), dim=1)
    low, high = _SPREAD
    return position + normal * (low + (high - low) * torch.rand(count, 1, generator=rng))


def box_points(count: int, half: tuple[float, float, float], rng: torch.Generator) -> Tensor:
    """Points [count, 3] uniform in the planes' box of half sides `half`, metres."""
    return (2 * torch.rand(count, 3, generator=rng) - 1) * torch.tensor(half)


def _importance(body: BodyTensors) -> Tensor:
    """How much more a triangle is worth than its area, [F]."""
    middle = body.canonical.position[0][body.faces].mean(dim=1)
    marks = body.landmarks
    way = (marks.wrist - marks.shoulder)[:2]
    reach = torch.stack([middle[:, 0].abs() - marks.wrist[0], middle[:, 1] - marks.wrist[1]], dim=1) @ way
    weight = torch.ones(len(middle))
    weight[middle[:, 1] > marks.neck[1]] = _HEAD_WEIGHT
    weight[middle[:, 1] < marks.ankle[1] + 0.03] = _FOOT_WEIGHT
    weight[(reach > 0) & (middle[:, 0].abs() > 0.3) & (middle[:, 1] > marks.ankle[1] + 0.2)] = _HAND_WEIGHT
    return weight
