"""Backdrops that are no place: a soft gradient, as in a studio, and a clutter of textured shapes."""

from __future__ import annotations

import math

import numpy as np

from dnerf_core.photographs.backgrounds.textures import PATTERNS, FloatArray, Material, fractal
from dnerf_core.photographs.vectors import dot, turned


def _places(size_px: tuple[int, int]) -> FloatArray:
    """Pixel centres [H * W, 2] as shares of the width, y up."""
    width, height = size_px
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([(x + 0.5) / width, (height - y - 0.5) / width], axis=-1).reshape(-1, 2)


def gradient(rng: np.random.Generator, size_px: tuple[int, int]) -> FloatArray:
    """From one soft colour to another across the picture, a little cloudy; float32 [H, W, 3]."""
    width, height = size_px
    place = _places(size_px)
    angle = 2 * math.pi * rng.random()
    along = dot(place - 0.5, (math.cos(angle), math.sin(angle))) + 0.5
    share = np.clip(along + 0.25 * (fractal(place * 2.5, int(rng.integers(2**20)), 3) - 0.5), 0, 1)[:, None]
    base = rng.random(3) * 0.35 + (0.55 if rng.random() < 0.7 else 0.1)
    other = np.clip(base * rng.uniform(0.45, 1.25) + rng.normal(0, 0.08, 3), 0, 1)
    return (base * (1 - share) + other * share).astype(np.float32).reshape(height, width, 3)


def clutter(rng: np.random.Generator, size_px: tuple[int, int]) -> FloatArray:
    """Textured patches of all sizes over each other: edges and colours everywhere; float32 [H, W, 3]."""
    width, height = size_px
    place = _places(size_px)
    seen = _any_material(rng).colors(place * 5)
    for number in range(int(rng.integers(14, 34))):
        middle, size = rng.random(2) * np.array([1, height / width]), (0.45 - 0.3 * min(1.0, number / 20)) * (0.3 + rng.random())
        angle, stretch = math.pi * rng.random(), 0.3 + 0.7 * rng.random()
        cosine, sine = math.cos(angle), math.sin(angle)
        own = turned(place - middle.astype(np.float32), ((cosine, sine), (-sine, cosine)))
        reach = np.abs(own) / np.array([size, size * stretch], np.float32) * 2
        inside = reach.max(axis=1) < 1 if rng.random() < 0.6 else (reach**2).sum(axis=1) < 1
        shade = 1 - 0.35 * rng.random() * (own[inside, 1:2] / size + 0.5)
        seen[inside] = np.clip(_any_material(rng).colors(own[inside] * 5) * shade, 0, 1)
    return seen.astype(np.float32).reshape(height, width, 3)


def _any_material(rng: np.random.Generator) -> Material:
    names = [name for name in PATTERNS if name != "windows"]
    first, second = rng.random(3) * 0.9, rng.random(3) * 0.9
    return Material(
        names[int(rng.integers(len(names)))],
        (float(first[0]), float(first[1]), float(first[2])),
        (float(second[0]), float(second[1]), float(second[2])),
        0.4 + 1.6 * rng.random(),
        int(rng.integers(2**20)),
    )
