"""The published surface field (GNARF section 3.2): a point keeps its place on, and its height over, a triangle near it.

The triangle is one of those round the nearest *vertex*, the one whose normal points most along the way from there to the point; its
barycentrics are not clamped, so far points are carried along too. The map jumps where a choice flips.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.config import WarpConfig

DISTANCES_AT_ONCE = 2**22
"""Distances of points to vertices that are held together: bounds memory, and keeps near the processor."""

POINTS_AT_ONCE = 2**17
SLANTS_AT_ONCE = 2**21
"""Points that are carried together, and pairs of a point and a face round its nearest vertex: bound memory."""


@dataclass(frozen=True, eq=False)
class SurfacePlace:
    """Where N points are on a posed mesh: face and nearest vertex int64 [N], barycentrics [N, 3], height over the face [N]."""

    face: Tensor
    vertex: Tensor
    bary: Tensor
    height: Tensor


def surface_field(body: PosedBody, points: Tensor, settings: WarpConfig) -> tuple[Tensor, Tensor]:
    """See `projectors`; on the reduced mesh. Nothing is void."""
    fans = _topology(body).fans
    lot = max(1, min(POINTS_AT_ONCE, SLANTS_AT_ONCE // fans.shape[1]))
    parts = [carried(body, part) for part in points.split(lot)]
    return torch.cat(parts), torch.zeros(len(points), dtype=torch.bool, device=points.device)


def carried(body: PosedBody, points: Tensor) -> Tensor:
    """Points [N, 3] of the posed world in canonical space."""
    mesh = _topology(body)
    place = surface_place(body.reduced, mesh, points)
    corners = body.canonical_reduced[mesh.faces[place.face]]
    return (place.bary[:, :, None] * corners).sum(dim=1) + place.height[:, None] * unit_normals(corners)


@dataclass(frozen=True, eq=False)
class Topology:
    """What no pose changes of a mesh: faces int64 [F, 3], their `triangle_fans`, and the vertices int64 [V'] that any face has."""

    faces: Tensor
    fans: Tensor
    used: Tensor

    @classmethod
    def of_faces(cls, faces: Tensor, count: int) -> Topology:
        """Of the faces of a mesh of `count` vertices."""
        fans = triangle_fans(faces, count)
        return cls(faces, fans, (fans[:, 0] >= 0).nonzero()[:, 0])


def _topology(body: PosedBody) -> Topology:
    kept = body.table.prepared
    if "surface_field" not in kept:
        kept["surface_field"] = Topology.of_faces(body.table.reduced.faces, len(body.reduced))
    found: Topology = kept["surface_field"]
    return found


def surface_place(vertices: Tensor, mesh: Topology, points: Tensor) -> SurfacePlace:
    """Where points [N, 3] are on a mesh of vertices [V, 3]; differentiable but for the choices."""
    faces, fans = mesh.faces, mesh.fans
    corners = vertices[faces]
    normals = unit_normals(corners)
    with torch.no_grad():
        vertex = nearest_vertex(points, vertices, mesh.used)
        way = points - vertices[vertex]
        way = way / way.norm(dim=1, keepdim=True).clamp_min(1e-8)
        around = fans[vertex]
        slant = (normals[around.clamp_min(0)] @ way[:, :, None])[:, :, 0].abs().masked_fill_(around < 0, -1)
        face = around.gather(1, slant.argmax(dim=1, keepdim=True))[:, 0]
    normal = normals[face]
    height = (normal * (points - vertices[vertex])).sum(dim=1)
    foot = points - height[:, None] * normal
    return SurfacePlace(face, vertex, barycentrics(foot, corners[face], normal), height)


def barycentrics(points: Tensor, corners: Tensor, normal: Tensor) -> Tensor:
    """Barycentrics [N, 3] of points [N, 3] in the planes of triangles [N, 3, 3] of unit normals [N, 3]; they sum to 1, finite always."""
    to_corners = corners - points[:, None]
    crosses = torch.linalg.cross(to_corners.roll(-1, 1), to_corners.roll(-2, 1))
    areas = (crosses @ normal[:, :, None])[:, :, 0]
    total = areas.sum(dim=1, keepdim=True)
    flat = total.abs() < torch.finfo(total.dtype).tiny  # a triangle without an area: its first corner stands for it
    first = torch.nn.functional.one_hot(torch.zeros_like(total[:, 0], dtype=torch.long), 3).to(areas.dtype)
    return torch.where(flat, first, areas / torch.where(flat, torch.ones_like(total), total))


def unit_normals(corners: Tensor) -> Tensor:
    """Unit normals [.., 3] of triangles [.., 3, 3], (B - A) x (C - A); zero where one has no area."""
    normal = torch.linalg.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
    return normal / normal.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(normal.dtype).tiny)


def triangle_fans(faces: Tensor, count: int) -> Tensor:
    """The faces round each of `count` vertices, int64 [count, most faces round one], rising, -1 where there are no more."""
    flat = faces.flatten()
    order = flat.argsort(stable=True)
    numbers = torch.bincount(flat, minlength=count)
    starts = numbers.cumsum(0) - numbers
    within = torch.arange(len(flat), device=flat.device) - starts.repeat_interleave(numbers)
    fans = torch.full((count, int(numbers.max())), -1, dtype=torch.long, device=flat.device)
    fans[flat[order], within] = order.div(3, rounding_mode="floor")
    return fans


def nearest_vertex(points: Tensor, vertices: Tensor, used: Tensor) -> Tensor:
    """The nearest vertex, int64 [N], of points [N, 3], among some, int64 [V']."""
    middle = vertices[used].mean(dim=0)  # small numbers: products of large ones would round distances away
    own, moved = vertices[used] - middle, points - middle
    # |p - v|^2 without |p|^2, which is the same for all vertices
    squares, doubled = own.square().sum(dim=1), -2 * own.t()
    lot = max(1, DISTANCES_AT_ONCE // len(used))
    nearest = [torch.addmm(squares, part, doubled).argmin(dim=1) for part in moved.split(lot)]
    return used[torch.cat(nearest)] if nearest else used[:0]
