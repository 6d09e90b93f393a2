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
"""Hits of a sub-pixel that the published rasteriser keeps, the nearest ones."""

PAIRS_AT_ONCE = 2**20
"""Pairs of a triangle and a sub-pixel of its bounding box that are looked at together: bounds memory."""


@dataclass(frozen=True, eq=False)
class _Triangles:
    """T triangles that may be seen, by their sub-pixels (column, row) from the lowest of each one's bounding box on.

    Attributes:
        planes: [T, 4, 3], float32: what columns, rows and 1 are multiplied by. Three sums are the edges': a sub-pixel meets the triangle
            where they have one sign. The fourth is 1 / depth.
        low: int64 [T, 2], the bounding box's lowest column and row; size: int64 [T, 2], its columns and rows.
    """

    planes: Tensor
    low: Tensor
    size: Tensor


def mesh_depths(
    vertices: Tensor,
    faces: Tensor,
    cam2world: Tensor,
    intrinsics: Tensor,
    side: int,
    subpixels: int,
    nearest_hits: int | None = NEAREST_HITS,
) -> tuple[Tensor, Tensor]:
    """Least and greatest depth [R * R] (row-major) of a mesh in each pixel; +inf and -inf where no sub-pixel meets it.

    Args:
        vertices: [V, 3], world frame.
        faces: int64 [F, 3].
        cam2world, intrinsics: [4, 4] and [3, 3].
        side: R, pixels.
        subpixels: a side of each pixel.
        nearest_hits: how many of a sub-pixel's hits count; None: all.
    """
    wide = side * subpixels
    triangles = _triangles(vertices, faces, cam2world.double(), intrinsics.double(), wide)
    device = vertices.device
    nearest = torch.full((side * side,), torch.inf, device=device)
    farthest = torch.full_like(nearest, -torch.inf)
    hits = torch.zeros(wide * wide if nearest_hits else 0, dtype=torch.int16, device=device)
    for place, depth in _hits(triangles, wide):
        pixel = _pixel(place, wide, subpixels)
        nearest.scatter_reduce_(0, pixel, depth, "amin")
        farthest.scatter_reduce_(0, pixel, depth, "amax")
        if nearest_hits:
            hits.index_add_(0, place, torch.ones_like(place, dtype=hits.dtype))
    if nearest_hits and bool((crowded := hits > nearest_hits).any()):
        farthest = _among_nearest(triangles, crowded, wide, subpixels, nearest_hits, side)
    return nearest.to(vertices.dtype), farthest.to(vertices.dtype)


def _among_nearest(triangles: _Triangles, crowded: Tensor, wide: int, subpixels: int, nearest_hits: int, side: int) -> Tensor:
    """The greatest depths [R * R] once more, of sub-pixels with many hits (bool [wide * wide]) those of the nearest alone."""
    farthest = torch.full((side * side,), -torch.inf, device=crowded.device)
    number = crowded.cumsum(0) - 1
    kept = torch.full((int(crowded.sum()), nearest_hits), torch.inf, device=crowded.device)
    for place, depth in _hits(triangles, wide):
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


def _ray_matrix(intrinsics: Tensor, wide: int) -> Tensor:
    """[3, 3]: sub-pixels (column, row, 1) to rays (x, y, 1) of the camera."""
    fx, fy, cx, cy, skew = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2], intrinsics[0, 1]
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    of_point = torch.stack(
        [
            torch.stack([1 / fx, -skew / (fx * fy), (skew * cy / fy - cx) / fx]),
            torch.stack([zero, 1 / fy, -cy / fy]),
            torch.stack([zero, zero, one]),
        ]
    )
    to_point = torch.eye(3, dtype=fx.dtype, device=fx.device) / wide
    to_point[2, 2], to_point[0, 2], to_point[1, 2] = 1.0, 0.5 / wide, 0.5 / wide
    return of_point @ to_point


