"""A figure of our own that stands in a T: where roles are at rest in files that do not tell it, such as poses of SMPL's joints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .roles import FINGERS, Roles
from .rotations import Array

_PLACES: dict[str, tuple[float, float, float]] = {
    "root": (0.0, -0.95, 0.0),
    "hips": (0.0, 0.0, 0.0),
    "head": (0.0, 0.64, 0.03),
    "left_hip_joint": (0.05, -0.03, 0.0),
    "left_thigh": (0.09, -0.06, 0.0),
    "left_shin": (0.09, -0.47, 0.0),
    "left_foot": (0.09, -0.87, -0.01),
    "left_toe": (0.09, -0.93, 0.13),
    "left_clavicle": (0.06, 0.44, 0.0),
    "left_upper_arm": (0.18, 0.46, 0.0),
    "left_forearm": (0.45, 0.46, 0.0),
    "left_hand": (0.70, 0.46, 0.0),
    "left_fingers_1": (0.79, 0.46, 0.0),
    "left_fingers_2": (0.83, 0.46, 0.0),
}
"""Metres from the hips, y up, facing +z, +x the body's left, of somebody of 1.7 m."""
_FINGER_DEPTHS = {"thumb": 0.04, "index": 0.02, "middle": 0.0, "ring": -0.02, "pinky": -0.04}
_SPINE = ((0.0, 0.08, 0.0), (0.0, 0.38, 0.0))
_NECK = ((0.0, 0.50, 0.0), (0.0, 0.57, 0.015))

_PARENTS = {
    "hips": "root",
    "hip_joint": "hips",
    "thigh": "hip_joint",
    "shin": "thigh",
    "foot": "shin",
    "toe": "foot",
    "upper_arm": "clavicle",
    "forearm": "upper_arm",
    "hand": "forearm",
    "fingers_1": "hand",
    "fingers_2": "fingers_1",
}


def figure_place(role: str) -> Array | None:
    """Where a role of `Roles.joint_by_role` is [3]; None: the figure has none of it."""
    if role.startswith("right_"):
        place = figure_place("left_" + role.removeprefix("right_"))
        return None if place is None else place * np.array([-1.0, 1.0, 1.0])
    if role in _PLACES:
        return np.array(_PLACES[role])
    name, _, number = role.removeprefix("left_").partition("_")
    if name in FINGERS and number.isdigit() and 1 <= int(number) <= 4:
        first = 0.73 if name == "thumb" else 0.79
        return np.array([first + 0.03 * (int(number) - 1), 0.46, _FINGER_DEPTHS[name]])
    return None


def figure_joints(roles: Roles) -> dict[int, Array]:
    """Places [3] by joint index, of all joints whose role the figure has."""
    places = {joint: place for role, joint in roles.joint_by_role.items() if (place := figure_place(role)) is not None}
    for chain, (low, high) in ((roles.spine, _SPINE), (roles.neck, _NECK)):
        for i, joint in enumerate(chain):
            share = (i + 1) / len(chain)
            places[joint] = np.array(low) + share * (np.array(high) - np.array(low))
    return places


def figure_parents(roles: Roles) -> dict[int, int]:
    """The parent's joint index, or -1, by joint index, of all joints that have a role: as bodies are built."""
    by_role = roles.joint_by_role
    hips = by_role.get("hips", by_role.get("root", -1))
    chest = roles.spine[-1] if roles.spine else hips
    parents: dict[int, int] = {}
    for chain, start in ((roles.spine, hips), (roles.neck, chest)):
        for joint in chain:
            parents[joint] = start
            start = joint  # noqa: PLW2901 - the next one grows from this
    for role, joint in by_role.items():
        parents[joint] = _parent(role, by_role, hips, chest, roles)
    return parents


def ordered(parents: dict[int, int]) -> list[int]:
    """The joint indices, parents before their children."""
    depth: dict[int, int] = {}

    def depth_of(joint: int) -> int:
        if joint not in depth:
            depth[joint] = 0 if parents[joint] < 0 else 1 + depth_of(parents[joint])
        return depth[joint]

    return sorted(parents, key=lambda joint: (depth_of(joint), joint))


def tree_of(parents: dict[int, int]) -> tuple[list[int], NDArray[np.int32]]:
    """(joint indices, parents first; their parents as places in that list)."""
    order = ordered(parents)
    place = {joint: i for i, joint in enumerate(order)}
    return order, np.array([place[parents[joint]] if parents[joint] >= 0 else -1 for joint in order], np.int32)


def _parent(role: str, by_role: dict[str, int], hips: int, chest: int, roles: Roles) -> int:
    side, _, kind = role.partition("_") if role.startswith(("left_", "right_")) else ("", "", role)
    name, _, number = kind.partition("_")
    if name in FINGERS and number.isdigit():
        before = [f"{side}_{name}_{i}" for i in range(int(number) - 1, 0, -1)]
        return next((by_role[known] for known in [*before, f"{side}_hand", f"{side}_forearm"] if known in by_role), chest)
    if role == "root" or (role == "hips" and "root" not in by_role):
        return -1
    if role == "head":
        return roles.neck[-1] if roles.neck else chest
    if kind == "clavicle":
        return chest
    while kind in _PARENTS:
        kind = _PARENTS[kind]
        above = f"{side}_{kind}" if side and kind not in ("hips", "root") else kind
        if above in by_role:
            return by_role[above]
        if kind == "clavicle":
            return chest
    return hips
