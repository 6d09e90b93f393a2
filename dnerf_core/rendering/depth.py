"""From distances along rays at neural resolution to planar depth at any size, without inventing surfaces."""

from __future__ import annotations

import torch
from torch import Tensor

OPAQUE = 0.5
"""A pixel shows the object where at least this much of its light is stopped."""

SAME_SURFACE = 0.02
"""Depth difference, as a fraction of the box's side, above which neighbouring pixels show different surfaces."""


def planar_depth(distance: Tensor, opacity: Tensor, intrinsics: Tensor, size_px: int, box_side: float) -> Tensor:
    """Planar depth [B, S, S], +inf at background, of distances along the rays [B, R, R] and opacities [B, R, R].

    Args:
        intrinsics: [B, 3, 3], normalised; size_px: S; box_side: world units.
    """
    depth = solid_depth(distance, opacity, ray_cosines(intrinsics, distance.shape[-1]))
    return resample_depth(depth, opacity, size_px, SAME_SURFACE * box_side)


def solid_depth(distance: Tensor, opacity: Tensor, cosines: Tensor) -> Tensor:
    """Planar depth, +inf where less than `OPAQUE` of the light is stopped.

    Args:
        distance, opacity, cosines: alike in shape; along the rays in world units, in [0, 1], and as `ray_cosines` has them.
    """
    planar = distance * cosines
    return torch.where(opacity >= OPAQUE, planar, torch.full_like(planar, torch.inf))


def ray_cosines(intrinsics: Tensor, resolution: int) -> Tensor:
    """Cosine [B, R, R] between each pixel's ray and the optical axis: planar depth = distance along the ray times this."""
    centres = (torch.arange(resolution, dtype=intrinsics.dtype, device=intrinsics.device) + 0.5) / resolution
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    fx, fy = intrinsics[:, 0, 0, None, None], intrinsics[:, 1, 1, None, None]
    y = (v - intrinsics[:, 1, 2, None, None]) / fy
    x = (u - intrinsics[:, 0, 2, None, None]) / fx - intrinsics[:, 0, 1, None, None] * y / fx
    return (x.square() + y.square() + 1).rsqrt()


def coarse_edges(distance: Tensor, opacity: Tensor, intrinsics: Tensor, size_px: int, box_side: float) -> Tensor:
    """`edge_pixels` of one view at neural resolution: distance and opacity [1, R, R], `planar_depth` has the arguments."""
    depth = solid_depth(distance, opacity, ray_cosines(intrinsics, distance.shape[-1]))
    return edge_pixels(depth, size_px, SAME_SURFACE * box_side)


def edge_pixels(depth_planar: Tensor, size_px: int, same_surface: float) -> Tensor:
    """Pixels, int64 [E], row-major, of a picture of side S whose four neighbouring rays of R x R do not all see one surface.

    Args:
        depth_planar: [1, R, R], world units, +inf at background; size_px: S, above R.
        same_surface: depth difference, world units, above which neighbours count as different surfaces.
    """
    return are_edges(depth_planar, size_px, same_surface).nonzero()[:, 0]


def are_edges(depth_planar: Tensor, size_px: int, same_surface: float) -> Tensor:
    """Which pixels of the picture those of `edge_pixels` are, bool [S * S]."""
    low, high = enlarged_range(depth_planar[0], size_px)
    # two infinities differ by nan, which is no edge
    return ((high - low) > same_surface).flatten()


def enlarged_range(values: Tensor, size_px: int) -> tuple[Tensor, Tensor]:
    """Least and greatest [S, S] of the four values [R, R] that a bilinear enlargement to S x S reads at each pixel."""
    ends, _ = _neighbours(values, size_px)
    columns = [values.index_select(1, at) for at in ends]
    least, greatest = torch.minimum(*columns), torch.maximum(*columns)
    rows = [(least.index_select(0, at), greatest.index_select(0, at)) for at in ends]
    return torch.minimum(rows[0][0], rows[1][0]), torch.maximum(rows[0][1], rows[1][1])


