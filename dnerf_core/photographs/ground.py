"""The ground that a subject stands on, as seen from a camera, and the shadow that what is seen of the subject throws on it.

Convention: a stage's coordinates are metres (right, up, away): right and away from the camera along the ground, up from it; the origin is
below the subject's middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, WorldUp
from dnerf_core.photographs.cutout import Cutout
from dnerf_core.photographs.filters import FloatArray, gaussian
from dnerf_core.photographs.vectors import turned

UPRIGHT_M, LYING_M = 0.85, 2.2
"""Half the greatest extent of what stands taller than it is long, as people do, and of other things, as cars are."""
_GRID, _REACH_M = 192, 3.2
"""Cells a side of the map of shadows, and how far it reaches from the subject's middle, in half extents."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Where a subject stands.

    Attributes:
        axes: float64 [3, 3], rows right, up and away in the world's frame.
        origin: [3], the point of the ground below the subject's middle, world frame.
        metres: metres of a world unit, by the subject's extent.
        half_m: half the subject's greatest extent, metres.
    """

    axes: NDArray[np.float64]
    origin: NDArray[np.float64]
    metres: float
    half_m: float

    @classmethod
    def under(cls, cutout: Cutout, world_up: WorldUp) -> Stage:
        """The stage of a subject; of a picture that shows none, one below the point a radius before the camera."""
        up = np.array([0.0, 1.0, 0.0] if world_up == "y" else [0.0, 0.0, 1.0])
        pose = np.asarray(cutout.camera.cam2world, dtype=np.float64)
        away = pose[:3, 2] - up * (pose[:3, 2] @ up)
        if np.linalg.norm(away) < 1e-6:  # straight down: what is up in the picture is away
            away = -pose[:3, 1]
        away = away / np.linalg.norm(away)
        axes = np.stack([np.cross(away, up), up, away])
        points = turned(cutout.points, axes)
        if not len(points):
            points = (pose[:3, 3] + pose[:3, 2] * np.linalg.norm(pose[:3, 3]))[None]
            points = turned(points, axes) + np.array([[-1.0] * 3, [1.0] * 3])
        low, high = np.quantile(points, 0.002, axis=0), np.quantile(points, 0.998, axis=0)
        extent = high - low
        half_m = UPRIGHT_M if extent[1] > max(extent[0], extent[2]) else LYING_M
        middle = (low + high) / 2
        origin = turned(np.array([middle[0], points[:, 1].min(), middle[2]]), axes.T)
        return cls(axes, origin, half_m / (max(float(extent.max()), 1e-6) / 2), half_m)

    def placed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points [N, 3] on the stage."""
        return turned(points - self.origin, self.axes) * self.metres

    def rays(self, camera: Camera, size_px: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """The camera's place [3], and the directions [H, W, 3] of a picture's pixels (width, height), unit, on the stage."""
        pose, (width, height) = np.asarray(camera.cam2world, dtype=np.float64), size_px
        intrinsics = np.asarray(camera.intrinsics, dtype=np.float64)
        v, u = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
        to_stage = self.axes @ pose[:3, :3] @ np.linalg.inv(intrinsics)
        rays = turned(np.stack([u, v, np.ones_like(u)], axis=-1), to_stage)
        unit = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        return self.placed(pose[None, :3, 3])[0], unit.astype(np.float32)

    def light(self, yaw_deg: float, pitch_deg: float) -> NDArray[np.float64]:
        """Unit [3] towards a light, on the stage; yaw 0 is behind the camera, positive to the right."""
        yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
        return np.array([math.cos(pitch) * math.sin(yaw), math.sin(pitch), -math.cos(pitch) * math.cos(yaw)])


def ground_points(camera_m: NDArray[np.float64], rays: NDArray[np.float32]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where rays [..., 3] meet the ground: (right, away) [..., 2] in metres, and whether they do, bool [...]."""
    down = rays[..., 1] < -1e-4
    t = np.where(down, -camera_m[1] / np.where(down, rays[..., 1], -1), 0)
    meets = down & (t > 0)
    right, away = camera_m[0] + t * rays[..., 0], camera_m[2] + t * rays[..., 2]
    return np.stack([right, away], axis=-1).astype(np.float32), meets


def shadow_map(points_m: NDArray[np.float64], half_m: float, light: NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    """How much of a light, and of the sky, is hidden from each cell of the ground: two maps [G, G] in [0, 1], rows away, columns right.

    What the camera sees of the subject is thrown on the ground along the light, and straight down where it is near the ground. What
    lies, such as a car, is taken to be solid below what is seen of it, so that a light from behind leaves no gap under it.
    """
    if half_m == LYING_M:
        points_m = np.concatenate([points_m * np.array([1.0, share, 1.0]) for share in (1.0, 0.75, 0.5, 0.3, 0.15, 0.03)])
    height = np.maximum(points_m[:, 1:2], 0)
    slope = light[[0, 2]] / max(float(light[1]), 0.15)
    thrown = points_m[:, [0, 2]] - height * slope
    cell = 2 * _REACH_M * half_m / _GRID

    def hidden(places: NDArray[np.float64], weight: NDArray[np.float64], sigma: float) -> FloatArray:
        index = np.floor(places / cell + _GRID / 2).astype(np.int64)
        inside = ((index >= 0) & (index < _GRID)).all(axis=1)
        flat = np.bincount(index[inside, 1] * _GRID + index[inside, 0], weight[inside], _GRID * _GRID)
        filled = np.minimum(flat.reshape(_GRID, _GRID), 1.0).astype(np.float32)
        return np.clip(1.35 * gaussian(filled, sigma), 0, 1)

    near = np.exp(-height[:, 0] / (0.45 * half_m))
    return hidden(thrown, np.ones(len(thrown)), 1.6), hidden(points_m[:, [0, 2]], near, 3.2)


def shadow_seen(maps: tuple[FloatArray, FloatArray], ground: FloatArray, meets: NDArray[np.bool_], half_m: float) -> FloatArray:
    """The darkness [H, W] in [0, 1] of the ground's points [H, W, 2] by the maps of `shadow_map`, bilinear."""
    place = ground / (2 * _REACH_M * half_m / _GRID) + _GRID / 2 - 0.5
    base = np.floor(place).astype(np.int64)
    share = place - base
    darkness = np.zeros(meets.shape, np.float32)
    for row in (0, 1):
        for column in (0, 1):
            x, y = base[..., 0] + column, base[..., 1] + row
            inside = meets & (x >= 0) & (x < _GRID) & (y >= 0) & (y < _GRID)
            weight = np.abs(1 - column - share[..., 0]) * np.abs(1 - row - share[..., 1])
            cell = y.clip(0, _GRID - 1), x.clip(0, _GRID - 1)
            darkness += np.where(inside, weight * (0.6 * maps[0][cell] + 0.4 * maps[1][cell]), 0)
    return darkness
