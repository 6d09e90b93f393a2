"""Poses as arrays in an .npz: our own, those of AIST++ (`smpl_poses`), and those of AMASS (`poses`). Pickles are not read.

Ours: `rotations` [F, K, 3] (axis-angles, radians) or [F, K, 4] (quaternions wxyz) and `names` [K]; as wanted `translation` [F, 3],
`parents` [K], `rest_joints` [K, 3], `frame_rate`, `up`. AIST++: `smpl_poses` [F, 72], `smpl_trans` [F, 3], `smpl_scaling` [1]; y up,
60 frames a second. AMASS: `poses` [F, 72, 156 or 165], `trans` [F, 3], `mocap_framerate`; z up.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PoseError, brief
from ..files.opening.regular_files import open_regular
from .clip import DEFAULT_FRAME_RATE, MAX_LENGTH, UPS, PoseClip, check_size
from .figure import figure_parents, tree_of
from .roles import roles_of
from .rotations import Array, from_axis_angle, from_matrices, product

MAX_ARRAY_BYTES = 2**29
AIST_FRAME_RATE = 60.0
_BODY = (
    *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle", "spine3"),
    *("left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)
_FINGERS = tuple(
    f"{side}_{finger}{i}"
    for side in ("left", "right")
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for i in (1, 2, 3)
)
SMPL_NAMES = {
    24: (*_BODY, "left_hand", "right_hand"),
    52: (*_BODY, *_FINGERS),
    55: (*_BODY, "jaw", "left_eye_smplhf", "right_eye_smplhf", *_FINGERS),
}
"""What the joints of SMPL, SMPL-H and SMPL-X are called, by their number."""

_UPRIGHT: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Turns a world whose z axis points up into one whose y axis does."""


