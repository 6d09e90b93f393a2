"""What stands on the harder world's cars: roof racks and boxes, spoilers, mirrors; their signed distances and labels.

Convention: as `demo.car_shape` has it; a rack with its box belongs to the roof, spoilers and mirrors to the other parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnerf_core.demo.car_paint import OTHER, ROOF
from dnerf_core.demo.car_parameters import CarParameters
from dnerf_core.demo.car_shape import CABIN_INSET, CABIN_ROUNDING, CarShape
from dnerf_core.demo.harder.styles import Style

RACK, CARGO, SPOILER, MIRROR = 0, 1, 2, 3
"""What a piece is, by number."""
LABELS = {RACK: ROOF, CARGO: ROOF, SPOILER: OTHER, MIRROR: OTHER}
BAR = 0.009
"""Half the thickness of a rack's bars, world units."""


@dataclass(frozen=True, eq=False)
class RoundedBox:
    """A box with rounded edges, mirrored at the car's middle plane.

    Attributes:
        kind: what it is of.
        center, half: (x, y, z) in the car's frame, x not negative; half sizes with the rounding.
        rounding: radius of its edges.
    """

    kind: int
    center: tuple[float, float, float]
    half: tuple[float, float, float]
    rounding: float

    def distance(self, side_x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Signed distance of points with |x| `side_x`; exact outside of pieces that do not cross the middle plane."""
        inner = [half - self.rounding for half in self.half]
        reach = [(axis - at).abs() - half for axis, at, half in zip((side_x, y, z), self.center, inner, strict=True)]
        past = [axis.clamp(min=0) for axis in reach]
        outside = (past[0] * past[0]).addcmul_(past[1], past[1]).addcmul_(past[2], past[2]).sqrt_()
        within = torch.maximum(torch.maximum(reach[0], reach[1]), reach[2]).clamp(max=0)
        return outside + within - self.rounding


@dataclass(frozen=True, eq=False)
class Equipment:
    """The pieces of one car."""

    pieces: tuple[RoundedBox, ...]

    def nearest(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance `[N]` to the nearest piece, +inf without any, and its kind, int64 `[N]`; points are `[N, 3]`."""
        side_x, y, z = points[:, 0].abs(), points[:, 1], points[:, 2]
        best = torch.full_like(y, torch.inf)
        kind = torch.zeros(y.shape, dtype=torch.int64, device=y.device)
        for piece in self.pieces:
            distance = piece.distance(side_x, y, z)
            kind = torch.where(distance < best, piece.kind, kind)
            best = torch.minimum(best, distance)
        return best, kind

    @property
    def reach(self) -> tuple[float, float, float]:
        """How far pieces reach from the middle along |x|, up, and |z|; 0 without any."""
        if not self.pieces:
            return 0.0, 0.0, 0.0
        ends = np.array([np.abs(piece.center) + piece.half for piece in self.pieces])
        top = max(piece.center[1] + piece.half[1] for piece in self.pieces)
        return float(ends[:, 0].max()), float(top), float(ends[:, 2].max())


def draw_equipment(style: Style, p: CarParameters, s: CarShape, rng: np.random.Generator) -> Equipment:
    """The pieces of one car by its style; every number is drawn, so that cars differ in their order no more than in themselves."""
    chance = rng.random(12)
    pieces: list[RoundedBox] = []
    top, belt, half_length, half_width = (float(v) for v in (s.half_height, s.belt_y, s.half_length, s.half_width))
    cabin_front = float(s.cowl_z) - CABIN_ROUNDING
    cabin_rear = CABIN_ROUNDING + float(p.deck_share * p.length) - half_length
    roof_front, roof_rear = cabin_front - float(p.windshield_run), cabin_rear + float(p.rear_window_run)
    roof_half = half_width - CABIN_INSET - (top - belt) * float(p.tumblehome_slope)
    if chance[0] < style.racks:
        pieces += _rack(roof_front, roof_rear, roof_half, top, chance[1:5])
    elif chance[0] > 1 - style.roof_spoilers:
        depth = 0.045 + 0.05 * chance[5]
        pieces.append(RoundedBox(SPOILER, (0.0, top - 0.024, roof_rear - depth + 0.01), (roof_half - 0.05, 0.013, depth), 0.011))
    if chance[6] < style.deck_spoilers:
        pieces += _wing(half_length, half_width, belt, chance[7:11])
    if chance[11] < 0.8:
        pieces.append(
            RoundedBox(
                MIRROR,
                (half_width + 0.022, belt + 0.038, cabin_front - 0.35 * float(p.windshield_run) - 0.03),
                (0.038, 0.026, 0.022),
                0.018,
            )
        )
    return Equipment(tuple(pieces))


def _rack(front: float, rear: float, roof_half: float, top: float, chance: np.ndarray) -> list[RoundedBox]:
    """Two rails on feet with cross bars, or cross bars alone, and on some a cargo box."""
    height, middle, length = 0.022 + 0.02 * chance[0], (front + rear) / 2, 0.86 * (front - rear)
    side, y = roof_half - 0.055, top + 0.022 + 0.02 * chance[0]
    count = 2 if length < 0.45 else 3
    places = [middle + length * (share - 0.5) for share in np.linspace(0.16, 0.84, count)]
    pieces = [RoundedBox(RACK, (0.0, y + BAR, at), (side + 0.02, BAR, 0.014), 0.006) for at in places]
    pieces += [RoundedBox(RACK, (side, (y + top) / 2 - 0.016, at), (0.012, height / 2 + 0.016, 0.016), 0.006) for at in places]
    if chance[1] < 0.7:
        pieces.append(RoundedBox(RACK, (side, y, middle), (BAR, BAR, length / 2), 0.007))
    if chance[2] < 0.35:
        half = (side * (0.45 + 0.35 * chance[3]), 0.05, 0.36 * length)
        pieces.append(RoundedBox(CARGO, (0.0, y + 2 * BAR + 0.046, middle), half, 0.04))
    return pieces


def _wing(half_length: float, half_width: float, belt: float, chance: np.ndarray) -> list[RoundedBox]:
    """A wing on two posts, or a lip, at the end of the deck."""
    end = 0.075 - half_length
    if chance[0] < 0.35:
        return [RoundedBox(SPOILER, (0.0, belt - 0.004, end), (0.80 * half_width, 0.026, 0.028), 0.018)]
    y, width = belt + 0.055 + 0.06 * chance[1], (0.78 + 0.2 * chance[2]) * half_width
    wing = RoundedBox(SPOILER, (0.0, y, end), (width, 0.013, 0.045 + 0.02 * chance[3]), 0.011)
    post = RoundedBox(SPOILER, (0.55 * width, (y + belt) / 2 - 0.02, end), (0.012, (y - belt) / 2 + 0.02, 0.024), 0.006)
    plate = RoundedBox(SPOILER, (width, y + 0.006, end), (0.009, 0.03, 0.055), 0.006)
    return [wing, post, plate] if chance[1] > 0.5 else [wing, post]
