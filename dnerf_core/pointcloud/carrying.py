"""A cloud's points where a map of space takes them, with the normals that go along (numpy only)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .cloud import PointCloud

NORMAL_LENGTH = 1e-3
"""How far along its normal a point is carried beside its own, to know how the normal turns; of the cloud's extent."""

Carry = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Points [N, 3] to where they go, [N, 3]."""


def carried_cloud(cloud: PointCloud, carry: Carry) -> PointCloud:
    """A cloud in the frame that `carry` goes to; colours, labels and confidence stay with the points."""
    step = NORMAL_LENGTH * max(float(np.ptp(cloud.points, axis=0).max()), 1e-6)
    both = carry(np.concatenate([cloud.points, cloud.points + np.float32(step) * cloud.normals]))
    points, tips = both[: len(cloud)], both[len(cloud) :]
    along = tips.astype(np.float64) - points
    normals = (along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return dataclasses.replace(cloud, points=points, normals=normals)
