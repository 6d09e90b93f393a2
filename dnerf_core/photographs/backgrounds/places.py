"""Rooms, streets and parks of a seed, about a subject that stands at the origin; see `scene`."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from numpy.typing import NDArray

from dnerf_core.photographs.backgrounds.scene import Ball, Block, Room, Scene, Strip
from dnerf_core.photographs.backgrounds.textures import Material

Color = tuple[float, float, float]


def _hsv(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0))
    return red, green, blue


def _scaled(color: Color, factor: float) -> Color:
    red, green, blue = (min(1.0, factor * channel) for channel in color)
    return red, green, blue


def _any_color(rng: np.random.Generator, saturation: float = 0.7) -> Color:
    return _hsv(rng.random(), saturation * rng.random(), 0.15 + 0.8 * rng.random())


def _material(rng: np.random.Generator, pattern: str, color: Color, contrast: float, scale: float = 1.0) -> Material:
    """A pattern between a colour and a darker or brighter one."""
    factor = 1 - contrast if rng.random() < 0.7 else 1 + contrast
    return Material(pattern, color, _scaled(color, factor), scale, int(rng.integers(2**20)))


def _thing(rng: np.random.Generator, clear_m: float, far_m: float, tall_m: float) -> Block:
    """A box of any colour behind the subject or beside it, never before it."""
    away = clear_m + (far_m - clear_m) * rng.random()
    right = (2 * rng.random() - 1) * (1.6 * clear_m + 0.7 * away)
    half = (0.2 + 0.9 * rng.random()) * min(1.0, clear_m / 2), (0.25 + 0.75 * rng.random()) * tall_m, 0.2 + 0.4 * rng.random()
    pattern = ("plain", "striped", "checked", "planks", "shelves", "speckled")[int(rng.integers(6))]
    material = _material(rng, pattern, _any_color(rng), 0.2 + 0.6 * rng.random(), 0.5 + rng.random())
    return Block((right, away + half[2]), half, float(180 * rng.random()), material)


def street(rng: np.random.Generator, half_m: float, light: NDArray[np.float64]) -> Scene:
    """A road with a kerb, pavement and houses along it, cars' shapes, bins and trees."""
    yaw = float(rng.normal(0, 22)) if rng.random() < 0.75 else float(rng.uniform(-80, 80))
    turn = math.radians(yaw)
    kerb = half_m * (0.75 + 0.5 * rng.random()) + 0.4 + (0.9 * half_m * abs(math.sin(turn)))
    pavement, gray = kerb + 1.4 + 2.2 * rng.random(), 0.22 + 0.28 * rng.random()
    asphalt = Material("speckled", _hsv(0.6, 0.04, gray), _hsv(0.1, 0.05, gray * 0.6), 1.0, int(rng.integers(2**20)))
    stone = _material(
        rng, ("tiled", "speckled", "bricks")[int(rng.integers(3))], _hsv(0.09, 0.12 * rng.random(), 0.4 + 0.3 * rng.random()), 0.4
    )
    line = Material("speckled", (0.82, 0.82, 0.78), (0.6, 0.6, 0.56), 1.0, 7)
    edge = Material("plain", (0.55, 0.55, 0.53), (0.4, 0.4, 0.4), 1.0, 3)
    strips = [Strip(yaw, kerb, 60.0, stone), Strip(yaw, kerb, kerb + 0.16, edge)]
    if rng.random() < 0.7:
        strips.append(Strip(yaw, kerb - 0.45, kerb - 0.33, line))
    if rng.random() < 0.6:
        middle = -half_m * (1.0 + rng.random())
        strips.append(Strip(yaw, middle - 0.07, middle + 0.07, line, 6.0 if rng.random() < 0.7 else 0.0))
    blocks, balls = [], []

    def along_road(along: float, across: float) -> tuple[float, float]:
        return along * math.cos(turn) + across * math.sin(turn), -along * math.sin(turn) + across * math.cos(turn)

    along = -32.0
    while along < 32:
        width = 5 + 9 * rng.random()
        if rng.random() < 0.86:
            front = _material(
                rng,
                ("windows", "windows", "bricks", "plain")[int(rng.integers(4))],
                _hsv(0.08 + 0.1 * rng.random(), 0.5 * rng.random(), 0.3 + 0.55 * rng.random()),
                0.75,
            )
            glass = _hsv(0.58, 0.3, 0.12 + 0.5 * rng.random())
            if front.pattern == "windows":
                front = Material("windows", front.first, glass, 1.0, front.seed)
            depth = 0.4 * rng.random()
            blocks.append(
                Block(along_road(along + width / 2, pavement + 4 + depth), (width / 2, 4 + 9 * rng.random(), 4.0), yaw, front)
            )
        along += width + (0.0 if rng.random() < 0.7 else 3 * rng.random())
    for _ in range(int(rng.integers(1, 5))):  # what stands on the pavement
        place = along_road(float(rng.uniform(-8, 8)), kerb + 0.3 + (pavement - kerb - 0.5) * rng.random())
        half = (0.12 + 0.5 * rng.random(), 0.5 + 1.4 * rng.random(), 0.12 + 0.3 * rng.random())
        blocks.append(Block(place, half, yaw, _material(rng, "plain", _any_color(rng), 0.3)))
    for _ in range(int(rng.integers(0, 4))):
        place = along_road(float(rng.uniform(-9, 9)), kerb + 0.5 + 0.4 * rng.random())
        balls += _tree(rng, place, blocks)
    if rng.random() < 0.5:  # a parked van or car, end to end with the subject
        side = 1 if rng.random() < 0.5 else -1
        place = along_road(side * (2.5 * half_m + 1.2 * rng.random() + 1.2), kerb - 1.1)
        body = _material(rng, "plain", _any_color(rng), 0.15)
        blocks.append(Block(place, (1.7, 0.75, 0.8), yaw, body, lift=0.25))
        blocks.append(
            Block(place, (1.0, 0.55, 0.7), yaw, Material("plain", (0.1, 0.12, 0.15), (0.2, 0.22, 0.25)), body, lift=1.0)
        )
    return Scene(
        asphalt, _sky(rng), rng.random(), _unit(light), tuple(strips), tuple(blocks), tuple(balls), seed=int(rng.integers(2**20))
    )


