"""Captured motion as poses of the demo's rig: clips of a humanoid in the text form that PyPI's `pybullet` carries (`humanoid3d_*.txt`).

They are not part of the package: training and evaluation may be given a folder of them.

Convention of the clips: x forward, y up, z to the right; a frame is 44 numbers: duration, place of the root (3), then rotations relative
to standing, quaternions w x y z or one angle about z.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.demo.people.standing import matrix_from_vector, pose_from_standing, vector_from_matrix
from dnerf_core.errors import UsageError

HELD_OUT = ("dance_b", "punch", "spinkick", "walk")
"""Clips that training leaves out, for poses that it has never seen."""

_FRAME_LENGTH = 44
_ORDER = (
    ("Root", 4), ("Chest", 4), ("Neck", 4),
    ("RightUpLeg", 4), ("RightLeg", 1), ("RightFoot", 4), ("RightArm", 4), ("RightForeArm", 1),
    ("LeftUpLeg", 4), ("LeftLeg", 1), ("LeftFoot", 4), ("LeftArm", 4), ("LeftForeArm", 1),
)  # fmt: skip
_FIRST = 4
# from the clips' axes to the rig's: left is -z, up y, forward x
_AXES = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]], np.float64)
# one joint of the clips is several of the rig, which share its rotation
_SHARED = {"Root": ("Hips",), "Chest": ("LowerBack", "Spine", "Spine1"), "Neck": ("Neck", "Head")}


def read_clips(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Poses [frames, K + 1, 3] of every clip of a folder, by file name; translations are 0.

    Raises:
        UsageError: the folder holds no clip, or a file is none.
    """
    files = sorted(folder.glob("humanoid3d_*.txt"))
    if not files:
        raise UsageError(
            f"{folder}: expected clips humanoid3d_*.txt, found none; take pybullet_data/data/motions of PyPI's pybullet"
        )
    return {file.stem.removeprefix("humanoid3d_"): _read(file) for file in files}


def _read(file: Path) -> NDArray[np.float32]:
    try:
        frames = np.asarray(json.loads(file.read_text())["Frames"], np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file}: expected JSON with a list 'Frames' of numbers, found {error}; take the file anew") from error
    if frames.ndim != 2 or frames.shape[1] != _FRAME_LENGTH or not np.isfinite(frames).all():
        raise UsageError(f"{file}: expected frames of {_FRAME_LENGTH} finite numbers, found {frames.shape}; take the file anew")
    return np.stack([_pose(frame) for frame in frames])


def _pose(frame: NDArray[np.float64]) -> NDArray[np.float32]:
    rotations: dict[str, NDArray[np.float64]] = {}
    at = _FIRST
    for name, length in _ORDER:
        vector = _AXES @ (_quaternion_vector(frame[at : at + 4]) if length == 4 else np.array([0.0, 0.0, frame[at]]))
        at += length
        shared = _SHARED.get(name, (name,))
        for joint in shared:
            rotations[joint] = matrix_from_vector(vector / len(shared))
    return pose_from_standing(rotations)


def _quaternion_vector(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    rotation = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    return vector_from_matrix(rotation)
