"""A place made of a ground, boxes, balls and a sky or walls, as rays from a camera see it.

Convention: metres (right, up, away), see `photographs.ground`; the ground is at up = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dnerf_core.photographs.backgrounds.textures import FloatArray, Material, fractal
from dnerf_core.photographs.vectors import dot, turned

_FAR_M = 400.0


@dataclass(frozen=True)
class Block:
    """A box that stands on the ground, turned about up.

    Attributes:
        middle: (right, away) of its foot.
        half: half its width, its whole height, and half its depth, metres.
        yaw_deg: its turn.
        material: of its upright sides; `top` of its upper one, None: the same.
        lift: how high its foot is above the ground.
    """

    middle: tuple[float, float]
    half: tuple[float, float, float]
    yaw_deg: float
    material: Material
    top: Material | None = None
    lift: float = 0.0


@dataclass(frozen=True)
class Ball:
    """A crown of leaves, or a bush: middle (right, up, away), radius, metres."""

    middle: tuple[float, float, float]
    radius: float
    material: Material


@dataclass(frozen=True)
class Strip:
    """Another ground between two lines `low` and `high` metres across the direction `yaw_deg`, dashed every `dash` metres or whole (0)."""

    yaw_deg: float
    low: float
    high: float
    material: Material
    dash: float = 0.0


@dataclass(frozen=True)
class Room:
    """Walls round the place, metres (right, up, away) from the origin, and their materials; `front` is behind the camera."""

    left: float
    right: float
    back: float
    height: float
    walls: tuple[Material, Material, Material]
    ceiling: Material


@dataclass(frozen=True)
class Scene:
    """A place.

    Attributes:
        ground: where no strip is.
        sky: colours at the horizon and above; not seen in a room.
        clouds: how much of the sky they hide, 0 to 1.
        light: [3], unit, towards the light.
    """

    ground: Material
    sky: tuple[tuple[float, float, float], tuple[float, float, float]]
    clouds: float
    light: tuple[float, float, float]
    strips: tuple[Strip, ...] = ()
    blocks: tuple[Block, ...] = ()
    balls: tuple[Ball, ...] = ()
    room: Room | None = None
    seed: int = field(default=0)

    def colors(self, camera_m: NDArray[np.float64], rays: FloatArray) -> FloatArray:
        """What rays [M, 3] of unit direction from a point [3] see, float32 [M, 3]."""
        start = camera_m.astype(np.float32)
        nearest = np.full(len(rays), _FAR_M, np.float32)
        seen = self._sky(rays) if self.room is None else np.zeros((len(rays), 3), np.float32)
        if self.room is not None:
            self._walls(self.room, start, rays, nearest, seen)
        self._ground(start, rays, nearest, seen)
        for block in self.blocks:
            self._block(block, start, rays, nearest, seen)
        for ball in self.balls:
            self._ball(ball, start, rays, nearest, seen)
        if self.room is None:  # air between
            haze = (1 - np.exp(-nearest / 160))[:, None] * (nearest < _FAR_M)[:, None]
            seen = seen * (1 - haze) + np.asarray(self.sky[0], np.float32) * haze
        return seen

    def _lit(self, normal: FloatArray) -> FloatArray:
        return (0.62 + 0.38 * np.maximum(dot(normal, self.light), 0))[..., None]

    def _sky(self, rays: FloatArray) -> FloatArray:
        height = np.clip(rays[:, 1], 0, 1)[:, None] ** 0.55
        low, high = (np.asarray(color, np.float32) for color in self.sky)
        sky = low * (1 - height) + high * height
        spread = rays[:, [0, 2]] / np.maximum(rays[:, 1:2] + 0.12, 0.05)
        cover = np.clip((fractal(spread * 1.3, self.seed + 51) - 0.75 + 0.5 * self.clouds) * 4, 0, 1)[:, None]
        return (sky * (1 - cover) + np.float32(0.93) * cover).astype(np.float32)

    def _ground(self, start: FloatArray, rays: FloatArray, nearest: FloatArray, seen: FloatArray) -> None:
        t = np.where(rays[:, 1] < -1e-4, -start[1] / np.minimum(rays[:, 1], -1e-4), np.inf)
        hit = np.flatnonzero((t > 0) & (t < nearest))
        place = (start[[0, 2]] + t[hit, None] * rays[hit][:, [0, 2]]).astype(np.float32)
        color = self.ground.colors(place)
        for strip in self.strips:
            turn = math.radians(strip.yaw_deg)
            across = place[:, 0] * math.sin(turn) + place[:, 1] * math.cos(turn)
            along = place[:, 0] * math.cos(turn) - place[:, 1] * math.sin(turn)
            within = (across > strip.low) & (across < strip.high)
            if strip.dash:
                within &= (along / strip.dash) % 1.0 < 0.5
            color[within] = strip.material.colors(np.stack([along[within], across[within]], axis=1).astype(np.float32))
        seen[hit] = color * self._lit(np.array([[0.0, 1.0, 0.0]], np.float32))
        nearest[hit] = t[hit]

    def _walls(self, room: Room, start: FloatArray, rays: FloatArray, nearest: FloatArray, seen: FloatArray) -> None:
        planes = [(0, room.left, room.walls[0]), (0, room.right, room.walls[1]), (2, room.back, room.walls[2])]
        planes.append((1, room.height, room.ceiling))
        for axis, at, material in planes:
            t = (at - start[axis]) / np.where(np.abs(rays[:, axis]) < 1e-6, 1e-6, rays[:, axis])
            hit = np.flatnonzero((t > 0) & (t < nearest))
            places = start + t[hit, None] * rays[hit]
            normal = np.zeros((1, 3), np.float32)
            normal[0, axis] = -np.sign(at)
            flat = places[:, [2, 1]] if axis == 0 else places[:, [0, 2]] if axis == 1 else places[:, [0, 1]]
            corner = np.clip(places[:, 1:2] / 1.2, 0, 1) * 0.12 + 0.88  # less light reaches the skirting
            seen[hit] = material.colors(flat.astype(np.float32)) * self._lit(normal) * corner
            nearest[hit] = t[hit]

    def _block(self, block: Block, start: FloatArray, rays: FloatArray, nearest: FloatArray, seen: FloatArray) -> None:
        turn = math.radians(block.yaw_deg)
        cosine, sine = math.cos(turn), math.sin(turn)
        rotation = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]], np.float32)  # to the block's own axes
        middle = np.array([block.middle[0], block.lift + block.half[1] / 2, block.middle[1]], np.float32)
        half = np.array([block.half[0], block.half[1] / 2, block.half[2]], np.float32)
        own_start, own_rays = turned(start - middle, rotation), turned(rays, rotation)
        inverse = 1 / np.where(np.abs(own_rays) < 1e-6, 1e-6, own_rays)
        first, last = (-own_start - np.sign(inverse) * half) * inverse, (-own_start + np.sign(inverse) * half) * inverse
        enter, leave = first.max(axis=1), last.min(axis=1)
        hit = np.flatnonzero((enter > 0) & (enter < leave) & (enter < nearest))
        if not len(hit):
            return
        side = first[hit].argmax(axis=1)
        places = own_start + enter[hit, None] * own_rays[hit]
        color = np.zeros((len(hit), 3), np.float32)
        for axis, axes in ((0, [2, 1]), (1, [0, 2]), (2, [0, 1])):
            chosen = side == axis
            material = block.top if axis == 1 and block.top is not None else block.material
            flat = places[chosen][:, axes]
            if axis != 1:
                flat = flat + np.array([0, half[1]], np.float32)
            color[chosen] = material.colors(flat.astype(np.float32))
        normal = np.zeros((len(hit), 3), np.float32)
        normal[np.arange(len(hit)), side] = -np.sign(own_rays[hit, side])
        low = 0.72 + 0.28 * np.clip((places[:, 1:2] + half[1] + block.lift) / 0.5, 0, 1)
        seen[hit] = color * self._lit(turned(normal, rotation.T)) * low
        nearest[hit] = enter[hit]

    def _ball(self, ball: Ball, start: FloatArray, rays: FloatArray, nearest: FloatArray, seen: FloatArray) -> None:
        to_middle = np.asarray(ball.middle, np.float32) - start
        along = dot(rays, to_middle)
        squared = float(dot(to_middle, to_middle)) - along**2
        inside = ball.radius**2 - squared
        t = along - np.sqrt(np.maximum(inside, 0))
        near = np.flatnonzero((inside > 0) & (t > 0) & (t < nearest))
        if not len(near):
            return
        normal = (rays[near] * t[near, None] - to_middle) / np.float32(ball.radius)
        # the half that faces the camera, as from there; no arctan2, whose last bit depends on where in memory its numbers lie
        flat = normal[:, :2]
        # leaves: the rim is ragged
        rim = np.sqrt(inside[near]) / ball.radius
        shown = rim > 0.55 * fractal(flat * np.float32(5), ball.material.seed + 31, 3)
        hit = near[shown]
        color = ball.material.colors(flat[shown] * np.float32(ball.radius))
        seen[hit] = color * (0.55 + 0.45 * np.clip(dot(normal[shown], self.light) * 0.7 + 0.3, 0, 1))[:, None]
        nearest[hit] = t[hit]
