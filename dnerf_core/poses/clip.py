"""A clip of poses of a skeleton: rotations of its joints over frames, as any file of motion says them (numpy only)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import PoseError, UsageError, brief, counted
from ..limits import MAX_FRAMES
from .rotations import Array, from_matrices, inverse, normalised, product, slerp, turned

MAX_JOINTS = 1024
MAX_ROTATIONS = 2**23
"""Of a clip: frames times joints, 270 MB."""
MAX_LENGTH = 1e6
"""Of a coordinate, in a clip's own units."""
MIN_FRAME_RATE, MAX_FRAME_RATE = 0.01, 10_000.0
DEFAULT_FRAME_RATE = 30.0

Up = Literal["y", "z"]
UPS: tuple[Up, ...] = ("y", "z")


@dataclass(frozen=True, eq=False)
class PoseClip:
    """F frames of the poses of J joints.

    Convention: at rest every rotation is the identity, whatever the axes of a bone; a joint's rotation is relative to its parent, in the
    axes of the rest frame. So a joint's global rotation is its parent's times its own.

    Attributes:
        names: J joint names, each once.
        rotations: float64 [F, J, 4], unit quaternions wxyz.
        translation: float64 [F, 3], of the root joint, in the clip's units: from where it is at rest, or see `is_displacement`.
        parents: int32 [J], -1 for the root, which comes first; parents come before their children; None: not known.
        rest_joints: float64 [J, 3], where the joints are at rest; None: not known.
        frame_rate: frames a second.
        up: which axis points up; where `rest_joints` is known, they tell it.
        is_displacement: False: `translation` is counted from a world's origin whose floor the file does not tell.
        shifts: float64 [F, 3] of joints beside the root that move within their parent's frame, by their index.
        source: where it comes from, for messages.
    """

    names: tuple[str, ...]
    rotations: Array
    translation: Array
    parents: NDArray[np.int32] | None = None
    rest_joints: Array | None = None
    frame_rate: float = DEFAULT_FRAME_RATE
    up: Up = "y"
    is_displacement: bool = True
    shifts: Mapping[int, Array] = field(default_factory=dict)
    source: str = "poses"

    @property
    def num_frames(self) -> int:
        """F."""
        return len(self.rotations)

    def checked(self) -> PoseClip:
        """The clip itself, its arrays held against what `PoseClip` says; quaternions are brought to length 1.

        Raises:
            PoseError: what is wrong, in one line that begins with `source`.
        """
        check_names(self.names, self.source)
        frames, joints = self.num_frames, len(self.names)
        check_size(frames, joints, self.source)
        _check_array(self.rotations, (frames, joints, 4), "rotations", self.source)
        _check_array(self.translation, (frames, 3), "translation", self.source)
        if (np.abs(np.linalg.norm(self.rotations, axis=-1) - 1) > 0.05).any():
            raise PoseError(
                f"{self.source}: expected quaternions of length 1, found others; write wxyz of length 1, or axis-angles"
            )
        if self.parents is not None:
            check_parents(self.parents, joints, self.source)
        if self.rest_joints is not None:
            _check_array(self.rest_joints, (joints, 3), "rest joints", self.source)
        for shift in self.shifts.values():
            _check_array(shift, (frames, 3), "a joint's positions", self.source)
        check_frame_rate(self.frame_rate, self.source)
        return replace(self, rotations=normalised(self.rotations))


def clip_from_matrices(
    names: Sequence[str], parents: Sequence[int], rest: Array, posed: Array, frame_rate: float = DEFAULT_FRAME_RATE, up: Up = "y"
) -> PoseClip:
    """The clip of bones as 4 x 4 matrices, such as Blender's evaluated pose bones have them; scales are left out.

    Args:
        names, parents: of J bones, as `PoseClip` has them.
        rest: [J, 4, 4], bone to object at rest.
        posed: [F, J, 4, 4], bone to object in each frame.
        up: which axis of the object points up.
    """
    rest, posed = np.asarray(rest, np.float64), np.asarray(posed, np.float64)
    ends = np.asarray(parents, np.int32)
    globals_ = product(from_matrices(_turns(posed)), inverse(from_matrices(_turns(rest))))
    joints, places = rest[:, :3, 3], posed[:, :, :3, 3]
    local = globals_.copy()
    shifts: dict[int, Array] = {}
    for joint, parent in enumerate(ends):
        if parent < 0:
            continue
        back = inverse(globals_[:, parent])
        local[:, joint] = product(back, globals_[:, joint])
        offset = turned(back, places[:, joint] - places[:, parent])
        shift = offset - (joints[joint] - joints[parent])
        if np.abs(shift).max() > 1e-4 * max(float(np.ptp(joints, axis=0).max()), 1e-9):
            shifts[joint] = shift
    clip = PoseClip(
        tuple(names), local, places[:, 0] - joints[0], ends, joints, frame_rate, up, shifts=shifts, source="the armature's pose"
    )
    return clip.checked()


def global_rotations(rotations: Array, parents: NDArray[np.int32]) -> Array:
    """Rotations [F, J, 4] relative to the rest frame, of rotations relative to the parents'."""
    turns = rotations.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            turns[:, joint] = product(turns[:, parent], rotations[:, joint])
    return turns


