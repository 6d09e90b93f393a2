"""BVH: a hierarchy of joints with their offsets, and a row of channels a frame. Read line by line, every number checked.

Convention: rotation channels turn about the axes in the order in which a joint names them, each in the frame that the ones before it
have left (`Zrotation Xrotation Yrotation` is Rz Rx Ry), in degrees. Position channels stand in for the joint's offset, as Blender and
most others write them. Lengths stay in the file's units: poses are scaled by the height of the hips when they are used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import PoseError, brief, counted
from ..files.opening.regular_files import open_regular
from .clip import MAX_JOINTS, PoseClip, check_frame_rate, check_names, check_size
from .roles import kind_of, roles_of
from .rotations import IDENTITY, Array, product

MAX_BVH_BYTES = 2**29
MAX_DEPTH = 200
REMEDY = "export the BVH again"

_POSITIONS = ("Xposition", "Yposition", "Zposition")
_ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")
_CHANNELS = {name.lower(): name for name in (*_POSITIONS, *_ROTATIONS)}
_MOVES = 1e-4
"""Joints whose place in their parent's frame changes by a larger share of the skeleton's size are `PoseClip.shifts`."""


@dataclass(eq=False)
class _Joint:
    name: str
    parent: int
    offset: Array = field(default_factory=lambda: np.zeros(3))
    channels: list[str] = field(default_factory=list)


def read_bvh(path: Path) -> PoseClip:
    """The clip of a BVH file.

    Raises:
        PoseError: no such file, or what is wrong in it, with its line.
    """
    lines = _lines(path)
    joints, line = _hierarchy(lines, path)
    frames, frame_rate, line = _motion_head(lines, line, path)
    channels = sum(len(joint.channels) for joint in joints)
    if channels == 0:
        raise PoseError(f"{path}: expected joints with channels, found none; {REMEDY}")
    check_names([joint.name for joint in joints], str(path))
    check_size(frames, len(joints), str(path))
    check_frame_rate(frame_rate, str(path))
    return _clip(joints, _rows(lines[line:], frames, channels, path), frame_rate, path)


def _lines(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_BVH_BYTES + 1)
    except OSError as error:
        raise PoseError(f"{path}: expected a BVH file, cannot read it: {error.strerror}; check the path") from error
    if len(raw) > MAX_BVH_BYTES:
        raise PoseError(
            f"{path}: expected a BVH file of at most {MAX_BVH_BYTES // 2**20} MB, found more; cut it into shorter clips"
        )
    # names may be in any encoding of their time; everything else is ASCII
    return raw.decode("utf-8-sig", errors="replace").splitlines()


def _hierarchy(lines: list[str], path: Path) -> tuple[list[_Joint], int]:
    """The joints, parents first, and the line after MOTION."""
    if not lines or lines[0].strip().upper() != "HIERARCHY":
        found = brief(lines[0]) if lines else "an empty file"
        raise PoseError(f"{path}: expected a BVH file, which begins with HIERARCHY, found {found}; {REMEDY}")
    reader = _Hierarchy()
    for number, text in enumerate(lines[1:], start=2):
        words = text.split()
        if words and reader.take(words, f"{path}: line {number}"):
            return reader.joints, number
    raise PoseError(f"{path}: expected MOTION after the hierarchy, found the file's end; copy it again")


class _Hierarchy:
    """The tree of joints, taken line by line."""

    def __init__(self) -> None:
        self.joints: list[_Joint] = []
        self._open: list[int] = []
        """Joints whose blocks are open; -1 for an End Site."""
        self._waiting: int | None = None
        """Whose block opens with the next brace."""

    def take(self, words: list[str], where: str) -> bool:
        """The words of the next line; returns whether it is the hierarchy's end."""
        opens = words[-1] == "{"
        words = words[:-1] if opens else words
        keyword = words[0].upper() if words else ""
        if keyword == "MOTION":
            if self._open or self._waiting is not None or not self.joints:
                raise PoseError(f"{where}: expected the hierarchy's end before MOTION, found it open; {REMEDY}")
            return True
        if keyword in ("ROOT", "JOINT"):
            self._begin(keyword, " ".join(words[1:]), where)
        elif keyword == "END":
            self._joint("End Site", where)
            self._waiting = -1
        elif keyword == "OFFSET":
            offset = _numbers(words[1:], 3, where)
            if not self._open or self._open[-1] >= 0:  # where a bone without children ends is of no use here
                self._joint(keyword, where).offset = offset
        elif keyword == "CHANNELS":
            joint = self._joint(keyword, where)
            if joint.channels:
                raise PoseError(f"{where}: expected CHANNELS once in a joint, found them twice; {REMEDY}")
            joint.channels = _channels(words[1:], where)
        elif keyword == "}":
            self._leave(where)
        elif words:
            raise PoseError(f"{where}: expected JOINT, End Site, OFFSET, CHANNELS or MOTION, found {brief(words[0])}; {REMEDY}")
        if opens:
            self._enter(where)
        return False

    def _leave(self, where: str) -> None:
        """A brace closes."""
        if not self._open or self._waiting is not None:
            raise PoseError(f"{where}: expected an open block before }}, found none; {REMEDY}")
        self._open.pop()

    def _enter(self, where: str) -> None:
        """A brace opens."""
        if self._waiting is None or len(self._open) >= MAX_DEPTH:
            raise PoseError(f"{where}: expected {{ after a joint, at most {MAX_DEPTH} deep, found another; {REMEDY}")
        self._open.append(self._waiting)
        self._waiting = None

    def _begin(self, keyword: str, name: str, where: str) -> None:
        if keyword == "ROOT" and self.joints:
            raise PoseError(f"{where}: expected one ROOT, found a second; export one skeleton alone")
        if keyword == "JOINT":
            self._joint(keyword, where)
        if len(self.joints) >= MAX_JOINTS:
            raise PoseError(f"{where}: expected at most {MAX_JOINTS} joints, found more; export fewer bones")
        self.joints.append(_Joint(name, self._open[-1] if self._open else -1))
        self._waiting = len(self.joints) - 1

    def _joint(self, keyword: str, where: str) -> _Joint:
        """The joint whose block is open."""
        if not self._open or self._open[-1] < 0 or self._waiting is not None:
            raise PoseError(f"{where}: expected {keyword} within a joint's braces, found it elsewhere; {REMEDY}")
        return self.joints[self._open[-1]]


