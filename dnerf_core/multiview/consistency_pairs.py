"""Which views of an object are compared with which, and how far apart they look at it. Nothing here touches a disk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ANGLE_EDGES_DEG = (0, 5, 15, 30, 60, 180)
"""Pairs are reported by the angle between the directions from which they see the object's middle: from an edge to below the next."""

MAX_COMPARED_VIEWS = 64
"""Views of one object that are compared, all with all; of more, half are spread evenly and half are those next to them."""


def directions_from(middle: NDArray[np.floating], positions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Unit vectors [V, 3] from an object's middle [3] to cameras at `positions` [V, 3], world frame; 0 for one in the middle."""
    away = np.asarray(positions, dtype=np.float64) - middle
    length = np.linalg.norm(away, axis=1, keepdims=True)
    return np.divide(away, length, out=np.zeros_like(away), where=length > 0)


def compared_views(directions: NDArray[np.floating]) -> list[int]:
    """The views of an object that are compared, in their order: all of up to `MAX_COMPARED_VIEWS`.

    Of more, `MAX_COMPARED_VIEWS` / 2 evenly spread over the order, the first and the last among them, and of each of these the view whose
    direction is nearest to its own (the first of several as near); so there are pairs of neighbours among them, and of opposites.

    Args:
        directions: unit vectors [V, 3], see `directions_from`.
    """
    count = len(directions)
    if count <= MAX_COMPARED_VIEWS:
        return list(range(count))
    spread = np.rint(np.linspace(0, count - 1, MAX_COMPARED_VIEWS // 2)).astype(int).tolist()
    nearest = []
    for view in spread:
        cosine = directions @ directions[view]
        cosine[view] = -np.inf
        nearest.append(int(cosine.argmax()))
    return sorted({*spread, *nearest})


def angle_bin(directions: NDArray[np.floating], first: int, second: int) -> int:
    """Which of the ranges of `ANGLE_EDGES_DEG` the angle between two views is in."""
    cosine = float(np.clip(directions[first] @ directions[second], -1.0, 1.0))
    edges = np.cos(np.radians(ANGLE_EDGES_DEG[1:-1]))
    return int((cosine <= edges).sum())