def joint_places(
    turns: Array, translation: Array, joints: Array, parents: NDArray[np.int32], shifts: Mapping[int, Array] | None = None
) -> Array:
    """Where the joints are [F, J, 3], of their global rotations [F, J, 4] and their places at rest [J, 3]."""
    places = np.empty((*turns.shape[:2], 3))
    for joint, parent in enumerate(parents):
        if parent < 0:
            places[:, joint] = joints[joint] + translation
        else:
            offset = joints[joint] - joints[parent] + (0.0 if shifts is None else shifts.get(joint, 0.0))
            places[:, joint] = places[:, parent] + turned(turns[:, parent], offset)
    return places


def parse_frames(text: str) -> tuple[int, int]:
    """First and last frame of a text such as `1:60` or `5`, counted from 1, both included.

    Raises:
        UsageError: another text.
    """
    found = re.fullmatch(r"([0-9]{1,7})(?::([0-9]{1,7}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise UsageError(f"frames: expected a range from 1 on such as 1:60, found {brief(text)}; correct it")
    return first, last


def frames_of(clip: PoseClip, first: int, last: int) -> PoseClip:
    """The frames `first` to `last`, counted from 1, both included.

    Raises:
        PoseError: the clip has none of these.
    """
    if not 1 <= first <= last <= clip.num_frames:
        raise PoseError(
            f"{clip.source}: frames {first} to {last}: expected some of the clip's {counted(clip.num_frames, 'frame')}, counted from 1, "
            "found others; choose fewer"
        )
    chosen = slice(first - 1, last)
    shifts = {joint: shift[chosen] for joint, shift in clip.shifts.items()}
    return replace(clip, rotations=clip.rotations[chosen], translation=clip.translation[chosen], shifts=shifts)


def resampled(clip: PoseClip, frame_rate: float) -> PoseClip:
    """The same motion at another number of frames a second: rotations between two frames by slerp, translations straight.

    Raises:
        PoseError: a rate that no clip has, or too many frames.
    """
    check_frame_rate(frame_rate, clip.source)
    if frame_rate == clip.frame_rate or clip.num_frames == 1:
        return replace(clip, frame_rate=frame_rate)
    last = clip.num_frames - 1
    # the small addend keeps the last frame where rounding would lose it
    count = int(np.floor(last * frame_rate / clip.frame_rate + 1e-6)) + 1
    check_size(count, len(clip.names), clip.source)
    times = np.minimum(np.arange(count) * (clip.frame_rate / frame_rate), last)
    before = np.minimum(times.astype(int), last - 1)
    share = times - before

    def straight(values: Array) -> Array:
        return values[before] + share[:, None] * (values[before + 1] - values[before])

    rotations = slerp(clip.rotations[before], clip.rotations[before + 1], share[:, None])
    shifts = {joint: straight(shift) for joint, shift in clip.shifts.items()}
    return replace(clip, rotations=rotations, translation=straight(clip.translation), frame_rate=frame_rate, shifts=shifts)


def check_names(names: Sequence[str], source: str) -> None:
    """Refuse joint names that are not each a short text of its own.

    Raises:
        PoseError: they are not.
    """
    if not 1 <= len(names) <= MAX_JOINTS:
        raise PoseError(f"{source}: expected 1 to {MAX_JOINTS} joints, found {len(names)}; leave the others out")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            raise PoseError(f"{source}: expected joint names of 1 to 200 characters, found {brief(name)}; rename it")
        if name in seen:
            raise PoseError(f"{source}: expected each joint's name once, found {brief(name)} twice; rename one")
        seen.add(name)


def check_size(frames: int, joints: int, source: str) -> None:
    """Refuse more than a clip may hold.

    Raises:
        PoseError: no frame, or too many.
    """
    most = min(MAX_FRAMES, MAX_ROTATIONS // max(joints, 1))
    if not 1 <= frames <= most:
        raise PoseError(
            f"{source}: expected 1 to {most} frames of {counted(joints, 'joint')}, found {frames}; "
            f"{'record some' if frames < 1 else 'cut the clip into shorter ones'}"
        )


def check_frame_rate(frame_rate: float, source: str) -> None:
    """Refuse what is no number of frames a second.

    Raises:
        PoseError: it is none.
    """
    if not MIN_FRAME_RATE <= frame_rate <= MAX_FRAME_RATE:  # NaN, too
        raise PoseError(
            f"{source}: expected {MIN_FRAME_RATE:g} to {MAX_FRAME_RATE:g} frames a second, found {frame_rate:g}; correct the rate"
        )


def check_parents(parents: NDArray[np.int32], joints: int, source: str) -> None:
    """Refuse parents that are no tree with one root, first, and every parent before its children.

    Raises:
        PoseError: they are none.
    """
    is_tree = parents.shape == (joints,) and parents[0] == -1
    if not is_tree or not all(0 <= parent < joint for joint, parent in enumerate(parents.tolist()) if joint):
        raise PoseError(
            f"{source}: expected parents as one tree, its root first and every parent before its children, found others; "
            "put the joints in that order"
        )


def _check_array(values: Array, shape: tuple[int, ...], what: str, source: str) -> None:
    if values.shape != shape:
        raise PoseError(f"{source}: {what}: expected shape {list(shape)}, found {list(values.shape)}; correct it")
    if not np.isfinite(values).all():
        raise PoseError(f"{source}: {what}: expected finite numbers, found NaN or infinite ones; export the clip again")
    if (np.abs(values) > MAX_LENGTH).any():
        raise PoseError(f"{source}: {what}: expected numbers up to {MAX_LENGTH:g}, found larger ones; export the clip again")


def _turns(matrices: Array) -> Array:
    """The rotations [..., 3, 3] in matrices [..., 4, 4] that may scale."""
    left, _, right = np.linalg.svd(matrices[..., :3, :3])
    return left @ right
