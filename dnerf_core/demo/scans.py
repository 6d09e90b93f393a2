"""Simulated phone scans of labelled clouds: noise, holes, stray points, and a frame that nobody knows. Pure functions; numpy only.

Convention: clouds are y up before and, but for the tilt, after; a heading turns about +y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID
from dnerf_core.shapes import check_shapes


@dataclass(frozen=True)
class ScanOptions:
    """How bad a scan is; lengths are shares of the cloud's longest side.

    Attributes:
        noise: standard deviation of every coordinate.
        missing: share of the points that lie in holes.
        patches: number of holes.
        outliers: stray points, as a share of those that are left.
        units: the scan's unit is between these many times the cloud's, evenly in its logarithm.
        centre: how far the scan's origin is from the cloud's along each axis, at most.
        any_heading: it is turned about the up axis by any angle.
        tilt_deg: its up axis leans by so much, to any side.
    """

    noise: float = 0.005
    missing: float = 0.2
    patches: int = 4
    outliers: float = 0.02
    units: tuple[float, float] = (0.01, 100.0)
    centre: float = 5.0
    any_heading: bool = True
    tilt_deg: float = 0.0

    def __post_init__(self) -> None:
        for name, value, high in (("noise", self.noise, 1.0), ("missing", self.missing, 0.9), ("outliers", self.outliers, 1.0)):
            if not 0 <= value <= high:
                raise UsageError(f"{name}: expected a share from 0 to {high:g}, found {value}; choose another")
        if self.patches < 1 or not 0 < self.units[0] <= self.units[1] or not 0 <= self.tilt_deg <= 90:
            raise UsageError("scan: expected at least one patch, units above 0 in order and a tilt up to 90 degrees; correct it")


@dataclass(frozen=True, eq=False)
class Scan:
    """A simulated scan of M points.

    Attributes:
        points: float32 [M, 3], in the scan's own frame and unit.
        labels: uint8 [M], the exact ones; 255 of stray points.
        source: int64 [M], which of the cloud's points each was; -1 of stray points.
    """

    points: NDArray[np.float32]
    labels: NDArray[np.uint8]
    source: NDArray[np.int64]


def simulated_scan(
    points: NDArray[np.floating], labels: NDArray[np.uint8], chance: np.random.Generator, options: ScanOptions | None = None
) -> Scan:
    """A scan of a cloud, its points in random order.

    Args:
        points: [N, 3], y up.
        labels: of each point.
        chance: where all that is random comes from.
    """
    check_shapes(points=(points, "float N 3"), labels=(labels, "uint8 N"))
    options = options or ScanOptions()
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    size = float((high - low).max()) or 1.0
    place = (points - (low + high) / 2) / size
    source = np.flatnonzero(~in_holes(place, options, chance))
    place = place[source] + options.noise * chance.normal(size=(len(source), 3))
    strays = round(options.outliers * len(source))
    box = (high - low) / size
    place = np.concatenate([place, 1.5 * box * chance.uniform(-0.5, 0.5, (strays, 3))])
    source = np.concatenate([source, np.full(strays, -1)])
    order = chance.permutation(len(place))
    place, source = place[order], source[order]
    found = np.where(source < 0, np.uint8(IGNORE_ID), labels[np.maximum(source, 0)])
    return Scan(_in_a_frame(place, options, chance).astype(np.float32), found, source)


def in_holes(points: NDArray[np.floating], options: ScanOptions, chance: np.random.Generator) -> NDArray[np.bool_]:
    """Which points lie in holes: bool [N]. Each hole takes the points nearest to one of those that are left, all the same number."""
    gone = np.zeros(len(points), bool)
    goal = round(options.missing * len(points))
    for patch in range(options.patches):
        count = round(goal * (patch + 1) / options.patches) - round(goal * patch / options.patches)
        left = np.flatnonzero(~gone)
        if not count or len(left) <= count:
            continue
        centre = points[chance.choice(left)]
        distance = ((points[left] - centre) ** 2).sum(axis=1)
        gone[left[np.argpartition(distance, count - 1)[:count]]] = True
    return gone


def _in_a_frame(place: NDArray[np.float64], options: ScanOptions, chance: np.random.Generator) -> NDArray[np.float64]:
    """Points of a cloud of size 1 turned, tilted, moved and scaled as the options say."""
    heading = chance.uniform(0, 2 * math.pi) if options.any_heading else 0.0
    lean = chance.uniform(0, 2 * math.pi)
    tilt = about_level_axis(lean, math.radians(options.tilt_deg))
    unit = math.exp(chance.uniform(*np.log(options.units)))
    moved = place @ (tilt @ about_up(heading)).T + options.centre * chance.uniform(-1, 1, 3)
    return moved * unit


def about_up(angle_rad: float) -> NDArray[np.float64]:
    """The rotation float64 [3, 3] about +y; a quarter turn takes +z to +x."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def about_level_axis(heading_rad: float, angle_rad: float) -> NDArray[np.float64]:
    """The rotation float64 [3, 3] by an angle about the axis that +z becomes by a turn about +y."""
    turn = about_up(heading_rad)
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return turn @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ turn.T
