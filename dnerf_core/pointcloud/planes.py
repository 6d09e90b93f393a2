"""A plane through each pixel's surroundings: normals from depth, and how squarely a surface is seen (numpy only)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import pixel_centers_uv
from dnerf_core.rendering.labeled_view import LabeledView

REACH = 2
"""The surroundings are (2 REACH + 1)^2 depth samples: 25 smooth the grain of volume-rendered depth and stay within small parts."""


@dataclass(frozen=True, eq=False)
class PlaneFit:
    """Planes fitted at every pixel of a view.

    Attributes:
        normals: float64 [H, W, 3], unit, world frame, towards the camera; 0 where there is no plane.
        cosine: float64 [H, W], of the angle between the normal and the way back to the camera; 0 where there is no plane.
    """

    normals: NDArray[np.float64]
    cosine: NDArray[np.float64]


def fit_planes(view: LabeledView, max_incidence_deg: float) -> PlaneFit:
    """Fit a plane to the depth around every pixel.

    A plane n . X = 1 (camera frame) is seen at depth z with 1 / z = n . (x, y, 1), (x, y) on the image plane at z = 1: inverse depth
    is linear in pixels, so the fit is a linear least-squares problem with an exact answer for planes. A neighbour takes part if it
    belongs to the pixel's own surface: if their depths differ by no more than a plane through the pixel could, seen at
    `max_incidence_deg`, tan(max_incidence) * (sideways distance at that depth).

    Args:
        max_incidence_deg: the most oblique view of a surface that counts as one, degrees from its normal, below 90.
    """
    fx, fy = view.camera.intrinsics[0, 0], view.camera.intrinsics[1, 1]
    skew, (width, height) = view.camera.intrinsics[0, 1], view.size_px
    met = _surroundings(np.isfinite(view.depth_planar))
    depth = view.depth_planar[met].astype(np.float64)
    inverse = np.where(np.isfinite(depth), 1.0 / depth, 0.0)
    slope = math.tan(math.radians(max_incidence_deg))
    sums = _Sums(depth.shape)
    for down in range(-REACH, REACH + 1):
        for across in range(-REACH, REACH + 1):
            rows, columns = down * view.sample_px, across * view.sample_px
            here, there = _overlap(rows, columns, depth.shape)
            sideways = math.hypot(columns / (width * fx), rows / (height * fy))
            # z' - z and 1/z - 1/z' differ by z z'; the limit is tan * sideways * z
            difference = inverse[there] - inverse[here]
            same = (inverse[there] > 0) & (np.abs(difference) <= slope * sideways * inverse[there])
            sums.add(here, columns, rows, difference, same)
    own, along_columns, along_rows, solved = sums.solve()
    has_plane = solved & (inverse > 0)
    centers = pixel_centers_uv(view.size_px)[met]
    y = (centers[..., 1] - view.camera.intrinsics[1, 2]) / fy
    x = (centers[..., 0] - view.camera.intrinsics[0, 2]) / fx - skew * y / fx
    normal_x = along_columns * fx * width
    normal_y = along_rows * fy * height + normal_x * skew / fx
    away = np.stack([normal_x, normal_y, inverse + own - normal_x * x - normal_y * y], axis=-1)
    length = np.linalg.norm(away, axis=-1)
    has_plane &= length > 0
    away = np.divide(away, length[..., None], out=np.zeros_like(away), where=has_plane[..., None])
    cosine = (away[..., 0] * x + away[..., 1] * y + away[..., 2]) / np.sqrt(x * x + y * y + 1)
    has_plane &= cosine > 0
    found = PlaneFit(np.zeros((height, width, 3)), np.zeros((height, width)))
    found.normals[met] = np.where(has_plane[..., None], -away @ view.camera.cam2world[:3, :3].T, 0.0)
    found.cosine[met] = np.where(has_plane, cosine, 0.0)
    return found


def _surroundings(finite: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest rectangle of pixels that has all with a depth: no other pixel has a plane or is part of one."""
    ranges = []
    for axis in (1, 0):
        lines = np.flatnonzero(finite.any(axis=axis))
        ranges.append(slice(int(lines[0]), int(lines[-1]) + 1) if len(lines) else slice(0, 0))
    return ranges[0], ranges[1]


class _Sums:
    """Sums over the neighbours that take part, [H, W] each, for a line value = own + a * column + b * row at every pixel."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count, self.a, self.b = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.aa, self.ab, self.bb = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.v, self.av, self.bv = np.zeros(shape), np.zeros(shape), np.zeros(shape)

    def add(self, here: tuple[slice, slice], a: int, b: int, value: NDArray[np.float64], same: NDArray[np.bool_]) -> None:
        weight = same.astype(np.float64)
        value = value * weight
        self.count[here] += weight
        for total, factor in ((self.a, a), (self.b, b), (self.aa, a * a), (self.ab, a * b), (self.bb, b * b)):
            if factor:
                total[here] += factor * weight
        for total, factor in ((self.v, 1), (self.av, a), (self.bv, b)):
            if factor:
                total[here] += factor * value

    def solve(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """own, a, b, and where they are determined: neighbours on one line leave the plane free to turn round it."""
        count = np.maximum(self.count, 1.0)
        mean_a, mean_b, mean_v = self.a / count, self.b / count, self.v / count
        aa, ab, bb = self.aa - mean_a * self.a, self.ab - mean_a * self.b, self.bb - mean_b * self.b
        av, bv = self.av - mean_a * self.v, self.bv - mean_b * self.v
        determinant = aa * bb - ab * ab
        solved = (self.count >= 3) & (determinant > 1e-6 * np.maximum(aa, bb) ** 2)
        safe = np.where(solved, determinant, 1.0)
        a, b = (bb * av - ab * bv) / safe, (aa * bv - ab * av) / safe
        return mean_v - a * mean_a - b * mean_b, a, b, solved


def _overlap(rows: int, columns: int, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of the pixels whose neighbour at (rows, columns) is in the image, and of these neighbours."""
    (down, down_there), (across, across_there) = (
        (slice(max(0, -step), max(0, size - max(0, step))), slice(max(0, step), max(0, size + min(0, step))))
        for step, size in ((rows, shape[0]), (columns, shape[1]))
    )
    return (down, across), (down_there, across_there)