def read_npz_poses(path: Path) -> PoseClip:
    """The clip of an .npz file.

    Raises:
        PoseError: no such file, other keys, or what is wrong in it.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            arrays = _Arrays(archive, str(path))
            if "rotations" in arrays.sizes:
                return _own(arrays)
            if "smpl_poses" in arrays.sizes:
                return _aist(arrays)
            if "poses" in arrays.sizes:
                return _amass(arrays)
            raise PoseError(
                f"{path}: expected rotations and names, smpl_poses, or poses with trans, found {brief(sorted(arrays.sizes))}; "
                "write one of these"
            )
    except OSError as error:
        raise PoseError(
            f"{path}: expected an .npz of poses, cannot read it: {error.strerror or error}; check the file"
        ) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise PoseError(
            f"{path}: expected an .npz of poses, found another or a damaged file ({brief(str(error))}); copy it again"
        ) from error


class _Arrays:
    """The arrays of an .npz, read when they are wanted, after their sizes are known to be sane."""

    def __init__(self, archive: zipfile.ZipFile, source: str) -> None:
        self.source = source
        self._archive = archive
        self.sizes = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    def read(self, name: str) -> NDArray[Any]:
        info = self.sizes[name]
        if info.file_size > MAX_ARRAY_BYTES:
            raise PoseError(f"{self.source}: {name}: expected at most {MAX_ARRAY_BYTES} bytes, found {info.file_size}; cut it")
        try:
            with self._archive.open(info) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
        except (ValueError, zipfile.BadZipFile, EOFError, MemoryError) as error:
            reason = brief(str(error))
            raise PoseError(
                f"{self.source}: {name}: expected an array without objects, found another ({reason}); save it again"
            ) from error
        return np.asarray(array)

    def numbers(self, name: str) -> Array:
        array = self.read(name)
        if array.dtype.kind not in "iuf":
            raise PoseError(f"{self.source}: {name}: expected numbers, found type {array.dtype}; save it again")
        values = array.astype(np.float64)
        if not (np.abs(values) <= MAX_LENGTH).all():  # NaN, too
            raise PoseError(
                f"{self.source}: {name}: expected numbers up to {MAX_LENGTH:g}, found NaN or larger ones; save it again"
            )
        return values

    def texts(self, name: str) -> tuple[str, ...]:
        array = self.read(name)
        if array.dtype.kind != "U" or array.ndim != 1:
            raise PoseError(
                f"{self.source}: {name}: expected a list of texts, found {array.dtype} {list(array.shape)}; save it again"
            )
        return tuple(str(text) for text in array)

    def number(self, name: str, default: float) -> float:
        if name not in self.sizes:
            return default
        array = self.numbers(name)
        if array.size != 1:
            raise PoseError(f"{self.source}: {name}: expected one number, found {brief(array.tolist())}; correct it")
        return float(array.reshape(-1)[0])

    def translation(self, name: str, frames: int) -> Array:
        return self.numbers(name) if name in self.sizes else np.zeros((frames, 3))


def _own(arrays: _Arrays) -> PoseClip:
    rotations = arrays.numbers("rotations")
    if rotations.ndim != 3 or rotations.shape[2] not in (3, 4):
        raise PoseError(f"{arrays.source}: rotations: expected [F, K, 3 or 4], found {list(rotations.shape)}; correct it")
    if "names" not in arrays.sizes:
        raise PoseError(f"{arrays.source}: expected names beside rotations, found none; add the joints' names")
    check_size(rotations.shape[0], rotations.shape[1], arrays.source)
    quaternions = from_axis_angle(rotations) if rotations.shape[2] == 3 else rotations
    parents = arrays.numbers("parents").astype(np.int32) if "parents" in arrays.sizes else None
    up = str(arrays.read("up")) if "up" in arrays.sizes else "y"
    if up not in UPS:
        raise PoseError(f"{arrays.source}: up: expected 'y' or 'z', found {brief(up)}; correct it")
    return PoseClip(
        arrays.texts("names"),
        quaternions,
        arrays.translation("translation", len(rotations)),
        parents,
        arrays.numbers("rest_joints") if "rest_joints" in arrays.sizes else None,
        arrays.number("frame_rate", DEFAULT_FRAME_RATE),
        "z" if up == "z" else "y",
        source=arrays.source,
    ).checked()


def _aist(arrays: _Arrays) -> PoseClip:
    poses = arrays.numbers("smpl_poses")
    scaling = arrays.number("smpl_scaling", 1.0)
    if not 1e-6 <= scaling <= 1e6:
        raise PoseError(f"{arrays.source}: smpl_scaling: expected a number above 0, found {scaling:g}; correct it")
    return _smpl(poses, arrays.translation("smpl_trans", len(poses)) / scaling, AIST_FRAME_RATE, np.eye(3), arrays.source)


def _amass(arrays: _Arrays) -> PoseClip:
    poses = arrays.numbers("poses")
    rate = arrays.number("mocap_framerate", arrays.number("mocap_frame_rate", DEFAULT_FRAME_RATE))
    return _smpl(poses, arrays.translation("trans", len(poses)), rate, _UPRIGHT, arrays.source)


def _smpl(poses: Array, translation: Array, frame_rate: float, world: Array, source: str) -> PoseClip:
    """Poses [F, 3 K] of a SMPL body in a world that `world` stands upright."""
    joints = poses.size // (3 * max(len(poses), 1))
    if joints not in SMPL_NAMES or poses.size != len(poses) * 3 * joints:
        counts = " or ".join(str(3 * count) for count in SMPL_NAMES)
        raise PoseError(f"{source}: poses: expected [F, {counts}], found {list(poses.shape)}; correct it")
    check_size(len(poses), joints, source)
    if translation.shape != (len(poses), 3):
        raise PoseError(f"{source}: translation: expected {[len(poses), 3]}, found {list(translation.shape)}; correct it")
    rotations = from_axis_angle(poses.reshape(len(poses), joints, 3))
    rotations[:, 0] = product(np.broadcast_to(from_matrices(world), (len(poses), 4)), rotations[:, 0])
    names = SMPL_NAMES[joints]
    order, parents = tree_of(figure_parents(roles_of(names)))
    chosen = tuple(names[joint] for joint in order)
    return PoseClip(
        chosen, rotations[:, order], translation @ world.T, parents, None, frame_rate, is_displacement=False, source=source
    ).checked()
