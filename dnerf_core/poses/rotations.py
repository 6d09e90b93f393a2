"""Rotations as unit quaternions (w, x, y, z), float64 arrays [..., 4]: products, axis-angles, matrices, interpolation.

A quaternion turns column vectors as its matrix does: `product(a, b)` first turns by b, then by a.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

IDENTITY: Array = np.array([1.0, 0.0, 0.0, 0.0])
_TINY = 1e-12


def product(first: Array, second: Array) -> Array:
    """The quaternion of the rotation by `second`, followed by `first`; both [..., 4]."""
    a, b, c, d = np.moveaxis(first, -1, 0)
    e, f, g, h = np.moveaxis(second, -1, 0)
    parts = (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )
    return np.stack(parts, axis=-1)


def inverse(quaternions: Array) -> Array:
    """The opposite rotations of unit quaternions [..., 4]."""
    return quaternions * np.array([1.0, -1.0, -1.0, -1.0])


def normalised(quaternions: Array) -> Array:
    """Quaternions [..., 4] of length 1; those of length 0 become the identity."""
    length = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return np.where(length > _TINY, quaternions / np.maximum(length, _TINY), IDENTITY)


def turned(quaternions: Array, vectors: Array) -> Array:
    """Vectors [..., 3], turned by unit quaternions [..., 4]."""
    axis, w = quaternions[..., 1:], quaternions[..., :1]
    axis, vectors = np.broadcast_arrays(axis, vectors)
    twice = 2 * np.cross(axis, vectors)
    return vectors + w * twice + np.cross(axis, twice)


def from_axis_angle(vectors: Array) -> Array:
    """Quaternions [..., 4] of axis-angle vectors [..., 3], radians."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # sin(a/2)/a, whose limit at 0 is 1/2
    share = 0.5 * np.sinc(angle / (2 * np.pi))
    return np.concatenate([np.cos(angle / 2), share * vectors], axis=-1)


def to_axis_angle(quaternions: Array) -> Array:
    """Axis-angle vectors [..., 3], radians, of at most half a turn, of unit quaternions [..., 4]."""
    positive = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(positive[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, positive[..., :1])
    factor = np.where(sine > _TINY, angle / np.maximum(sine, _TINY), 2.0)
    return positive[..., 1:] * factor


def from_matrices(matrices: Array) -> Array:
    """Quaternions [..., 4] of rotation matrices [..., 3, 3]: of the four ways to write one, that with the largest divisor."""
    m = np.asarray(matrices, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = [
        np.stack([1 + xx + yy + zz, wx, wy, wz], axis=-1),
        np.stack([wx, 1 + xx - yy - zz, xy, xz], axis=-1),
        np.stack([wy, xy, 1 - xx + yy - zz, yz], axis=-1),
        np.stack([wz, xz, yz, 1 - xx - yy + zz], axis=-1),
    ]
    candidates = np.stack(rows, axis=-2)
    best = np.argmax(np.stack([rows[i][..., i] for i in range(4)], axis=-1), axis=-1)
    return normalised(np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :])


def to_matrices(quaternions: Array) -> Array:
    """Rotation matrices [..., 3, 3] of unit quaternions [..., 4]."""
    return np.stack([turned(quaternions, axis) for axis in np.eye(3)], axis=-1)


def slerp(first: Array, second: Array, share: Array | float) -> Array:
    """Unit quaternions [..., 4] on the shorter way from `first` (share 0) to `second` (share 1) at equal speed."""
    share = np.asarray(share, np.float64)[..., None]
    dot = np.sum(first * second, axis=-1, keepdims=True)
    second = np.where(dot < 0, -second, second)
    angle = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    sine = np.sin(angle)
    safe = np.maximum(sine, _TINY)
    is_near = sine < 1e-8  # there the straight way is the same to float64
    left = np.where(is_near, 1 - share, np.sin((1 - share) * angle) / safe)
    right = np.where(is_near, share, np.sin(share * angle) / safe)
    return normalised(left * first + right * second)


def between(start: Array, end: Array) -> Array:
    """The quaternion [4] of the smallest rotation that takes the direction of one vector [3] to another's.

    Opposite ones are half a turn about an axis across; a vector of length 0 turns nothing.
    """
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    if lengths < _TINY:
        return IDENTITY.copy()
    cosine = float(start @ end / lengths)
    if cosine < -1 + 1e-9:
        across = np.cross(start, np.eye(3)[int(np.argmin(np.abs(start)))])
        return np.array([0.0, *(across / np.linalg.norm(across))])
    return normalised(np.array([1 + cosine, *(np.cross(start, end) / lengths)]))


def best_rotation(starts: Array, ends: Array) -> Array:
    """The quaternion [4] that best turns directions [N, 3] into others, by least squares (Kabsch); not all along a line."""
    left, _, right = np.linalg.svd(ends.T @ starts)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return from_matrices((left * sign) @ right)
