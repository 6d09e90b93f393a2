"""The nearest points of a cloud to any places, by NVIDIA Warp's hash grids on the CPU. Importing this imports warp and torch."""

# mypy: disable-error-code="valid-type, no-untyped-def"

import threading

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.mesh.warp_started import warp as wp
from dnerf_core.shapes import check_shapes

_ONE_AT_A_TIME = threading.Lock()
_CELLS = 128
"""A side of the table that cells are dealt out to; other cells of the same entry are told apart by distance."""
_WIDER = 3.0
"""How much larger the cells are in which the queries are sought again that found too few points near them."""


@wp.kernel
def _nearest(
    grid: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    queries: wp.array(dtype=wp.vec3),
    radius: float,
    count: int,
    distance: wp.array2d(dtype=wp.float32),
    index: wp.array2d(dtype=wp.int32),
):
    i = wp.tid()
    place = queries[i]
    found = wp.hash_grid_query(grid, place, radius)
    j = int(0)  # noqa: RUF046, UP018 (a variable of a kernel, not a constant)
    while wp.hash_grid_query_next(found, j):
        d = wp.length(points[j] - place)
        if d <= radius and d < distance[i, count - 1]:
            k = count - 1
            while k > 0 and distance[i, wp.max(k - 1, 0)] > d:
                distance[i, k] = distance[i, k - 1]
                index[i, k] = index[i, k - 1]
                k -= 1
            distance[i, k] = d
            index[i, k] = j


def nearest(
    points: NDArray[np.floating], queries: NDArray[np.floating], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The `count` points of a cloud that are nearest to each of M places, the nearest first.

    Args:
        points: [N, 3] finite, N at least `count`.
        queries: [M, 3] finite, of the same frame.

    Returns:
        Distances float32 [M, count] in the points' unit, and indices int64 [M, count].

    Raises:
        UsageError: fewer points than that.
    """
    check_shapes(points=(points, "float N 3"), queries=(queries, "float M 3"))
    if len(points) < count:
        raise UsageError(f"neighbours: expected at least {count} points, found {len(points)}; ask for fewer")
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    size = max(float((high - low).max()), float(np.finfo(np.float64).tiny))
    # about the middle and of size 1, so that float32 tells places of a survey's coordinates apart
    ours, theirs = (((array - (low + high) / 2) / size).astype(np.float32) for array in (points, queries))
    distance = np.full((len(queries), count), np.inf, np.float32)
    index = np.zeros((len(queries), count), np.int32)
    left = np.arange(len(queries))
    radius = 1.5 * float(np.sqrt(count / len(points)))  # of a surface about as large as the box's side squared
    with _ONE_AT_A_TIME:
        places = wp.array(ours, dtype=wp.vec3, device="cpu")
        while len(left):
            grid = wp.HashGrid(_CELLS, _CELLS, _CELLS, device="cpu")
            grid.build(places, radius)
            found = wp.array(np.full((len(left), count), np.inf, np.float32), dtype=wp.float32, device="cpu")
            which = wp.array(np.zeros((len(left), count), np.int32), dtype=wp.int32, device="cpu")
            asking = wp.array(theirs[left], dtype=wp.vec3, device="cpu")
            wp.launch(_nearest, len(left), inputs=[grid.id, places, asking, radius, count, found, which], device="cpu")
            distance[left], index[left] = found.numpy(), which.numpy()
            left = left[~np.isfinite(distance[left, -1])]
            radius *= _WIDER
    return distance * np.float32(size), index.astype(np.int64)


def stray(points: NDArray[np.floating], neighbours: int = 8, times: float = 3.0) -> NDArray[np.bool_]:
    """Which points stray: the mean distance to their neighbours is more than `times` the median of all points' means. bool [N].

    Args:
        points: [N, 3] finite; of fewer than `neighbours` + 2 points none strays.
    """
    if len(points) < neighbours + 2:
        return np.zeros(len(points), bool)
    own = nearest(points, points, neighbours + 1)[0][:, 1:].mean(axis=1)  # the first one is the point itself
    return own > times * max(float(np.median(own)), float(np.finfo(np.float32).tiny))
