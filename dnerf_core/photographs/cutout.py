"""A subject cut out of its picture over white: its colours, how much of each pixel it covers, and which way its surface faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, pixel_centers_uv
from dnerf_core.errors import UsageError
from dnerf_core.photographs.filters import FloatArray, neighbour_mean
from dnerf_core.rendering.labeled_view import check_depth
from dnerf_core.shapes import check_shapes

_NEARLY_WHITE = 0.06
"""Squared distance of a subject's colour from white below which the picture does not tell how much of a pixel it covers."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """A subject without what is behind it.

    Attributes:
        camera: where it is seen from.
        color: float32 [H, W, 3] in [0, 1], sRGB values, of the subject alone wherever it covers any of a pixel.
        coverage: float32 [H, W] in [0, 1].
        depth_planar: float32 [H, W], +inf where the pixel's centre shows no subject.
        normal: float32 [H, W, 3], unit, world frame; 0 where it is not known.
        shade: float32 [H, W], the light that is baked in `color`, which is albedo times it; None: not known.
    """

    camera: Camera
    color: FloatArray
    coverage: FloatArray
    depth_planar: FloatArray
    normal: FloatArray
    shade: FloatArray | None = None

    @property
    def points(self) -> NDArray[np.float64]:
        """World points [M, 3] of the pixels whose centres show the subject."""
        hit = np.isfinite(self.depth_planar)
        height, width = hit.shape
        return self.camera.unproject(pixel_centers_uv((width, height))[hit], self.depth_planar[hit])


def cut_out(
    rgb: NDArray[np.uint8] | FloatArray,
    mask: NDArray[np.uint8],
    depth_planar: NDArray[np.floating],
    camera: Camera,
    *,
    coverage: FloatArray | None = None,
    normal: FloatArray | None = None,
    shade: FloatArray | None = None,
    edge_px: int = 1,
) -> Cutout:
    """Cut a subject out of a picture over white.

    A pixel's value is a c + (1 - a) white. At the mask's border, where a is not told, the subject's colour c is taken from its pixels
    nearby, and a is what explains the pixel best; where c is nearly white, the mask decides.

    Args:
        rgb: [H, W, 3], uint8, or float32 in [0, 1]; over white.
        mask: uint8 [H, W], 0 background.
        depth_planar: float [H, W], +inf at background.
        camera: where it is seen from.
        coverage: float32 [H, W], a, where it is known exactly; None: estimated.
        normal: float32 [H, W, 3], world frame; None: of the depth.
        shade: see `Cutout`.
        edge_px: how far from the mask's border a pixel may show what is beyond it, where the coverage is estimated: 1 in a sharp picture,
            2 in a model's, whose edges are soft.

    Raises:
        UsageError: arrays of other types or shapes, or an edge of no pixel.
    """
    if edge_px < 1:
        raise UsageError(f"edge_px: expected at least 1 pixel, found {edge_px}; an edge is where pixels show both sides")
    check_shapes(rgb=(rgb, "H W 3"), mask=(mask, "uint8 H W"), depth_planar=(depth_planar, "float H W"))
    check_shapes(mask=(mask, "H W"), coverage=(coverage, "H W"), normal=(normal, "H W 3"), shade=(shade, "H W"))
    check_depth(depth_planar)
    if rgb.dtype not in (np.uint8, np.float32):
        raise UsageError(f"rgb: expected uint8 or float32, found {rgb.dtype}; convert it")
    picture = rgb.astype(np.float32) / 255 if rgb.dtype == np.uint8 else rgb.astype(np.float32)
    depth = depth_planar.astype(np.float32)
    covers = _estimated_coverage(picture, mask != 0, edge_px) if coverage is None else coverage.astype(np.float32)
    own = np.clip((picture - (1 - covers)[..., None]) / np.maximum(covers, 0.02)[..., None], 0, 1)
    inner, found = neighbour_mean(own, covers > 0.98, 2)
    thin = (covers < 0.35) & (found > 0)  # of little of the subject its colour is hardly told
    color = np.where(thin[..., None], inner, own).astype(np.float32)
    facing = _world_normals(depth, camera) if normal is None else normal.astype(np.float32)
    return Cutout(camera, color, covers, depth, facing, None if shade is None else shade.astype(np.float32))


def coverage_over(picture: FloatArray, inside: NDArray[np.bool_], behind: FloatArray, edge_px: int) -> FloatArray:
    """How much of each pixel a subject covers, float32 [H, W], before one colour.

    Args:
        picture: float32 [H, W, 3].
        inside: bool [H, W], its mask.
        behind: float32 [3], the colour.
        edge_px: see `cut_out`.
    """
    return _estimated_coverage(picture + (1 - behind), inside, edge_px)  # as if the colour were white


def _estimated_coverage(picture: FloatArray, inside: NDArray[np.bool_], edge_px: int) -> FloatArray:
    share, _ = neighbour_mean(inside.astype(np.float32)[..., None], np.ones_like(inside), edge_px)
    partly = share[..., 0] * (2 * edge_px + 1) ** 2
    sure = inside & (partly > (2 * edge_px + 1) ** 2 - 0.5)
    border = ((partly > 0.5) & ~inside) | (inside & ~sure)
    # of a part one or two pixels wide, no pixel is sure: then all of the mask's are taken
    near, found = neighbour_mean(picture, sure, edge_px + 1)
    any_near, _ = neighbour_mean(picture, inside, edge_px)
    color = np.where((found > 0)[..., None], near, any_near)
    from_white = 1 - color
    squared = (from_white**2).sum(axis=-1)
    explained = ((1 - picture) * from_white).sum(axis=-1) / np.maximum(squared, 1e-6)
    bounded = np.where(inside, np.clip(explained, 0.4, 1), np.clip(explained, 0, 0.6))
    covers = np.where(border & (squared > _NEARLY_WHITE), bounded, inside)
    result: FloatArray = covers.astype(np.float32)
    return result


def _world_normals(depth: FloatArray, camera: Camera) -> FloatArray:
    """Normals [H, W, 3] by differences of the depth, 0 where a pixel has no neighbours of the subject."""
    hit = np.isfinite(depth)
    height, width = depth.shape
    points = np.zeros((height, width, 3))
    points[hit] = camera.unproject(pixel_centers_uv((width, height))[hit], depth[hit])
    steps = []
    for axis in (1, 0):
        ahead, behind = np.roll(points, -1, axis), np.roll(points, 1, axis)
        has_ahead, has_behind = np.roll(hit, -1, axis), np.roll(hit, 1, axis)
        step = np.where(has_ahead[..., None], ahead, points) - np.where(has_behind[..., None], behind, points)
        steps.append(np.where((has_ahead | has_behind)[..., None], step, 0))
    normal = np.cross(steps[1], steps[0])
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    unit = np.where(hit[..., None] & (length > 0), normal / np.maximum(length, 1e-12), 0)
    result: FloatArray = unit.astype(np.float32)
    return result
