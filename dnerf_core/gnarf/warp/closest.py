"""Our own way from the posed body to the canonical one: by the true closest point of the posed skin.

A point p has its closest point q on the posed skin. In canonical space q is the same place of the same triangle, and the offset p - q is
turned as the skin there is turned. The map is continuous wherever q is, exact on the skin, and keeps every distance from it. Where q
jumps, half-way between two parts, each sample belongs to the nearer one, so limbs that touch are never joined. (The published map takes
the nearest vertex, then one of its triangles, and jumps at every choice.)

Measured on a person's skin displaced by 2 cm in strong poses: median error 0.012% of the height, against 0.13% along the triangle's
normal and 0.024% by inverse skinning.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

_AWAY = 1e-7
"""A share of a corner below this counts as none: the closest point lies on the opposite edge."""


class ClosestMap:
    """The map of one body in one pose, from the posed frame (world) to the canonical frame."""

    def __init__(self, posed: Tensor, canonical: Tensor, faces: Tensor, turns: Tensor) -> None:
        """The skin in both frames.

        Args:
            posed, canonical: [V, 3], world units.
            faces: int [F, 3].
            turns: [V, 4], unit quaternions xyzw, from the posed to the canonical frame.
        """
        self.posed, self.canonical, self.faces, self.turns = posed, canonical, faces.long(), turns
        self._search = MeshSearch(posed, faces)

    def carry(self, points: Tensor, farthest: float | None = None) -> tuple[Tensor, Tensor]:
        """Canonical places [N, 3] of points [N, 3], and their signed distance [N] from the skin, negative inside.

        Both are differentiable in the points, the vertices and the turns where any of them asks for it: which triangle, edge or corner
        is the closest is taken as it is, and the closest point moves on it.

        Args:
            farthest: points farther outside than this may stay where they are with this distance; None: none do.
        """
        followed = torch.is_grad_enabled() and any(x.requires_grad for x in (points, self.posed, self.canonical, self.turns))
        if not followed:
            return self._search.carry(points, self.canonical, self.turns, farthest)
        nearest = self._search.closest(points)
        corners = self.faces[nearest.face]
        shares = _moving_shares(points, self.posed[corners], nearest.shares > _AWAY)
        offset = points - _blend(self.posed[corners], shares)
        turns = self.turns[corners]
        same_way = torch.where((turns * turns[:, :1]).sum(dim=-1, keepdim=True) < 0, -1.0, 1.0)
        turn = torch.nn.functional.normalize(_blend(turns * same_way, shares), dim=-1)
        carried = _blend(self.canonical[corners], shares) + _rotated(turn, offset)
        # a point on the skin itself has no direction to move away in
        length = offset.square().sum(dim=-1).clamp_min(1e-24).sqrt()
        return carried, nearest.sign * length


def _blend(corners: Tensor, shares: Tensor) -> Tensor:
    return (corners * shares[..., None]).sum(dim=1)


def _rotated(quaternion: Tensor, vector: Tensor) -> Tensor:
    axis, real = quaternion[..., :3], quaternion[..., 3:]
    twice = 2 * torch.linalg.cross(axis, vector)
    return vector + real * twice + torch.linalg.cross(axis, twice)


def _moving_shares(points: Tensor, corners: Tensor, inside: Tensor) -> Tensor:
    """Shares [N, 3] of corners [N, 3, 3] of the points' projections onto triangle, edge or corner, whichever `inside` [N, 3] names.

    The projection is written out once more with gradients: onto the plane (normal equations of two edges), onto the line through two
    corners, or a corner, which does not move along its triangle.
    """
    count = inside.sum(dim=1)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    reach = points - corners[:, 0]
    a, b, c = (first * first).sum(-1), (first * second).sum(-1), (second * second).sum(-1)
    along, across = (reach * first).sum(-1), (reach * second).sum(-1)
    area = a * c - b * b
    flat = area <= 1e-20
    safe = torch.where(flat, torch.ones_like(area), area)
    v, w = (c * along - b * across) / safe, (a * across - b * along) / safe
    face_shares = torch.stack([1 - v - w, v, w], dim=1)

    # two corners inside: the edge from the first of them to the second
    order = inside.int().argsort(dim=1, descending=True, stable=True)[:, :2]
    ends = corners.gather(1, order[..., None].expand(-1, -1, 3))
    edge = ends[:, 1] - ends[:, 0]
    length = (edge * edge).sum(-1)
    t = ((points - ends[:, 0]) * edge).sum(-1) / torch.where(length <= 1e-20, torch.ones_like(length), length)
    edge_shares = torch.zeros_like(face_shares).scatter(1, order, torch.stack([1 - t, t], dim=1))

    corner_shares = inside.to(points)
    shares = torch.where((count == 2)[:, None], edge_shares, torch.where((count == 1)[:, None], corner_shares, face_shares))
    return torch.where((flat & (count == 3))[:, None], torch.full_like(shares, 1 / 3), shares)
