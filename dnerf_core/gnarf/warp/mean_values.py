"""The published projectors by mean value coordinates (Ju, Schaefer, Warren: Mean Value Coordinates for Closed Triangular Meshes, 2005)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.config import WarpConfig

GRID_NODES = 16
"""Nodes an axis of the published grid, which fills [-1, 1]^3."""

PAIRS_AT_ONCE = 2**18
"""Pairs of a point and a triangle that are worked on together: bounds memory."""

ON_SURFACE = 1e-7
"""Of angles (radians) and of distances (world units): below it a point is on a triangle, in its plane, or a vertex."""


def mvc(body: PosedBody, points: Tensor, settings: WarpConfig) -> tuple[Tensor, Tensor]:
    """See `projectors`: mean value coordinates in the reduced posed mesh, applied to the canonical one. Nothing is void."""
    moved = mean_value_map(points, body.reduced, body.canonical_reduced, body.table.reduced.faces)
    return moved, torch.zeros(len(points), dtype=torch.bool, device=points.device)


def mvc_grid(body: PosedBody, points: Tensor, settings: WarpConfig) -> tuple[Tensor, Tensor]:
    """See `projectors`: `mvc` at the nodes of a grid over [-1, 1]^3, trilinear between them, its rim carried on outside."""
    if "mvc_grid" not in body.prepared:
        axis = torch.linspace(-1, 1, GRID_NODES, dtype=points.dtype, device=points.device)
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        at_nodes, _ = mvc(body, torch.stack([x, y, z], dim=-1).reshape(-1, 3), settings)
        body.prepared["mvc_grid"] = at_nodes.t().reshape(1, 3, GRID_NODES, GRID_NODES, GRID_NODES)
    grid = body.prepared["mvc_grid"]
    read = F.grid_sample(grid, points[None, None, None], mode="bilinear", padding_mode="border", align_corners=True)
    return read[0, :, 0, 0].t(), torch.zeros(len(points), dtype=torch.bool, device=points.device)


def mean_value_map(points: Tensor, vertices: Tensor, values: Tensor, faces: Tensor) -> Tensor:
    """What points [N, 3] become when vertices [V, 3] of a closed mesh go to `values` [V, 3]; worked out in float64, differentiable."""
    corners, ends = vertices.double()[faces], values.double()[faces]
    lots = points.double().split(max(1, PAIRS_AT_ONCE // len(faces)))
    moved = [_mapped(part, corners, ends) for part in lots] if len(points) else [points.double()]
    return torch.cat(moved).to(points.dtype)


def _mapped(points: Tensor, corners: Tensor, ends: Tensor) -> Tensor:
    """Of points [N, 3], triangles [F, 3, 3] and their values [F, 3, 3]."""
    way = corners - points[:, None, None]  # [N, F, 3, 3]
    distance = way.norm(dim=-1)
    unit = way / distance.clamp_min(1e-300)[..., None]
    side = (unit[:, :, [1, 2, 0]] - unit[:, :, [2, 0, 1]]).norm(dim=-1)
    angle = 2 * torch.asin((side / 2).clamp(max=1.0))
    half = angle.sum(dim=-1) / 2
    sine = angle.sin()
    before, after = [2, 0, 1], [1, 2, 0]
    # a triangle that the point lies on decides alone, by its plain barycentrics
    flat = sine * distance[..., before] * distance[..., after]
    on_triangle = (math.pi - half < ON_SURFACE) | (distance.amin(dim=-1) < ON_SURFACE)
    chosen = on_triangle.any(dim=1)
    safe = sine.clamp_min(1e-300)
    cosine = 2 * half.sin()[..., None] * (half[..., None] - angle).sin() / (safe[..., after] * safe[..., before]) - 1
    orientation = (torch.linalg.cross(unit[:, :, 0], unit[:, :, 1]) * unit[:, :, 2]).sum(dim=-1).sign()
    bend = orientation[..., None] * (1 - cosine.square()).clamp_min(0).sqrt()
    in_plane = (bend.abs() <= ON_SURFACE).any(dim=-1)
    below = distance * safe[..., after] * torch.where(in_plane[..., None], torch.ones_like(bend), bend)[..., before]
    weight = (angle - cosine[..., after] * angle[..., before] - cosine[..., before] * angle[..., after]) / below
    weight = weight.masked_fill((in_plane | on_triangle)[..., None], 0.0)
    total = weight.sum(dim=(1, 2))
    total = torch.where(total.abs() < 1e-300, torch.ones_like(total), total)
    moved = torch.einsum("nfc,fcd->nd", weight, ends) / total[:, None]
    if not bool(chosen.any()):
        return moved
    rows = chosen.nonzero()[:, 0]
    face = on_triangle[rows].int().argmax(dim=1)
    corner = _at_corner(flat[rows, face], distance[rows, face])
    return moved.index_copy(0, rows, (corner[:, :, None] * ends[face]).sum(dim=1))


def _at_corner(flat: Tensor, distance: Tensor) -> Tensor:
    """Barycentrics [L, 3] of areas [L, 3] of points on triangles whose corners are so far [L, 3]; one that is a corner is that alone."""
    corner = F.one_hot(distance.argmin(dim=1), 3).to(flat.dtype)
    total = flat.sum(dim=1, keepdim=True)
    is_corner = (distance.amin(dim=1, keepdim=True) < ON_SURFACE) | (total < 1e-300)
    return torch.where(is_corner, corner, flat / torch.where(is_corner, torch.ones_like(total), total))