def _triangles(vertices: Tensor, faces: Tensor, cam2world: Tensor, intrinsics: Tensor, wide: int) -> _Triangles:
    in_camera = (vertices.double() - cam2world[:3, 3]) @ cam2world[:3, :3]
    depth = in_camera[:, 2]
    ahead = depth > 1e-9
    safe = torch.where(ahead, depth, torch.ones_like(depth))
    x, y = in_camera[:, 0] / safe, in_camera[:, 1] / safe
    u = intrinsics[0, 0] * x + intrinsics[0, 1] * y + intrinsics[0, 2]
    v = intrinsics[1, 1] * y + intrinsics[1, 2]
    place = (torch.stack([u, v], dim=1) * wide - 0.5).clamp(-2.0, wide + 2.0)  # in sub-pixels, 0 at the first one's centre
    corners, all_ahead, any_ahead = place[faces], ahead[faces].all(dim=1), ahead[faces].any(dim=1)
    low = (corners.amin(dim=1) - 1e-6).ceil().long().clamp(0, wide)
    high = (corners.amax(dim=1) + 1e-6).floor().long().clamp(-1, wide - 1)
    # one that reaches behind the camera may be anywhere
    low = torch.where(all_ahead[:, None], low, torch.zeros_like(low))
    high = torch.where(all_ahead[:, None], high, torch.full_like(high, wide - 1))
    seen = (any_ahead & (low <= high).all(dim=1)).nonzero()[:, 0]
    low, high = low[seen], high[seen]
    a, b, c = in_camera[faces[seen]].unbind(dim=1)
    normal = torch.linalg.cross(b - a, c - a)
    edges = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=1)
    # along a ray r the triangle's plane is met at depth (normal . a) / (normal . r)
    distance = (normal * a).sum(dim=1)
    nearness = normal / torch.where(distance.abs() < 1e-30, torch.full_like(distance, 1e-30), distance)[:, None]
    planes = torch.cat([edges, nearness[:, None]], dim=1) @ _ray_matrix(intrinsics, wide)
    # from the box's own corner on, and each edge about 1: then float32 has digits enough
    offset = planes[:, :, :2] @ low.double()[:, :, None]
    planes = torch.cat([planes[:, :, :2], planes[:, :, 2:] + offset], dim=2)
    largest = planes[:, :3].abs().amax(dim=2, keepdim=True).clamp_min(1e-300)
    return _Triangles(torch.cat([planes[:, :3] / largest, planes[:, 3:]], dim=1).float(), low, high - low + 1)


def _hits(triangles: _Triangles, wide: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Sub-pixels int64 [H] (row-major) and depths [H] at which triangles are met, some of them at a time.

    Triangles whose boxes are about as large are looked at together, each in a box of the same powers of two.
    """
    if not len(triangles.size):
        return
    power = (triangles.size - 1).double().clamp_min(0.5).log2().floor().long() + 1  # 2 ** power is at least the size
    kinds, kind = torch.unique(power, dim=0, return_inverse=True)
    for index, (across, down) in enumerate(kinds.tolist()):
        members = (kind == index).nonzero()[:, 0]
        columns, rows = (min(2**n, wide) for n in (across, down))
        high = max(1, min(rows, PAIRS_AT_ONCE // columns))
        for some in members.split(max(1, PAIRS_AT_ONCE // (columns * high))):
            for first in range(0, rows, high):
                yield from _box_hits(triangles, some, columns, range(first, min(first + high, rows)), wide)


def _box_hits(triangles: _Triangles, some: Tensor, columns: int, rows: range, wide: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The hits of triangles `some` int64 [L] in some rows and all columns of their boxes."""
    planes = triangles.planes[some]
    column = torch.arange(columns, dtype=planes.dtype, device=planes.device)
    row = torch.arange(rows.start, rows.stop, dtype=planes.dtype, device=planes.device)
    # [L, 4, rows] and [L, 4, columns], added up to [L, rows, columns] one sum at a time
    down, across = planes[:, :, 1, None] * row + planes[:, :, 2, None], planes[:, :, 0, None] * column
    first, second, third = (down[:, k, :, None] + across[:, k, None] for k in range(3))
    inside = (torch.minimum(torch.minimum(first, second), third) > 0) | (torch.maximum(torch.maximum(first, second), third) < 0)
    within = (row[:, None] < triangles.size[some, 1, None, None]) & (column < triangles.size[some, 0, None, None])
    which, at_row, at_column = (inside & within).nonzero(as_tuple=True)
    depth = 1 / (down[which, 3, at_row] + across[which, 3, at_column])
    place = (triangles.low[some, 1][which] + at_row + rows.start) * wide + triangles.low[some, 0][which] + at_column
    met = ((depth > 0) & depth.isfinite()).nonzero()[:, 0]
    yield place[met], depth[met]
