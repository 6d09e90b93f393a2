"""Little clouds whose parts anyone can tell: a block that narrows to a nose, y up, +z in front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import LabelSet

LABELS = LabelSet.from_names(["top", "nose", "rest"])


def block(seed: int, count: int = 600) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Points float32 [count, 3] on a block of random proportions, and labels uint8 [count]."""
    chance = np.random.default_rng(seed)
    half = np.array([0.35, 0.25, 0.8]) * chance.uniform(0.8, 1.2, 3)
    points = chance.uniform(-1, 1, (count, 3))
    face = chance.integers(0, 3, count)
    points[np.arange(count), face] = np.sign(points[np.arange(count), face])
    points *= half
    points[:, 0] *= 1 - 0.7 * np.clip(points[:, 2] / half[2], 0, 1)
    labels = np.full(count, 3, np.uint8)
    labels[points[:, 1] >= half[1] - 1e-9] = 1
    labels[points[:, 2] > 0.6 * half[2]] = 2
    return points.astype(np.float32), labels
