"""A clip of one skeleton as poses of another: rotations are carried over joint by joint, each skeleton's rest pose respected.

With S the global rotations of the source (from its rest pose, in the target's axes) and Q_j the rotation that holds the target's bone j as
the source holds its bone at rest, the target's global rotation is T_j = S_j Q_j: a bone that points somewhere in the source points there
in the target. Q is found along the limbs, from the trunk outwards, as the smallest further turn at each joint, so that the twist of an
arm stays what an arm's own swing gives it. Hips, spine, neck, head and collar bones keep Q = 1: their directions at rest tell how a
skeleton was built (a curved spine), not how it stands; feet turn about the vertical alone, since soles are flat in every rest pose. Where
both skeletons have the same proportions, they are one skeleton in two rest poses, and Q counts everywhere.

The root moves as the source's hips do, scaled by the ratio of the hips' heights above the ankles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .bone_map import BoneMap, bone_map_between
from .clip import PoseClip, global_rotations, joint_places
from .roles import TRUNK, Roles, kind_of
from .rotations import (
    IDENTITY,
    Array,
    best_rotation,
    between,
    from_matrices,
    inverse,
    normalised,
    product,
    slerp,
    to_axis_angle,
    turned,
)
from .skeleton import Skeleton, body_axes, completed

Travel = Literal["all", "height", "none"]
TRAVELS: tuple[Travel, ...] = ("all", "height", "none")

SAME_BUILD = 0.01
"""Lengths of bones whose ratios spread by less are those of one skeleton."""
_MIN_SAME_BONES = 6
_SHORT = 1e-6
"""Bones below this share of the skeleton's size have no direction."""
_Z_UP_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Retargeted:
    """Poses of a target, float32 [F, K + 1, 3] as `Template` has them, and the map by which they were found."""

    poses: NDArray[np.float32]
    bone_map: BoneMap


def retargeted(clip: PoseClip, target: Skeleton, bone_map: BoneMap | None = None, travel: Travel = "all") -> Retargeted:
    """A clip as poses of a target.

    Args:
        bone_map: None: found by names, see `bone_map_between`.
        travel: of the hips, follow the source wherever it goes, in height only, or not at all: then the hips turn where they are at rest.

    Raises:
        PoseError: the skeletons have no joint in common, or nothing is known of the source's.
    """
    clip, source = completed(clip, target)
    retargeter = Retargeter(source, target, bone_map, clip.up)
    return Retargeted(retargeter.poses(clip, travel), retargeter.bone_map)


