"""The numbers of the harder world's cars by body style, and how a seed draws them.

Each style is a table of ranges, inside and outside of those that `demo-cars` was trained on (`car_parameters.RANGES`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch

from dnerf_core.demo.car_parameters import CarParameters
from dnerf_core.demo.car_shape import CABIN_ROUNDING

LEAST_ROOF = 0.20
"""Shortest roof, world units: runs of windshield and rear window that leave less are scaled down."""
ARCH_ROOM = 0.02
"""What stays between the top of a wheel and the sheet metal over the axle, world units."""

COMMON: dict[str, tuple[float, float]] = {
    "length": (1.26, 1.66),
    "width": (0.55, 0.72),
    "body_height": (0.17, 0.25),
    "cabin_height": (0.15, 0.25),
    "clearance": (0.06, 0.12),
    "hood_share": (0.18, 0.31),
    "hood_drop": (0.05, 0.40),
    "windshield_run": (0.09, 0.28),
    "rear_window_run": (0.04, 0.30),
    "deck_share": (0.03, 0.20),
    "tumblehome_slope": (0.10, 0.46),
    "wheel_share": (0.36, 0.455),
    "wheelbase_share": (0.55, 0.66),
    "taper_slope": (0.06, 0.42),
    "trim_height": (0.0, 0.12),
    "chroma_red": (-2.6, 2.6),
    "chroma_green_blue": (-2.6, 2.6),
    "brightness": (-1.8, 2.2),
    "glass_brightness": (0.03, 0.42),
    "rim_brightness": (0.10, 0.95),
}
"""Of every style, where it has no ranges of its own; units as `car_parameters.RANGES`."""


@dataclass(frozen=True)
class Style:
    """A body style.

    Attributes:
        ranges: what is otherwise than in `COMMON`.
        racks: how likely a roof rack is.
        deck_spoilers, roof_spoilers: how likely a spoiler behind the deck and at the roof's end is.
    """

    name: str
    ranges: dict[str, tuple[float, float]]
    racks: float
    deck_spoilers: float = 0.0
    roof_spoilers: float = 0.0


STYLES = (
    Style("saloon", {"deck_share": (0.12, 0.22), "rear_window_run": (0.14, 0.30)}, 0.25, deck_spoilers=0.4),
    Style(
        "coupe",
        {
            "cabin_height": (0.13, 0.17),
            "body_height": (0.16, 0.20),
            "clearance": (0.05, 0.07),
            "hood_share": (0.27, 0.36),
            "windshield_run": (0.20, 0.32),
            "rear_window_run": (0.26, 0.42),
            "deck_share": (0.06, 0.14),
            "tumblehome_slope": (0.34, 0.52),
            "width": (0.64, 0.76),
        },
        0.05,
        deck_spoilers=0.75,
    ),
    Style(
        "hatchback",
        {
            "length": (1.06, 1.34),
            "cabin_height": (0.19, 0.27),
            "deck_share": (0.0, 0.04),
            "rear_window_run": (0.04, 0.16),
            "hood_share": (0.15, 0.24),
        },
        0.35,
        roof_spoilers=0.5,
    ),
    Style(
        "estate",
        {
            "length": (1.48, 1.68),
            "deck_share": (0.0, 0.03),
            "rear_window_run": (0.05, 0.18),
            "windshield_run": (0.12, 0.24),
        },
        0.7,
        roof_spoilers=0.25,
    ),
    Style(
        "off-road",
        {
            "clearance": (0.12, 0.18),
            "body_height": (0.22, 0.28),
            "cabin_height": (0.21, 0.28),
            "deck_share": (0.0, 0.04),
            "rear_window_run": (0.02, 0.08),
            "windshield_run": (0.06, 0.15),
            "hood_drop": (0.02, 0.14),
            "wheel_share": (0.38, 0.46),
            "trim_height": (0.06, 0.14),
            "tumblehome_slope": (0.04, 0.22),
            "width": (0.64, 0.76),
        },
        0.65,
        roof_spoilers=0.25,
    ),
    Style(
        "van",
        {
            "cabin_height": (0.27, 0.36),
            "body_height": (0.22, 0.27),
            "hood_share": (0.09, 0.16),
            "hood_drop": (0.24, 0.44),
            "windshield_run": (0.14, 0.26),
            "rear_window_run": (0.01, 0.05),
            "deck_share": (0.0, 0.02),
            "tumblehome_slope": (0.04, 0.16),
            "taper_slope": (0.04, 0.14),
        },
        0.4,
        roof_spoilers=0.15,
    ),
    Style(
        "pickup",
        {
            "length": (1.52, 1.68),
            "deck_share": (0.30, 0.40),
            "rear_window_run": (0.01, 0.06),
            "clearance": (0.10, 0.16),
            "body_height": (0.21, 0.26),
            "hood_drop": (0.03, 0.16),
            "hood_share": (0.22, 0.30),
            "wheelbase_share": (0.58, 0.66),
        },
        0.3,
    ),
)


def draw_style(rng: np.random.Generator) -> Style:
    """One of the styles, all alike likely."""
    return STYLES[int(rng.integers(len(STYLES)))]


def draw_parameters(style: Style, rng: np.random.Generator) -> CarParameters:
    """The numbers of one car of a style, columns `[1, 1]`; runs of glass and wheels that would leave no room are cut back."""
    ranges = COMMON | style.ranges
    share = rng.random(len(ranges))
    value = {
        field.name: ranges[field.name][0] + (ranges[field.name][1] - ranges[field.name][0]) * float(share[index])
        for index, field in enumerate(fields(CarParameters))
    }
    cabin = value["length"] * (1 - value["hood_share"] - value["deck_share"]) - 2 * CABIN_ROUNDING
    runs = value["windshield_run"] + value["rear_window_run"]
    fit = min(1.0, max(0.0, cabin - LEAST_ROOF) / runs)
    value["windshield_run"], value["rear_window_run"] = value["windshield_run"] * fit, value["rear_window_run"] * fit
    value["wheel_share"] = min(value["wheel_share"], 0.5 - ARCH_ROOM / _room_over_axle(value))
    return CarParameters(**{name: torch.tensor([[number]], dtype=torch.float32) for name, number in value.items()})


def _room_over_axle(value: dict[str, float]) -> float:
    """How high the sheet metal stands over the axle's front half, as `car_shape.car_shape` measures it, without its roundings."""
    past_cowl = value["length"] * (value["wheelbase_share"] / 2 - 0.5 + value["hood_share"]) + 0.07
    slope = value["hood_drop"] * value["body_height"] / (value["hood_share"] * value["length"] - 0.065)
    return value["clearance"] + value["body_height"] - slope * max(0.0, past_cowl)
