"""The connected pieces of a region of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def connected_pieces(region: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The pieces bool [H, W] of a region [H, W], by their first pixels row by row; pixels that touch at a corner are connected.

    Runs of each row are joined with those of the row above that they touch (union of disjoint sets).
    """
    height, width = region.shape
    edges = np.diff(np.pad(region, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, firsts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    starts = np.searchsorted(rows, np.arange(height + 1)).tolist()
    first, end = firsts.tolist(), ends.tolist()
    for row in range(1, height):
        above, run = starts[row - 1], starts[row]
        while above < starts[row] and run < starts[row + 1]:
            if first[above] <= end[run] and first[run] <= end[above]:
                low, high = sorted((root(above), root(run)))
                parents[high] = low
            if end[above] < end[run]:
                above += 1
            else:
                run += 1
    pieces: dict[int, NDArray[np.bool_]] = {}
    for run in range(len(rows)):
        piece = pieces.setdefault(root(run), np.zeros((height, width), np.bool_))
        piece[rows[run], first[run] : end[run]] = True
    return list(pieces.values())
