"""Poses by what a body does, from standing with hanging arms: how such rotations become a pose of the rig.

Convention: a rotation of a joint is told in the body's own axes when it stands, x to its left, y up, z forward, relative to the
parent. The rig's rest pose is another one (arms and legs spread, elbows bent); both are joined here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dnerf_core.demo.people.rig import rig

CANONICAL_SHIFT = (0.0, -0.063, -0.056)
"""Translation of the canonical pose, metres: the middle of the mean body's bounding box comes to the origin."""

_LIMBS = (("UpLeg", "Leg", "Foot"), ("Arm", "ForeArm", "Hand"))


def matrix_from_vector(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices [..., 3, 3] of axis-angle vectors [..., 3], radians."""
    angle = np.linalg.norm(rotation, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(rotation, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    # sin(a) / a and (1 - cos(a)) / a^2, smooth at 0
    sine, versine = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + sine * cross + versine * (cross @ cross)


def vector_from_matrix(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axis-angle vectors [..., 3], at most pi long, of rotation matrices [..., 3, 3]."""
    w = 0.5 * np.sqrt(np.maximum(0.0, 1 + np.trace(rotation, axis1=-2, axis2=-1)))
    # the column of the quaternion's outer product with the largest diagonal is well conditioned everywhere
    r = rotation
    skew = np.stack([r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], axis=-1)
    outer = 0.25 * (r + np.swapaxes(r, -1, -2) + np.eye(3) * (1 - np.trace(r, axis1=-2, axis2=-1))[..., None, None])
    full = np.zeros((*w.shape, 4, 4))
    full[..., 0, 0], full[..., 0, 1:], full[..., 1:, 0], full[..., 1:, 1:] = w * w, skew / 4, skew / 4, outer
    best = np.argmax(np.diagonal(full, axis1=-2, axis2=-1), axis=-1)
    quaternion = np.take_along_axis(full, best[..., None, None], axis=-1)[..., 0]
    quaternion /= np.linalg.norm(quaternion, axis=-1, keepdims=True)
    quaternion *= np.where(quaternion[..., :1] < 0, -1.0, 1.0)
    length = np.linalg.norm(quaternion[..., 1:], axis=-1)
    angle = 2 * np.arctan2(length, quaternion[..., 0])
    return quaternion[..., 1:] * (angle / np.maximum(length, 1e-12))[..., None]


def turn(axis: str, degrees: float) -> NDArray[np.float64]:
    """Rotation matrix [3, 3] about an axis "x", "y" or "z"."""
    vector = np.zeros(3)
    vector["xyz".index(axis)] = np.deg2rad(degrees)
    return matrix_from_vector(vector)


def _between(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation that turns one direction into another."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    length = float(np.linalg.norm(axis))
    angle = float(np.arctan2(length, start @ end))
    return matrix_from_vector(axis * (angle / max(length, 1e-12)))


@functools.cache
def _alignments() -> NDArray[np.float64]:
    """Rotations [K, 3, 3] that turn each bone from the rig's rest into standing with arms and legs straight down."""
    body, down = rig(), np.array([0.0, -1.0, 0.0])
    joints, result = body.joints.astype(np.float64), np.tile(np.eye(3), (len(body.names), 1, 1))
    for side in ("Left", "Right"):
        for limb in _LIMBS:
            first, second, last = (body.joint(side + name) for name in limb)
            result[first] = _between(joints[second] - joints[first], down)
            result[second] = _between(result[first] @ (joints[last] - joints[second]), down) @ result[first]
            if limb[-1] == "Hand":
                for joint in range(len(body.names)):
                    if joint == last or body.parents[joint] in (last, body.joint(f"{side}FingerBase")):
                        result[joint] = result[second]
    return result


def pose_from_standing(rotations: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
    """A pose float32 [K + 1, 3] of the rig, as `gnarf.body.template.Template` has it; its translation is 0.

    Args:
        rotations: of some joints, matrices [3, 3] relative to standing; the others keep still.
    """
    body, aligned = rig(), _alignments()
    local = np.empty((len(body.names), 3, 3))
    for joint, (name, parent) in enumerate(zip(body.names, body.parents, strict=True)):
        above = aligned[parent] if parent >= 0 else np.eye(3)
        local[joint] = above.T @ rotations.get(name, np.eye(3)) @ aligned[joint]
    pose = np.zeros((len(body.names) + 1, 3), np.float32)
    pose[:-1] = vector_from_matrix(local)
    return pose


@functools.cache
def canonical_pose() -> NDArray[np.float32]:
    """The pose in which the planes are laid out: arms and legs spread, nearly flat in z, so that no part lies before another."""
    rotations = {}
    for side, sign in (("Left", 1), ("Right", -1)):
        rotations[f"{side}UpLeg"] = turn("z", sign * 14)
        rotations[f"{side}Foot"] = turn("z", -sign * 8)
        rotations[f"{side}Arm"] = turn("z", sign * 45)
        rotations[f"{side}ForeArm"] = turn("x", -8)
    pose = pose_from_standing(rotations)
    pose[-1] = CANONICAL_SHIFT
    pose.setflags(write=False)
    return pose