def room(rng: np.random.Generator, half_m: float, camera_m: NDArray[np.float64], light: NDArray[np.float64]) -> Scene:
    """A hall, a garage or a living room: floor, walls, and furniture along them."""
    floor_pattern = ("planks", "tiled", "speckled", "checked")[int(rng.integers(4))]
    floor = _material(
        rng,
        floor_pattern,
        _hsv(0.07 + 0.05 * rng.random(), 0.5 * rng.random(), 0.3 + 0.5 * rng.random()),
        0.15 + 0.4 * rng.random(),
        0.7 + 0.6 * rng.random(),
    )
    patterns = ("plain", "plain", "striped", "bricks", "planks", "tiled")
    paper = _hsv(rng.random(), 0.35 * rng.random(), 0.5 + 0.45 * rng.random())
    back_wall = _material(rng, patterns[int(rng.integers(6))], paper, 0.1 + 0.3 * rng.random())
    side_wall = _material(rng, "plain", _scaled(paper, 0.92), 0.08)
    back = half_m * (1.35 + 1.1 * rng.random()) + 0.3
    height = max(2.6 + 1.6 * rng.random(), float(camera_m[1]) + 0.6)
    side = half_m * 1.6 + 3.5 * rng.random() + abs(float(camera_m[0]))
    blocks = []
    for _ in range(int(rng.integers(2, 7))):  # furniture along the back wall
        half = (0.3 + 0.7 * rng.random(), 0.4 + 1.8 * rng.random(), 0.12 + 0.14 * rng.random())
        pattern = ("shelves", "planks", "plain", "striped", "checked")[int(rng.integers(5))]
        first, second = _any_color(rng), _any_color(rng)
        made_from = Material(
            pattern, first, second if pattern in ("shelves", "checked") else _scaled(first, 0.6), 1.0, int(rng.integers(2**20))
        )
        blocks.append(Block((float(rng.uniform(-side, side)), back - half[2]), half, 0.0, made_from))
    for _ in range(int(rng.integers(0, 4))):  # pictures on it
        half = (0.2 + 0.4 * rng.random(), 0.3 + 0.5 * rng.random(), 0.02)
        picture = Material(
            "checked" if rng.random() < 0.4 else "grassy",
            _any_color(rng, 1.0),
            _any_color(rng, 1.0),
            0.4,
            int(rng.integers(2**20)),
        )
        blocks.append(Block((float(rng.uniform(-side, side)), back - 0.03), half, 0.0, picture, lift=1.1 + 0.5 * rng.random()))
    for _ in range(int(rng.integers(0, 3))):
        blocks.append(_thing(rng, half_m * 1.15, back, 1.2))
    walls = Room(
        -side, side, back, height, (side_wall, side_wall, back_wall), Material("plain", (0.85, 0.85, 0.83), (0.75, 0.75, 0.73))
    )
    return Scene(
        floor, ((0.8, 0.8, 0.8), (0.6, 0.6, 0.6)), 0.0, _unit(light), (), tuple(blocks), (), walls, int(rng.integers(2**20))
    )


