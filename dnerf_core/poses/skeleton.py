"""A skeleton: joints with names, parents and places at rest; that of a template, and that of a clip, which may tell only part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import PoseError
from .clip import PoseClip
from .figure import figure_joints, figure_parents, tree_of
from .roles import SIDES, Roles, kind_of, roles_of
from .rotations import Array


class Rigged(Protocol):
    """What has a skeleton, such as a `Template`."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def parents(self) -> NDArray[np.int32]: ...
    @property
    def joints(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Skeleton:
    """K joints: names, parents int32 [K] (-1 for the root, which comes first), and places at rest float64 [K, 3]."""

    names: tuple[str, ...]
    parents: NDArray[np.int32]
    joints: Array

    @property
    def roles(self) -> Roles:
        """What its joints are for."""
        return roles_of(self.names, self.parents)


def skeleton_of(rigged: Rigged) -> Skeleton:
    """The skeleton of a template."""
    return Skeleton(tuple(rigged.names), np.asarray(rigged.parents, np.int32), np.asarray(rigged.joints, np.float64))


def completed(clip: PoseClip, target: Skeleton) -> tuple[PoseClip, Skeleton]:
    """A clip whose tree and rest pose are known, and its skeleton.

    What a clip does not tell comes from the target's own skeleton where all its names are the target's, else from `figure`, a T pose;
    joints that neither knows are left out.

    Raises:
        PoseError: nothing of the clip is known.
    """
    if clip.parents is not None and clip.rest_joints is not None:
        return clip, Skeleton(clip.names, clip.parents, clip.rest_joints)
    if set(clip.names) <= set(target.names):
        return _on_target(clip, target)
    roles = roles_of(clip.names, clip.parents)
    places = figure_joints(roles)
    if not places:
        raise PoseError(
            f"{clip.source}: expected joint names of a known kind, found {clip.names[0]!a} and others; write parents and rest_joints "
            "into the file, or rename the joints"
        )
    if clip.parents is None:
        parents = {joint: parent for joint, parent in figure_parents(roles).items() if joint in places}
        order, tree = tree_of(parents)
        joints = np.stack([places[joint] for joint in order])
    else:
        order, tree = list(range(len(clip.names))), clip.parents
        joints = np.zeros((len(order), 3))
        for joint, parent in enumerate(tree):
            joints[joint] = places.get(joint, joints[parent] if parent >= 0 else 0.0)
    names = tuple(clip.names[joint] for joint in order)
    if (tree < 0).sum() != 1:
        raise PoseError(f"{clip.source}: expected a joint such as hips that all grow from, found none; add it to the file")
    return replace(clip, names=names, rotations=clip.rotations[:, order], parents=tree, rest_joints=joints), Skeleton(
        names, tree, joints
    )


def _on_target(clip: PoseClip, target: Skeleton) -> tuple[PoseClip, Skeleton]:
    rotations = np.zeros((clip.num_frames, len(target.names), 4))
    rotations[..., 0] = 1.0
    for joint, name in enumerate(clip.names):
        rotations[:, target.names.index(name)] = clip.rotations[:, joint]
    own = replace(clip, names=target.names, rotations=rotations, parents=target.parents, rest_joints=target.joints)
    return own, target


def body_axes(skeleton: Skeleton, roles: Roles) -> Array | None:
    """A rotation matrix [3, 3] whose columns are the body's left, up and front at rest, each along an axis; None: nothing tells them."""
    joints, by_role = skeleton.joints, roles.joint_by_role
    left = np.zeros(3)
    for kind in ("thigh", "upper_arm", "clavicle"):
        ends = [by_role.get(f"{side}_{kind}") for side in SIDES]
        if ends[0] is not None and ends[1] is not None:
            left += joints[ends[0]] - joints[ends[1]]
    tops = [by_role["head"]] if "head" in by_role else [*roles.neck[-1:], *roles.spine[-1:]]
    feet = [joint for role, joint in by_role.items() if kind_of(role) in ("foot", "shin")]
    lows = feet or [joint for role, joint in by_role.items() if kind_of(role) in ("hips", "thigh")]
    if not tops or not lows or not left.any():
        return None
    up = joints[tops[0]] - joints[lows].mean(axis=0)
    upward = _axis(up)
    sideward = _axis(np.where(upward != 0, 0.0, left))
    if not upward.any() or not sideward.any():
        return None
    return np.stack([sideward, upward, np.cross(sideward, upward)], axis=-1)


def _axis(vector: Array) -> Array:
    """The unit vector along the axis that a vector is nearest to."""
    nearest = int(np.argmax(np.abs(vector)))
    axis = np.zeros(3)
    axis[nearest] = np.sign(vector[nearest])
    return axis