def _neighbours(values: Tensor, size_px: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Rows (or columns) of values [.., R, R] before and after each one of a picture of S, int64 [S] each, and how far along, [S]."""
    resolution = values.shape[-1]
    position = (torch.arange(size_px, dtype=values.dtype, device=values.device) + 0.5) * (resolution / size_px) - 0.5
    low = position.floor()
    before, after = ((low + d).long().clamp(0, resolution - 1) for d in (0, 1))
    return (before, after), position - low


def resample_depth(depth_planar: Tensor, opacity: Tensor, size_px: int, same_surface: float) -> Tensor:
    """Planar depth at another size.

    A pixel is object where the bilinear mean of opacity is at least `OPAQUE`. Its depth is the bilinear mean over those of its four
    neighbours that are object themselves and lie within `same_surface` of the nearest-weighted one: never between two surfaces.

    Args:
        depth_planar: [B, R, R], world units, +inf at background.
        opacity: [B, R, R] in [0, 1].
        size_px: side S of the result.
        same_surface: depth difference, world units, above which neighbours count as different surfaces.
    Returns:
        [B, S, S], +inf at background.
    """
    resolution = depth_planar.shape[-1]
    if size_px == resolution:
        return torch.where(opacity >= OPAQUE, depth_planar, torch.full_like(depth_planar, torch.inf))
    places, fraction = _neighbours(depth_planar, size_px)
    usable = torch.where(depth_planar.isfinite() & (opacity >= OPAQUE), depth_planar, torch.full_like(depth_planar, torch.inf))
    ends = list(zip(places, (1 - fraction, fraction), strict=True))
    # every pixel where most are object, on a CUDA device, which would be waited for to count them, and in a graph, whose shapes are fixed
    every = usable.is_cuda or torch.compiler.is_compiling()
    seen = None if every else _near_object(usable.isfinite(), *places)
    corners = []
    if seen is None or 2 * len(seen[0]) > usable.shape[0] * size_px**2:
        for rows, down in ends:
            depth_rows, opacity_rows = usable.index_select(1, rows), opacity.index_select(1, rows)
            for columns, across in ends:
                weight = down[:, None] * across
                corners.append((weight, depth_rows.index_select(2, columns), opacity_rows.index_select(2, columns)))
        return _within_one_surface(corners, same_surface)
    picture, row, column = seen
    for rows, down in ends:
        start = (picture * resolution + rows[row]) * resolution
        for columns, across in ends:
            place = start + columns[column]
            corners.append((down[row] * across[column], usable.flatten()[place], opacity.flatten()[place]))
    depth = usable.new_full((usable.shape[0], size_px, size_px), torch.inf)
    depth[seen] = _within_one_surface(corners, same_surface)
    return depth


def _near_object(solid: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Picture, row and column, int64 [E] each, of the pixels that have a neighbour which is object: the others have no depth.

    Args:
        solid: bool [B, R, R], which rays see the object; before, after: int64 [S], see `_neighbours`.
    """
    rows = solid.index_select(1, before) | solid.index_select(1, after)
    picture, row, column = (rows.index_select(2, before) | rows.index_select(2, after)).nonzero().unbind(dim=1)
    return picture, row, column


def _within_one_surface(corners: list[tuple[Tensor, Tensor, Tensor]], same_surface: float) -> Tensor:
    """The depth of pixels by the bilinear weights, depths (+inf where not object) and opacities of their four neighbours."""
    mean_opacity, depths, weights = None, [], []
    for weight, depth, stopped in corners:
        mean_opacity = weight * stopped if mean_opacity is None else torch.addcmul(mean_opacity, weight, stopped)
        depths.append(depth)
        weights.append(torch.where(depth.isfinite(), weight + 1e-6, torch.zeros_like(depth)))
    assert mean_opacity is not None
    reference, largest = depths[0], weights[0]
    for depth, weight in zip(depths[1:], weights[1:], strict=True):
        reference = torch.where(weight > largest, depth, reference)
        largest = torch.maximum(weight, largest)
    total, mean = torch.zeros_like(largest), torch.zeros_like(largest)
    for depth, weight in zip(depths, weights, strict=True):
        same = (depth - reference).abs() <= same_surface  # inf - inf is nan, and no
        total += torch.where(same, weight, torch.zeros_like(weight))
        mean += torch.where(same, weight * depth, torch.zeros_like(weight))
    return torch.where((mean_opacity >= OPAQUE) & (total > 0), mean / total.clamp_min(1e-12), torch.full_like(mean, torch.inf))
