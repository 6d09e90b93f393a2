"""From areas to pixels: a pixel belongs to an area when its centre does. Numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headless.annotating.importing.drawn import Area, Bitmap, Ellipse, Rings

_CROSSINGS_AT_ONCE = 2**20
"""Crossings of edges and pixel rows that are computed together: bounds the memory, whatever the outline."""


@dataclass(frozen=True, eq=False)
class Patch:
    """The pixels of an area: bool [h, w], the first of them at column `left`, row `top`, all of them within the picture."""

    left: int
    top: int
    inside: NDArray[np.bool_]

    @cached_property
    def count(self) -> int:
        """How many they are."""
        return int(self.inside.sum())

    @property
    def box(self) -> tuple[slice, slice]:
        """Where it lies in the picture [H, W]."""
        rows, columns = self.inside.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)

    def holds(self, other: Patch) -> bool:
        """Whether all pixels of `other`, whose box lies within this one's, are in it, and more than those."""
        rows, columns = other.inside.shape
        top, left = other.top - self.top, other.left - self.left
        own = self.inside[top : top + rows, left : left + columns]
        return self.count > other.count and bool(own[other.inside].all())


def patch_of(area: Area, width_px: int, height_px: int) -> Patch:
    """The pixels of an area in a picture of that size."""
    if isinstance(area, Rings):
        return rings_patch(area.rings, width_px, height_px)
    if isinstance(area, Ellipse):
        return ellipse_patch(area, width_px, height_px)
    return bitmap_patch(area, width_px, height_px)


def rings_patch(rings: Sequence[NDArray[np.float64]], width_px: int, height_px: int) -> Patch:
    """The pixels of several outlines together.

    Each is filled by the even-odd rule. One that lies wholly within another is a hole in it, one within the hole an island, and so
    on, which is the even-odd rule again; outlines that merely overlap, or are equal, are pieces of one area.
    """
    patches = [ring_patch(ring, width_px, height_px) for ring in rings]
    if len(patches) == 1:
        return patches[0]
    patches = [_trimmed(patch) for patch in patches if patch.inside.any()]
    patches.sort(key=lambda patch: -patch.count)
    inside = np.zeros((height_px, width_px), np.bool_)
    for patch in patches:
        inside[patch.box] |= patch.inside
    if int(inside.sum()) == sum(patch.count for patch in patches):
        return Patch(0, 0, inside)  # pieces apart from one another, as most are
    boxes = np.array([[side.start for side in patch.box] + [side.stop for side in patch.box] for patch in patches], np.int64)
    for index, patch in enumerate(patches):
        starts, stops = boxes[index, :2], boxes[index, 2:]
        around = np.flatnonzero(((boxes[:index, :2] <= starts) & (boxes[:index, 2:] >= stops)).all(axis=1))
        depth = sum(patches[larger].holds(patch) for larger in around)
        inside[patch.box][patch.inside] = depth % 2 == 0  # largest first: each is decided by the smallest that holds it
    return Patch(0, 0, inside)


def ring_patch(points: NDArray[np.float64], width_px: int, height_px: int) -> Patch:
    """The pixels whose centres lie within a closed outline, by the even-odd rule.

    A centre exactly on the outline counts where the inside is to its right or, on a level edge, below it: outlines that share an
    edge share no pixel and leave none out.

    Args:
        points: float64 [N, 2]; the last one is joined to the first.
    """
    x, y = points[:, 0], points[:, 1]
    left, right = _span(float(x.min()), float(x.max()), width_px)
    top, bottom = _span(float(y.min()), float(y.max()), height_px)
    toggles = np.zeros((bottom - top, right - left + 1), np.int64)
    # each edge from its upper end, so that both directions give the same bits
    upper, lower = points, np.roll(points, -1, axis=0)
    swapped = upper[:, 1] > lower[:, 1]
    upper, lower = np.where(swapped[:, None], lower, upper), np.where(swapped[:, None], upper, lower)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), top, bottom).astype(np.int64)
    counts = np.clip(np.ceil(lower[:, 1] - 0.5), top, bottom).astype(np.int64) - first
    for start, end in _groups(counts):
        taken = counts[start:end]
        edge = np.repeat(np.arange(start, end), taken)
        row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(taken) - taken, taken)
        run, rise = (lower[edge] - upper[edge]).T
        crossing = upper[edge, 0] + (row + 0.5 - upper[edge, 1]) * run / rise
        column = np.clip(np.ceil(crossing - 0.5), left, right).astype(np.int64) - left
        np.add.at(toggles, (row - top, column), 1)
    return Patch(left, top, np.cumsum(toggles, axis=1)[:, :-1] % 2 == 1)


def ellipse_patch(area: Ellipse, width_px: int, height_px: int) -> Patch:
    """The pixels whose centres lie in an ellipse or on it; none where a half axis is 0."""
    reach = max(area.radius_x, area.radius_y)
    left, right = _span(area.x - reach, math.nextafter(area.x + reach, math.inf), width_px)
    top, bottom = _span(area.y - reach, math.nextafter(area.y + reach, math.inf), height_px)
    if not area.radius_x or not area.radius_y:
        return Patch(left, top, np.zeros((bottom - top, right - left), np.bool_))
    dx = np.arange(left, right)[None, :] + 0.5 - area.x
    dy = np.arange(top, bottom)[:, None] + 0.5 - area.y
    angle = math.radians(area.rotation_deg)
    along = dx * math.cos(angle) + dy * math.sin(angle)
    across = dy * math.cos(angle) - dx * math.sin(angle)
    return Patch(left, top, (along / area.radius_x) ** 2 + (across / area.radius_y) ** 2 <= 1.0)


def bitmap_patch(area: Bitmap, width_px: int, height_px: int) -> Patch:
    """The pixels of a bitmap that lie in the picture."""
    rows, columns = area.inside.shape
    left, right = (min(max(edge, 0), width_px) for edge in (area.left, area.left + columns))
    top, bottom = (min(max(edge, 0), height_px) for edge in (area.top, area.top + rows))
    return Patch(left, top, area.inside[top - area.top : bottom - area.top, left - area.left : right - area.left])


def _span(low: float, high: float, size_px: int) -> tuple[int, int]:
    """The pixels whose centres lie in [low, high): the first, and the one after the last."""
    first, end = (math.ceil(min(max(edge - 0.5, 0), size_px)) for edge in (low, high))
    return first, max(first, end)


def _groups(counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Edges in groups (first, end) of about `_CROSSINGS_AT_ONCE` crossings."""
    group = np.cumsum(counts) // _CROSSINGS_AT_ONCE
    ends = [*(np.flatnonzero(np.diff(group)) + 1).tolist(), len(counts)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _trimmed(patch: Patch) -> Patch:
    """The same pixels, of which there are some, in the smallest box."""
    rows, columns = (np.flatnonzero(patch.inside.any(axis=axis)) for axis in (1, 0))
    inside = patch.inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Patch(patch.left + int(columns[0]), patch.top + int(rows[0]), inside)