def _numbers(words: list[str], count: int, where: str) -> Array:
    """Finite numbers, as many as are expected."""
    try:
        values = np.array([float(word) for word in words], np.float64)
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not np.isfinite(values).all():
        raise PoseError(f"{where}: expected {counted(count, 'finite number')}, found {brief(' '.join(words))}; {REMEDY}")
    return values


def _channels(words: list[str], where: str) -> list[str]:
    names = [_CHANNELS.get(word.lower(), "") for word in words[1:]]
    if not words or words[0] != str(len(names)) or len(names) > 6 or "" in names or len(set(names)) != len(names):
        raise PoseError(f"{where}: expected the number of channels and as many names such as Zrotation, found others; {REMEDY}")
    return names


def _motion_head(lines: list[str], line: int, path: Path) -> tuple[int, float, int]:
    """(number of frames, frames a second, the line after)."""
    values: list[str] = []
    for label in ("frames:", "frame time:"):
        while line < len(lines) and not lines[line].strip():
            line += 1
        text = " ".join(lines[line].split()) if line < len(lines) else "the file's end"
        if not text.lower().startswith(label):
            raise PoseError(f"{path}: line {line + 1}: expected {label.capitalize()}, found {brief(text)}; {REMEDY}")
        values.append(text[len(label) :].strip())
        line += 1
    if not values[0].isascii() or not values[0].isdigit() or len(values[0]) > 12:
        raise PoseError(f"{path}: line {line - 1}: expected a number of frames, found {brief(values[0])}; {REMEDY}")
    seconds = float(_numbers([values[1]], 1, f"{path}: line {line}")[0])
    if seconds <= 0:
        raise PoseError(f"{path}: line {line}: expected a frame time above 0 s, found {seconds:g}; {REMEDY}")
    return int(values[0]), 1 / seconds, line


def _rows(lines: list[str], frames: int, channels: int, path: Path) -> Array:
    """Values [F, channels]."""
    rows = [text for text in lines if text.strip()]
    if len(rows) != frames:
        raise PoseError(f"{path}: expected {frames} rows of motion, found {len(rows)}; copy the file again, or export it again")
    try:
        values = np.loadtxt(rows, dtype=np.float64, ndmin=2, comments=None)
    except ValueError as error:
        raise PoseError(
            f"{path}: motion: expected rows of {channels} numbers, found others ({brief(str(error))}); {REMEDY}"
        ) from error
    if values.shape[1] != channels:
        raise PoseError(f"{path}: motion: expected {channels} numbers a row, found {values.shape[1]}; {REMEDY}")
    if not np.isfinite(values).all():
        raise PoseError(f"{path}: motion: expected finite numbers, found NaN or infinite ones; {REMEDY}")
    return values


def _clip(joints: list[_Joint], values: Array, frame_rate: float, path: Path) -> PoseClip:
    parents = np.array([joint.parent for joint in joints], np.int32)
    rest = np.zeros((len(joints), 3))
    for i, joint in enumerate(joints):
        rest[i] = joint.offset + (rest[joint.parent] if joint.parent >= 0 else 0.0)
    size = max(float(np.ptp(rest, axis=0).max()), 1e-9)
    rotations = np.tile(IDENTITY, (len(values), len(joints), 1))
    translation = np.zeros((len(values), 3))
    shifts: dict[int, Array] = {}
    column = 0
    for i, joint in enumerate(joints):
        place = np.tile(joint.offset, (len(values), 1))
        for name in joint.channels:
            if name in _POSITIONS:
                place[:, _POSITIONS.index(name)] = values[:, column]
            else:
                half = np.radians(values[:, column]) / 2
                turn = np.zeros((len(values), 4))
                turn[:, 0], turn[:, 1 + _ROTATIONS.index(name)] = np.cos(half), np.sin(half)
                rotations[:, i] = product(rotations[:, i], turn)
            column += 1
        if i == 0:
            translation = place - joint.offset
        elif np.abs(shift := place - joint.offset).max() > _MOVES * size:
            shifts[i] = shift
    names = tuple(joint.name for joint in joints)
    has_floor = not joints[0].offset.any() and _stands_on_a_floor(rest, translation, names, parents)
    return PoseClip(
        names,
        rotations,
        translation,
        parents,
        rest,
        frame_rate,
        is_displacement=not has_floor,
        shifts=shifts,
        source=str(path),
    ).checked()


def _stands_on_a_floor(rest: Array, translation: Array, names: tuple[str, ...], parents: np.ndarray) -> bool:
    """Whether a root at the origin at rest is moved by a good part of its legs' length all the time: it is counted from a floor then."""
    feet = [joint for role, joint in roles_of(names, parents).joint_by_role.items() if kind_of(role) == "foot"]
    lengths = np.linalg.norm(rest[feet] - rest[0], axis=1) if feet else np.array([float(np.ptp(rest, axis=0).max())])
    return bool(np.abs(np.median(translation, axis=0)).max() > 0.25 * lengths.max())