def park(rng: np.random.Generator, half_m: float, light: NDArray[np.float64]) -> Scene:
    """Grass or gravel with a path, bushes, trees and a fence."""
    green = _hsv(0.22 + 0.12 * rng.random(), 0.35 + 0.35 * rng.random(), 0.28 + 0.3 * rng.random())
    sand = _hsv(0.09 + 0.03 * rng.random(), 0.3 * rng.random(), 0.45 + 0.3 * rng.random())
    lawn = Material("grassy", green, _scaled(green, 0.55), 1.0, int(rng.integers(2**20)))
    gravel = Material("speckled", sand, _scaled(sand, 0.65), 1.0, int(rng.integers(2**20)))
    ground, other = (lawn, gravel) if rng.random() < 0.5 else (gravel, lawn)
    yaw, border = float(rng.normal(0, 25)), half_m * (0.9 + 0.8 * rng.random()) + 0.3
    strips = (Strip(yaw, border, border + (1.5 if rng.random() < 0.4 else 60.0), other),)
    blocks: list[Block] = []
    balls: list[Ball] = []
    for _ in range(int(rng.integers(2, 8))):
        away = border + 0.5 + 9 * rng.random() ** 1.5
        balls += _tree(rng, ((2 * rng.random() - 1) * (3 + away), away), blocks)
    for _ in range(int(rng.integers(3, 10))):  # bushes
        radius, away = 0.3 + 0.9 * rng.random(), border + 1.0 + 6 * rng.random()
        balls.append(Ball(((2 * rng.random() - 1) * (2 + away), radius * 0.55, away + radius), radius, _leaves(rng)))
    if rng.random() < 0.45:
        fence = _material(rng, "striped", _hsv(0.08, 0.4 * rng.random(), 0.3 + 0.5 * rng.random()), 0.5, 0.4)
        blocks.append(Block((0.0, border + 3 + 5 * rng.random()), (40.0, 0.9 + 0.8 * rng.random(), 0.04), yaw, fence))
    if rng.random() < 0.6:  # the wood's edge, far off
        wood = Material("grassy", _scaled(green, 0.8), _scaled(green, 0.35), 4.0, int(rng.integers(2**20)))
        blocks.append(Block((0.0, 38.0), (120.0, 4 + 6 * rng.random(), 2.0), yaw * 0.3, wood))
    return Scene(
        ground, _sky(rng), rng.random(), _unit(light), strips, tuple(blocks), tuple(balls), seed=int(rng.integers(2**20))
    )


def _leaves(rng: np.random.Generator) -> Material:
    hue = 0.20 + 0.16 * rng.random() if rng.random() < 0.85 else 0.05 + 0.08 * rng.random()
    color = _hsv(hue, 0.4 + 0.35 * rng.random(), 0.25 + 0.3 * rng.random())
    return Material("grassy", color, _scaled(color, 0.4), 1.2, int(rng.integers(2**20)))


def _tree(rng: np.random.Generator, place: tuple[float, float], blocks: list[Block]) -> list[Ball]:
    """A trunk among the blocks, and the crown's balls."""
    trunk, thick, leaves = 1.6 + 1.6 * rng.random(), 0.08 + 0.12 * rng.random(), _leaves(rng)
    bark = Material("speckled", (0.28, 0.21, 0.15), (0.15, 0.11, 0.08), 0.3, leaves.seed)
    blocks.append(Block(place, (thick, trunk + 0.8, thick), 20.0, bark))
    crown = []
    for _ in range(int(rng.integers(2, 5))):
        radius = 0.8 + 0.9 * rng.random()
        at = place[0] + 0.9 * float(rng.normal()), trunk + 0.5 * radius + 1.4 * rng.random(), place[1] + 0.5 * float(rng.normal())
        crown.append(Ball(at, radius, leaves))
    return crown


def _sky(rng: np.random.Generator) -> tuple[Color, Color]:
    """The colours of a blue, a gray or an evening sky."""
    kind = rng.random()
    if kind < 0.5:
        return (0.80, 0.87, 0.94), (0.30 + 0.15 * rng.random(), 0.52 + 0.1 * rng.random(), 0.85)
    if kind < 0.85:
        gray = 0.55 + 0.35 * rng.random()
        return (gray, gray, gray * 1.02), (gray * 0.85, gray * 0.87, gray * 0.92)
    return (0.95, 0.74, 0.55), (0.45, 0.48, 0.68)


def _unit(light: NDArray[np.float64]) -> Color:
    return float(light[0]), float(light[1]), float(light[2])
