"""Paint of the harder world's cars: two tones, stripes, other glass, and the colours of what stands on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnerf_core.demo.car_paint import HOOD, ROOF, body_color
from dnerf_core.demo.car_parameters import CarParameters
from dnerf_core.demo.car_shape import CarShape
from dnerf_core.demo.harder.equipment import CARGO, MIRROR, RACK, SPOILER

TWO_TONES = ("one", "roof", "cabin", "hood", "low", "stripes", "side line")
"""Where the second colour is: nowhere, the roof, all above the belt, the hood, below the waist, stripes along the car, a line."""
_TWO_TONE_CHANCES = (0.25, 0.18, 0.12, 0.12, 0.13, 0.12, 0.08)
GLASS_TINTS = ((0.88, 1.0, 1.12), (1.25, 0.95, 0.7), (0.75, 1.15, 0.85), (1.0, 1.0, 1.0), (0.7, 0.95, 1.5), (1.3, 0.8, 0.95))
"""Blue as the demo's, bronze, green, gray, deep blue, rose."""


@dataclass(frozen=True, eq=False)
class Paint:
    """The paint of one car.

    Attributes:
        body, second: `[3]` in [0, 1].
        two_tone: where the second is, see `TWO_TONES`.
        glass_tint: `[3]`, factors.
        pieces: `[4, 3]`, colours of what stands on the car, by its kind.
        light: `[3]`, unit, towards the light, in the car's frame.
    """

    body: Tensor
    second: Tensor
    two_tone: str
    glass_tint: Tensor
    pieces: Tensor
    light: Tensor


def draw_paint(p: CarParameters, rng: np.random.Generator) -> Paint:
    """The paint of one car; a third of them have the grays that most real cars have."""
    chance = rng.random(16)
    body = body_color(p)[0]
    if chance[0] < 0.35:
        gray = (0.05, 0.16, 0.32, 0.52, 0.74, 0.90)[int(6 * chance[1])]
        body = (gray * (1 + torch.tensor([0.06, 0.0, -0.06]) * (2 * chance[2] - 1))).float()
    second = torch.from_numpy(0.04 + 0.86 * chance[3:6]).float()
    if chance[6] < 0.6:  # black, white or silver, as most second colours are
        second = torch.full((3,), (0.05, 0.9, 0.55)[int(3 * chance[7])])
    two_tone = TWO_TONES[int(np.searchsorted(np.cumsum(_TWO_TONE_CHANCES), chance[8]).clip(0, len(TWO_TONES) - 1))]
    metal = torch.full((3,), 0.07 if chance[9] < 0.6 else 0.62)
    cargo = torch.full((3,), 0.08 if chance[10] < 0.55 else 0.8)
    pieces = torch.stack([metal, cargo, body, body])
    assert (RACK, CARGO, SPOILER, MIRROR) == (0, 1, 2, 3)
    if chance[11] < 0.45:
        pieces[SPOILER] = second if chance[12] < 0.5 else torch.full((3,), 0.06)
    if chance[12] > 0.6:
        pieces[MIRROR] = second if chance[11] < 0.5 else torch.full((3,), 0.09)
    yaw, height = 2 * math.pi * chance[13], math.radians(30 + 45 * chance[14])
    light = torch.tensor([math.cos(height) * math.sin(yaw), math.sin(height), math.cos(height) * math.cos(yaw)])
    tint = torch.tensor(GLASS_TINTS[int(len(GLASS_TINTS) * chance[15])])
    return Paint(body, second, two_tone, tint, pieces, light.float())


def sheet_metal(paint: Paint, s: CarShape, points: Tensor, parts: Tensor) -> Tensor:
    """The paint `[1, N, 3]` at points on one car's surface `[1, N, 3]`, whose parts are uint8 `[1, N]`."""
    x, y = points[..., 0], points[..., 1]
    waist = s.bottom_y + 0.55 * (s.belt_y - s.bottom_y)
    where = {
        "one": torch.zeros_like(parts, dtype=torch.bool),
        "roof": parts == ROOF,
        "cabin": y > s.belt_y + 0.004,
        "hood": parts == HOOD,
        "low": y < waist - 0.03,
        "stripes": ((x.abs() - 0.085).abs() < 0.04) & (points[..., 1] > waist + 0.02),
        "side line": (y - waist - 0.018).abs() < 0.018,
    }[paint.two_tone]
    return torch.where(where[..., None], paint.second, paint.body.expand_as(points))
