"""What makes a picture a photograph, as data: one frozen set of strengths, drawn by a seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from dnerf_core.errors import UsageError, brief

Background = Literal["white", "gradient", "clutter", "room", "street", "park"]
Level = Literal["none", "mild", "hard"]
BACKGROUNDS: tuple[Background, ...] = get_args(Background)
LEVELS: tuple[Level, ...] = get_args(Level)
_KEY = 180631
"""Keeps this chance apart from that of every other use of a seed."""


@dataclass(frozen=True)
class Strengths:
    """What one picture goes through; lengths are shares of its side, so that a picture of any size looks the same.

    The defaults leave a picture as it is.

    Attributes:
        seed: what backgrounds and noise are drawn from.
        background: what is behind the subject.
        background_blur: standard deviation of a Gaussian over the background alone.
        shadow: how dark the subject's shadow on the ground is, 0 none to 1.
        relight: 0 leaves the picture's own light, 1 replaces it by the one that `light_yaw_deg` and `light_pitch_deg` tell.
        light_yaw_deg: where light comes from, from behind the camera (0) round to the right.
        light_pitch_deg: its height above the horizon.
        contrast: how much brighter what faces the light is than what does not.
        warmth: colour temperature, above 0 warmer: red is multiplied by exp(warmth), blue divided by it.
        exposure_ev: stops of light.
        vignette: how much darker corners are, 0 to 1.
        defocus: radius of the lens's blur over all, a disc.
        motion, motion_deg: length of the blur of a moving camera, and its direction.
        noise: standard deviation at mid gray, of values 0 to 1; dark pixels have less, as photons arrive.
        grain_px: size of the noise's grains, pixels.
        jpeg_quality: of Pillow's encoder, 1 to 95; None: not encoded.

    Raises:
        UsageError: a value out of its range.
    """

    seed: int = 0
    background: Background = "white"
    background_blur: float = 0.0
    shadow: float = 0.0
    relight: float = 0.0
    light_yaw_deg: float = 0.0
    light_pitch_deg: float = 50.0
    contrast: float = 0.3
    warmth: float = 0.0
    exposure_ev: float = 0.0
    vignette: float = 0.0
    defocus: float = 0.0
    motion: float = 0.0
    motion_deg: float = 0.0
    noise: float = 0.0
    grain_px: float = 1.0
    jpeg_quality: int | None = None

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise UsageError(f"background: expected one of {', '.join(BACKGROUNDS)}, found {brief(self.background)}; choose one")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name}: expected a number from {low:g} to {high:g}, found {brief(value)}; choose another")


RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63),
    "background_blur": (0, 0.2),
    "shadow": (0, 1),
    "relight": (0, 1),
    "light_yaw_deg": (-360, 360),
    "light_pitch_deg": (5, 90),
    "contrast": (0, 0.9),
    "warmth": (-0.6, 0.6),
    "exposure_ev": (-3, 3),
    "vignette": (0, 1),
    "defocus": (0, 0.05),
    "motion": (0, 0.2),
    "motion_deg": (-360, 360),
    "noise": (0, 0.5),
    "grain_px": (1, 8),
    "jpeg_quality": (1, 95),
}


def draw_strengths(level: Level, seed: int, view: int) -> Strengths | None:
    """The strengths of one view, a function of (level, seed, view) alone; None of the level "none".

    "mild" is a good camera in good light before a plain or unsharp background; "hard" a phone in any light, near any street, room or park,
    now and then shaken or out of focus.

    Raises:
        UsageError: no such level.
    """
    if level not in LEVELS:
        raise UsageError(f"photograph: expected {', '.join(LEVELS[:-1])} or {LEVELS[-1]}, found {brief(level)}; choose one")
    if level == "none":
        return None
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((_KEY, LEVELS.index(level), seed, view))))
    chance, own = rng.random(16), int(rng.integers(2**62))
    hard = level == "hard"
    kinds: tuple[Background, ...] = ("clutter", "room", "street", "park") if hard else ("gradient", "room", "street", "park")
    shares = (0.22, 0.44, 0.78) if hard else (0.3, 0.55, 0.8)
    drawn = Strengths(
        seed=own,
        background=kinds[int(np.searchsorted(shares, chance[0], side="right"))],
        background_blur=(0.006 if hard else 0.012) * chance[1],
        shadow=0.5 + 0.45 * chance[2],
        relight=0.5 + 0.5 * chance[3] if hard else 0.4 * chance[3],
        light_yaw_deg=-180 + 360 * chance[4],
        light_pitch_deg=22 + 48 * chance[5],
        contrast=0.25 + (0.5 if hard else 0.2) * chance[6],
        warmth=(0.22 if hard else 0.08) * (2 * chance[7] - 1),
        exposure_ev=(0.8 if hard else 0.25) * (2 * chance[8] - 1),
        vignette=(0.45 if hard else 0.2) * chance[9],
        defocus=(0.006 * max(0.0, chance[10] - 0.55) / 0.45) if hard else 0.002 * chance[10],
        motion=0.024 * max(0.0, chance[11] - 0.7) / 0.3 if hard else 0.0,
        motion_deg=180 * chance[12],
        noise=(0.01 + 0.035 * chance[13] ** 2) if hard else 0.004 + 0.008 * chance[13],
        grain_px=1.0 + (1.2 * chance[14] if hard else 0.0),
        jpeg_quality=int(28 + 55 * chance[15]) if hard else int(80 + 15 * chance[15]),
    )
    return dataclasses.replace(drawn, background_blur=drawn.background_blur + (0.004 if hard else 0.002))
