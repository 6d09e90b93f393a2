"""A rigged mesh as a file has it: vertices as they come, weights, joints; what `building` makes a template of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import TemplateError

MAX_WEIGHTS = 2**27
"""Of a rig: vertices times joints, 1 GiB as float64."""


@dataclass(frozen=True, eq=False)
class Rig:
    """V vertices held by K joints, in the pose in which they were bound; lengths and axes are the file's.

    Attributes:
        vertices: float64 [V, 3].
        faces: int64 [F, 3], counterclockwise seen from outside.
        joints: float64 [K, 3].
        parents: int32 [K], -1 for the root, which comes first; parents come before their children.
        weights: float64 [V, K], rows add up to 1.
        names: K joint names, each once.
        materials: names of the faces' materials.
        face_materials: int64 [F], index into `materials`.
        licence, source: as `Template` has them.
        remarks: what a user should know, a sentence each.
        shape_vertices, shape_joints: float64 [S, V, 3] and [S, K, 3], as `Template` has them.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    joints: NDArray[np.float64]
    parents: NDArray[np.int32]
    weights: NDArray[np.float64]
    names: tuple[str, ...]
    materials: tuple[str, ...] = ()
    face_materials: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    licence: str = ""
    source: str = ""
    remarks: tuple[str, ...] = ()
    shape_vertices: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 3)))
    shape_joints: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 3)))


@dataclass(frozen=True, eq=False)
class Tree:
    """Joints in an order in which parents come first: where each was before, and its parent in the new order.

    `order` may begin with -1: a root of our own, which joins trees that a file keeps apart.
    """

    order: list[int]
    parents: NDArray[np.int32]


def single_tree(parents: Sequence[int]) -> Tree:
    """One tree of joints whose parents come in any order, -1 for a root; several roots grow from one of our own. A circle is cut open."""
    parents = list(parents)
    for joint in range(len(parents)):
        above, steps = parents[joint], 0
        while above not in (-1, joint) and steps <= len(parents):
            above, steps = parents[above], steps + 1
        if above == joint:
            parents[joint] = -1
    children: dict[int, list[int]] = {}
    for joint, parent in enumerate(parents):
        children.setdefault(parent, []).append(joint)
    roots = children.get(-1, [])
    order: list[int] = []
    new_parents: list[int] = []
    if len(roots) > 1:
        order.append(-1)
        new_parents.append(-1)
    pending = [(root, len(order) - 1) for root in reversed(roots)]
    while pending:
        joint, place = pending.pop()
        order.append(joint)
        new_parents.append(place)
        pending += [(child, len(order) - 1) for child in reversed(children.get(joint, []))]
    return Tree(order, np.array(new_parents, np.int32))


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, cut to 200 characters, with a number behind those that come again; empty ones become `joint`."""
    seen: set[str] = set()
    found: list[str] = []
    for name in names:
        bare = name[:190] or "joint"
        other, number = bare, 1
        while other in seen:
            number += 1
            other = f"{bare}.{number}"
        seen.add(other)
        found.append(other)
    return tuple(found)


def dense_weights(joint_indices: NDArray[np.int64], values: NDArray[np.float64], joints: int, where: str) -> NDArray[np.float64]:
    """Weights [V, K] of the influences [V, N] of each vertex, their rows added up to 1; a vertex without any follows the first joint.

    Raises:
        TemplateError: negative or infinite weights, joints that there are not, or too many.
    """
    vertices = len(values)
    if vertices * joints > MAX_WEIGHTS:
        raise TemplateError(
            f"{where}: expected at most {MAX_WEIGHTS} vertices times joints, found {vertices} times {joints}; decimate the mesh first"
        )
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1e6).all()):
        raise TemplateError(f"{where}: expected weights of at least 0, found negative or infinite ones; export the mesh again")
    used = values > 0
    if (joint_indices[used] < 0).any() or (joint_indices[used] >= joints).any():
        raise TemplateError(f"{where}: expected weights of {joints} joints, found others; export the mesh again")
    weights = np.zeros((vertices, joints))
    np.add.at(weights, (np.broadcast_to(np.arange(vertices)[:, None], values.shape)[used], joint_indices[used]), values[used])
    total = weights.sum(axis=1, keepdims=True)
    weights[total[:, 0] <= 0, 0] = 1.0
    return weights / np.where(total > 0, total, 1.0)
