"""Poses as JSON, written by hand or by programs: one pose, or frames of them.

```
{"joints": {"LeftArm": [0, 0, 1.2], "Head": [0.99, 0.1, 0, 0]}, "translation": [0, 0.1, 0]}
{"frames": [{"joints": {...}}, {...}], "frame_rate": 30}
```

A joint has three numbers, an axis-angle in radians, or four, a quaternion wxyz: relative to its parent, in the axes of the rest frame.
Joints that a frame does not name are at rest. `parents` (joint name to joint name or null) and `rest_joints` (joint name to place) say
what the skeleton is; without them it is the template's own, or a known one that stands in a T at rest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PoseError, brief, counted, did_you_mean
from ..files.whole import whole_file
from .bone_map import read_json_object
from .clip import DEFAULT_FRAME_RATE, MAX_LENGTH, UPS, PoseClip, check_names, check_size
from .figure import tree_of
from .rotations import IDENTITY, Array, from_axis_angle

MAX_JSON_BYTES = 2**28
_FIELDS = {"joints", "translation", "frames", "frame_rate", "up", "parents", "rest_joints"}
_FRAME_FIELDS = {"joints", "translation"}


def read_json_poses(path: Path) -> PoseClip:
    """The clip of a JSON file.

    Raises:
        PoseError: no such file, or what is wrong in it.
    """
    return clip_from_json(read_json_object(path, MAX_JSON_BYTES, "poses"), str(path))


def clip_from_json(fields: dict[str, Any], source: str) -> PoseClip:
    """The clip of a JSON object.

    Raises:
        PoseError: what is wrong in it; the message begins with `source`.
    """
    _check_fields(fields, _FIELDS, source)
    if ("frames" in fields) == ("joints" in fields):
        raise PoseError(f"{source}: expected either 'joints' (one pose) or 'frames', found both or neither; correct it")
    frames = fields["frames"] if "frames" in fields else [{name: fields[name] for name in _FRAME_FIELDS if name in fields}]
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise PoseError(f"{source}: frames: expected a list of objects, found others; correct it")
    if "frames" in fields and "translation" in fields:
        raise PoseError(f"{source}: expected a translation in each frame, found one beside them; move it into the frames")
    check_size(len(frames), 1, source)
    names = list(_joint_names(fields, frames, source))
    check_names(names, source)
    check_size(len(frames), len(names), source)
    places = {name: joint for joint, name in enumerate(names)}
    rotations = np.tile(IDENTITY, (len(frames), len(names), 1))
    translation = np.zeros((len(frames), 3))
    for i, frame in enumerate(frames):
        where = f"{source}: frame {i + 1}"
        for name, value in frame.get("joints", {}).items():
            rotations[i, places[name]] = _rotation(value, f"{where}: {brief(name)}")
        if "translation" in frame:
            translation[i] = numbers(frame["translation"], (3,), f"{where}: translation")
    up = fields.get("up", "y")
    if up not in UPS:
        raise PoseError(f"{source}: up: expected 'y' or 'z', found {brief(up)}; correct it")
    frame_rate = float(numbers([fields.get("frame_rate", DEFAULT_FRAME_RATE)], (1,), f"{source}: frame_rate")[0])
    order, parents = _tree(fields.get("parents"), names, source)
    rest_joints = _rest_joints(fields.get("rest_joints"), names, source)
    return PoseClip(
        tuple(names[joint] for joint in order),
        rotations[:, order],
        translation,
        parents,
        None if rest_joints is None else rest_joints[order],
        frame_rate,
        up,
        source=source,
    ).checked()


def write_json_poses(path: Path, clip: PoseClip) -> None:
    """Writes a clip as JSON that `read_json_poses` reads: quaternions, and the skeleton where it is known.

    Raises:
        PoseError: the clip moves joints within their parents' frames, which the format has no place for.
        OutputError: the file cannot be written.
    """
    if clip.shifts or not clip.is_displacement:
        raise PoseError(f"{clip.source}: expected a clip whose joints stay in place, found others; write it as BVH or npz")
    head: dict[str, Any] = {"frame_rate": clip.frame_rate, "up": clip.up}
    if clip.parents is not None:
        head["parents"] = {
            name: None if parent < 0 else clip.names[parent]
            for name, parent in zip(clip.names, clip.parents.tolist(), strict=True)
        }
    if clip.rest_joints is not None:
        head["rest_joints"] = dict(zip(clip.names, clip.rest_joints.tolist(), strict=True))
    head["frames"] = [
        {"joints": dict(zip(clip.names, turns.tolist(), strict=True)), "translation": moved.tolist()}
        for turns, moved in zip(clip.rotations, clip.translation, strict=True)
    ]
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(head), encoding="utf-8")


def numbers(value: Any, shape: tuple[int], where: str) -> Array:
    """As many numbers as a shape [N] says, out of a list.

    Raises:
        PoseError: anything else.
    """
    if not isinstance(value, list):
        raise PoseError(f"{where}: expected a list of numbers, found {brief(value)}; correct it")
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.zeros(0, object)
    is_number = array.dtype.kind in "iuf" and array.shape == shape and not any(isinstance(item, bool) for item in value)
    if not is_number or not (np.abs(array) <= MAX_LENGTH).all():  # NaN, too
        raise PoseError(
            f"{where}: expected {counted(shape[0], 'number')} from {-MAX_LENGTH:g} to {MAX_LENGTH:g}, found {brief(value)}; correct it"
        )
    return array.astype(np.float64)


def _check_fields(fields: dict[str, Any], known: set[str], where: str) -> None:
    for name in fields:
        if name not in known:
            raise PoseError(
                f"{where}: expected fields {', '.join(sorted(known))}, found {brief(name)}{did_you_mean(name, known)}; correct it"
            )


def _joint_names(fields: dict[str, Any], frames: list[dict[str, Any]], source: str) -> dict[str, None]:
    """The names of all joints, in the order in which they come."""
    names: dict[str, None] = {}
    for what in ("parents", "rest_joints"):
        value = fields.get(what, {})
        if not isinstance(value, dict):
            raise PoseError(f"{source}: {what}: expected an object by joint names, found {brief(value)}; correct it")
        names |= dict.fromkeys(value)
    for i, frame in enumerate(frames):
        _check_fields(frame, _FRAME_FIELDS, f"{source}: frame {i + 1}")
        joints = frame.get("joints", {})
        if not isinstance(joints, dict):
            raise PoseError(
                f"{source}: frame {i + 1}: joints: expected an object by joint names, found {brief(joints)}; correct it"
            )
        names |= dict.fromkeys(joints)
    return names


def _rotation(value: Any, where: str) -> Array:
    """The quaternion [4] of an axis-angle of three numbers or a quaternion of four."""
    if isinstance(value, list) and len(value) == 3:
        return from_axis_angle(numbers(value, (3,), where))
    if isinstance(value, list) and len(value) == 4:
        return numbers(value, (4,), where)
    raise PoseError(f"{where}: expected an axis-angle (3 numbers) or a quaternion wxyz (4), found {brief(value)}; correct it")


def _tree(value: Any, names: list[str], source: str) -> tuple[list[int], NDArray[np.int32] | None]:
    """(joint indices, parents first; their parents) of parents by name."""
    if value is None:
        return list(range(len(names))), None
    places = {name: joint for joint, name in enumerate(names)}
    parents: dict[int, int] = {}
    for name, joint in places.items():
        parent = value.get(name)
        if name not in value or not (parent is None or (isinstance(parent, str) and parent in places)):
            raise PoseError(
                f"{source}: parents: {brief(name)}: expected a joint's name or null, found {brief(parent)}; correct it"
            )
        parents[joint] = -1 if parent is None else places[parent]
    for joint in parents:
        above, steps = joint, 0
        while above >= 0 and steps <= len(names):
            above, steps = parents[above], steps + 1
        if above >= 0:
            raise PoseError(f"{source}: parents: expected a tree, found a circle through {brief(names[joint])}; correct it")
    if sum(parent < 0 for parent in parents.values()) != 1:
        raise PoseError(f"{source}: parents: expected one root (null), found none or several; correct it")
    return tree_of(parents)


def _rest_joints(value: Any, names: list[str], source: str) -> Array | None:
    if value is None:
        return None
    for name in names:
        if name not in value:
            raise PoseError(f"{source}: rest_joints: expected a place for every joint, found none for {brief(name)}; add it")
    return np.stack([numbers(value[name], (3,), f"{source}: rest_joints: {brief(name)}") for name in names])
