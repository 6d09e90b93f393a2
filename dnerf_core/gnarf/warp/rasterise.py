"""A mesh seen through the sub-pixels of a picture: the least and the greatest depth that each pixel meets. Not differentiated.

Convention: OpenCV camera axes; intrinsics normalised by image size; centres of sub-pixels at (i + 0.5) / (sides * R). Both sides of a
triangle count; depth is z in the camera, more than 0, where the ray through a sub-pixel's centre meets the triangle itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

NEAREST_HITS = 8
"""Hits of a sub-pixel that are kept, the nearest ones, as published."""

PAIRS_AT_ONCE = 2**20
"""Pairs of a triangle and a sub-pixel of its bounding box that are looked at together: bounds memory."""


@dataclass(frozen=True, eq=False)
class _Triangles:
    """T triangles that may be seen, float64: a ray (x, y, 1) meets one where the three `edges` [T, 3, 3] have one sign along it, at depth
    `plane_distance` [T] / (ray . normal [T, 3]). low, high: int64 [T, 2], the bounding box in sub-pixels (column, row), both included.
    """

    edges: Tensor
    normal: Tensor
    plane_distance: Tensor
    low: Tensor
    high: Tensor


def mesh_depths(
    vertices: Tensor, faces: Tensor, cam2world: Tensor, intrinsics: Tensor, side: int, subpixels: int
) -> tuple[Tensor, Tensor]:
    """Least and greatest depth [R * R] (row-major) of a mesh in each pixel; +inf and -inf where no sub-pixel meets it.

    Args:
        vertices: [V, 3], world frame.
        faces: int64 [F, 3].
        cam2world, intrinsics: [4, 4] and [3, 3].
        side: R, pixels.
        subpixels: a side of each pixel.
    """
    wide = side * subpixels
    triangles = _triangles(vertices, faces, cam2world.double(), intrinsics.double(), wide)
    device = vertices.device
    nearest = torch.full((side * side,), torch.inf, dtype=torch.float64, device=device)
    farthest = torch.full_like(nearest, -torch.inf)
    hits = torch.zeros(wide * wide, dtype=torch.int16, device=device)
    inverse = _ray_matrix(intrinsics.double())
    for place, depth in _hits(triangles, inverse, wide):
        pixel = _pixel(place, wide, subpixels)
        nearest.scatter_reduce_(0, pixel, depth, "amin")
        farthest.scatter_reduce_(0, pixel, depth, "amax")
        hits.index_add_(0, place, torch.ones_like(place, dtype=hits.dtype))
    crowded = hits > NEAREST_HITS
    if bool(crowded.any()):
        farthest = _among_nearest(triangles, inverse, crowded, wide, subpixels, side)
    return nearest.to(vertices.dtype), farthest.to(vertices.dtype)


def _among_nearest(triangles: _Triangles, inverse: Tensor, crowded: Tensor, wide: int, subpixels: int, side: int) -> Tensor:
    """The greatest depths [R * R] once more, of sub-pixels with many hits (bool [wide * wide]) those of the nearest alone."""
    farthest = torch.full((side * side,), -torch.inf, dtype=torch.float64, device=crowded.device)
    number = crowded.cumsum(0) - 1
    kept = torch.full((int(crowded.sum()), NEAREST_HITS), torch.inf, dtype=torch.float64, device=crowded.device)
    for place, depth in _hits(triangles, inverse, wide):
        many = crowded[place]
        farthest.scatter_reduce_(0, _pixel(place[~many], wide, subpixels), depth[~many], "amax")
        kept = _with_nearer(kept, number[place[many]], depth[many])
    places = crowded.nonzero()[:, 0]
    farthest.scatter_reduce_(0, _pixel(places, wide, subpixels), kept[:, -1], "amax")
    return farthest


def _with_nearer(kept: Tensor, row: Tensor, depth: Tensor) -> Tensor:
    """The least values of rows [L, 8] (sorted) with further values [H] of rows int64 [H]."""
    if not len(row):
        return kept
    rows = torch.cat([torch.arange(len(kept), device=row.device).repeat_interleave(kept.shape[1]), row])
    depths = torch.cat([kept.flatten(), depth])
    order = depths.argsort(stable=True)
    order = order[rows[order].argsort(stable=True)]
    starts = torch.bincount(rows, minlength=len(kept)).cumsum(0)
    starts = torch.cat([starts.new_zeros(1), starts[:-1]])
    return depths[order][starts[:, None] + torch.arange(kept.shape[1], device=row.device)]


def _pixel(place: Tensor, wide: int, subpixels: int) -> Tensor:
    """The pixel (row-major) of sub-pixels (row-major, `wide` a side)."""
    row, column = place.div(wide, rounding_mode="floor"), place % wide
    return row.div(subpixels, rounding_mode="floor") * (wide // subpixels) + column.div(subpixels, rounding_mode="floor")


def _ray_matrix(intrinsics: Tensor) -> Tensor:
    """[2, 3]: normalised image points (u, v, 1) to rays (x, y) at depth 1."""
    fx, fy, cx, cy, skew = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2], intrinsics[0, 1]
    zero = torch.zeros_like(fx)
    across = torch.stack([1 / fx, -skew / (fx * fy), (skew * cy / fy - cx) / fx])
    return torch.stack([across, torch.stack([zero, 1 / fy, -cy / fy])])


def _triangles(vertices: Tensor, faces: Tensor, cam2world: Tensor, intrinsics: Tensor, wide: int) -> _Triangles:
    in_camera = (vertices.double() - cam2world[:3, 3]) @ cam2world[:3, :3]
    depth = in_camera[:, 2]
    ahead = depth > 1e-9
    safe = torch.where(ahead, depth, torch.ones_like(depth))
    x, y = in_camera[:, 0] / safe, in_camera[:, 1] / safe
    u = intrinsics[0, 0] * x + intrinsics[0, 1] * y + intrinsics[0, 2]
    v = intrinsics[1, 1] * y + intrinsics[1, 2]
    # the sub-pixel whose centre lies at or after a point, one to spare on either side against rounding
    place = (torch.stack([u, v], dim=1) * wide - 0.5).clamp(-2.0, wide + 2.0)
    corners, all_ahead, any_ahead = place[faces], ahead[faces].all(dim=1), ahead[faces].any(dim=1)
    low = (corners.amin(dim=1) - 1e-6).ceil().long().clamp(0, wide)
    high = (corners.amax(dim=1) + 1e-6).floor().long().clamp(-1, wide - 1)
    # one that reaches behind the camera may be anywhere
    low = torch.where(all_ahead[:, None], low, torch.zeros_like(low))
    high = torch.where(all_ahead[:, None], high, torch.full_like(high, wide - 1))
    seen = (any_ahead & (low <= high).all(dim=1)).nonzero()[:, 0]
    a, b, c = in_camera[faces[seen]].unbind(dim=1)
    normal = torch.linalg.cross(b - a, c - a)
    edges = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=1)
    return _Triangles(edges, normal, (normal * a).sum(dim=1), low[seen], high[seen])


def _hits(triangles: _Triangles, inverse: Tensor, wide: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Sub-pixels int64 [H] (row-major) and depths float64 [H] at which triangles are met, some pairs at a time."""
    size = triangles.high - triangles.low + 1
    ends = (size[:, 0] * size[:, 1]).cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    for first in range(0, total, PAIRS_AT_ONCE):
        pair = torch.arange(first, min(first + PAIRS_AT_ONCE, total), device=ends.device)
        triangle = torch.searchsorted(ends, pair, right=True)
        within = pair - (ends - size[:, 0] * size[:, 1])[triangle]
        columns = size[triangle, 0]
        column = triangles.low[triangle, 0] + within % columns
        row = triangles.low[triangle, 1] + within.div(columns, rounding_mode="floor")
        u, v = ((index.double() + 0.5) / wide for index in (column, row))
        x = inverse[0, 0] * u + inverse[0, 1] * v + inverse[0, 2]
        y = inverse[1, 1] * v + inverse[1, 2]
        edges = triangles.edges[triangle]
        signs = edges[:, :, 0] * x[:, None] + edges[:, :, 1] * y[:, None] + edges[:, :, 2]
        inside = ((signs > 0).all(dim=1) | (signs < 0).all(dim=1)).nonzero()[:, 0]
        triangle, x, y = triangle[inside], x[inside], y[inside]
        normal = triangles.normal[triangle]
        depth = triangles.plane_distance[triangle] / (normal[:, 0] * x + normal[:, 1] * y + normal[:, 2])
        met = ((depth > 0) & depth.isfinite()).nonzero()[:, 0]
        yield (row[inside] * wide + column[inside])[met], depth[met]