class Retargeter:
    """Two skeletons and the map between them, looked at once for any number of clips, such as one of a frame each time a bone is turned.

    Attributes:
        bone_map: what drives what.
        axes: [3, 3], turns vectors of the source's axes into the target's.
        scale: of the hips' movements.
    """

    def __init__(self, source: Skeleton, target: Skeleton, bone_map: BoneMap | None = None, up: str = "y") -> None:
        """See `retargeted`.

        Args:
            source: of the clips, whole: see `skeleton.completed`.
            up: which axis of the source points up, where its joints' names do not tell.

        Raises:
            PoseError: the skeletons have no joint in common.
        """
        self.source, self.target = source, target
        self.bone_map = bone_map_between(source, target) if bone_map is None else bone_map
        self._roles, source_roles = target.roles, source.roles
        own_axes, their_axes = body_axes(target, self._roles), body_axes(source, source_roles)
        if own_axes is not None and their_axes is not None:
            self.axes = own_axes @ their_axes.T
        else:
            self.axes = _Z_UP_TO_Y_UP if up == "z" else np.eye(3)
        self._up = np.array([0.0, 1.0, 0.0]) if own_axes is None else own_axes[:, 1]
        places = {name: joint for joint, name in enumerate(source.names)}
        self._drivers = {
            target.names.index(name): [(places[giver], share) for giver, share in pairs]
            for name, pairs in self.bone_map.sources.items()
        }
        self._singles = {joint: pairs[0][0] for joint, pairs in self._drivers.items() if len(pairs) == 1}
        self._rest = source.joints @ self.axes.T
        self._directions = {joint: self._bones_of(joint) for joint in self._singles}
        self._is_same_build = self._has_same_build()
        self._holds = self._rest_holds()
        self._feet = [joint for role, joint in self._roles.joint_by_role.items() if kind_of(role) in ("foot", "toe")]
        self._hips = self._roles.joint_by_role.get("hips", 0)
        self._source_hips = self._singles.get(self._hips, source_roles.joint_by_role.get("hips", 0))
        own = self._hip_height(np.asarray(target.joints), self._hips, self._roles)
        theirs = self._hip_height(self._rest, self._source_hips, source_roles)
        self.scale = own / theirs if own > 0 and theirs > 0 else 1.0

    def poses(self, clip: PoseClip, travel: Travel = "all") -> NDArray[np.float32]:
        """A clip of the source as poses of the target, float32 [F, K + 1, 3]; see `retargeted`."""
        spun = _turned_axes(global_rotations(clip.rotations, self.source.parents), self.axes)
        turns = self._target_turns(spun)
        local = turns.copy()
        for joint, parent in enumerate(self.target.parents):
            if parent >= 0:
                local[:, joint] = product(inverse(turns[:, parent]), turns[:, joint])
        poses = np.empty((clip.num_frames, len(self.target.names) + 1, 3), np.float32)
        poses[:, :-1] = to_axis_angle(local)
        poses[:, -1] = self._translation(clip, spun, turns, travel)
        return poses

    def _target_turns(self, spun: Array) -> Array:
        """Global rotations [F, K, 4] of the target, of the source's [F, J, 4] in the target's axes."""
        turns = np.empty((len(spun), len(self.target.names), 4))
        for joint, parent in enumerate(self.target.parents):
            drivers = self._drivers.get(joint)
            if drivers is None:
                turns[:, joint] = IDENTITY if parent < 0 else turns[:, parent]
                continue
            turn = spun[:, drivers[0][0]]
            if len(drivers) == 2:
                turn = slerp(turn, spun[:, drivers[1][0]], drivers[1][1])
            turns[:, joint] = product(turn, self._holds[joint])
        return normalised(turns)

    def _translation(self, clip: PoseClip, spun: Array, turns: Array, travel: Travel) -> Array:
        """Of the target's root [F, 3]."""
        target, hips = self.target, self._hips
        shifts = {joint: shift @ self.axes.T for joint, shift in clip.shifts.items()}
        theirs = joint_places(spun, clip.translation @ self.axes.T, self._rest, self.source.parents, shifts)[:, self._source_hips]
        moved = self.scale * (theirs - self._rest[self._source_hips])
        own = joint_places(turns, np.zeros((len(turns), 3)), target.joints, target.parents)
        if not clip.is_displacement:
            moved -= moved[0] - self._up * (moved[0] @ self._up)
            feet = self._feet or list(range(len(target.names)))
            placed = own[:, feet] + (moved - own[:, hips] + target.joints[hips])[:, None]
            moved += self._up * ((target.joints[feet] @ self._up).min() - (placed @ self._up).min())
        if travel == "height":
            moved = (moved @ self._up)[:, None] * self._up
        elif travel == "none":
            moved = np.zeros_like(moved)
        return moved - (own[:, hips] - target.joints[hips])

    def _hip_height(self, joints: Array, hips: int, roles: Roles) -> float:
        """Of the hips above the lower ankle at rest; 0: there is none."""
        ankles = [joint for role, joint in roles.joint_by_role.items() if kind_of(role) == "foot"]
        return max((float((joints[hips] - joints[ankle]) @ self._up) for ankle in ankles), default=0.0)

    def _bones_of(self, joint: int) -> tuple[Array, Array]:
        """Where a joint's bones lead at rest, in target and source: vectors [N, 3] to the nearest mapped joints below it."""
        own: list[Array] = []
        theirs: list[Array] = []
        small = _SHORT * max(float(np.ptp(self.target.joints, axis=0).max()), 1e-9)
        small_source = _SHORT * max(float(np.ptp(self._rest, axis=0).max()), 1e-9)
        pending = [joint]
        while pending:
            above = pending.pop()
            for below in np.flatnonzero(self.target.parents == above).tolist():
                if below in self._singles and self._grows_from(self._singles[below], self._singles[joint]):
                    offset = self.target.joints[below] - self.target.joints[joint]
                    other = self._rest[self._singles[below]] - self._rest[self._singles[joint]]
                    if np.linalg.norm(offset) > small and np.linalg.norm(other) > small_source:
                        own.append(offset)
                        theirs.append(other)
                        continue
                pending.append(below)
        return np.array(own).reshape(-1, 3), np.array(theirs).reshape(-1, 3)

    def _grows_from(self, joint: int, ancestor: int) -> bool:
        joint = int(self.source.parents[joint])
        while joint >= 0:
            if joint == ancestor:
                return True
            joint = int(self.source.parents[joint])
        return False

    def _has_same_build(self) -> bool:
        ratios = [
            np.linalg.norm(own, axis=1) / np.linalg.norm(theirs, axis=1) for own, theirs in self._directions.values() if len(own)
        ]
        if not ratios or sum(map(len, ratios)) < _MIN_SAME_BONES:
            return False
        every = np.concatenate(ratios)
        return bool(every.max() <= (1 + SAME_BUILD) * every.min())

    def _rest_holds(self) -> Array:
        """Q [K, 4] of each of the target's joints; those that nothing drives have their parent's."""
        holds = np.tile(IDENTITY, (len(self.target.names), 1))
        role_names = self._roles.names_by_joint()
        for joint, parent in enumerate(self.target.parents):
            above = IDENTITY if parent < 0 else holds[parent]
            kind = kind_of(role_names.get(joint, ""))
            if joint not in self._drivers:
                holds[joint] = above
            elif joint not in self._singles or (kind in TRUNK and not self._is_same_build):
                holds[joint] = IDENTITY
            elif kind == "foot" and not self._is_same_build:
                holds[joint] = self._heading(*self._directions[joint])
            else:
                holds[joint] = self._hold(above, *self._directions[joint])
        return holds

    def _hold(self, above: Array, own: Array, theirs: Array) -> Array:
        """The smallest further turn after `above` that brings bones to where the source's are."""
        if not len(own):
            return above
        starts = turned(above, own / np.linalg.norm(own, axis=1, keepdims=True))
        ends = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
        if self._is_same_build and np.linalg.svd(starts, compute_uv=False)[1:2].max(initial=0.0) > 1e-3:
            return product(best_rotation(starts, ends), above)
        return product(between(starts.mean(axis=0), ends.mean(axis=0)), above)

    def _heading(self, own: Array, theirs: Array) -> Array:
        """The turn about the vertical that brings a foot's heading to the source's."""
        if not len(own):
            return IDENTITY
        flat = np.eye(3) - np.outer(self._up, self._up)
        return between(flat @ own.mean(axis=0), flat @ theirs.mean(axis=0))


def _turned_axes(quaternions: Array, axes: Array) -> Array:
    """Rotations [..., 4] as seen from other axes."""
    frame = from_matrices(axes)
    return product(product(np.broadcast_to(frame, quaternions.shape), quaternions), inverse(frame))
