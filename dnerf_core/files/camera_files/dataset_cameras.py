"""The cameras of a data set for EG3D, its `dataset.json`, and what they say of where a generator is to be seen from (numpy only).

Convention: a label is 25 numbers: cam2world row by row (16; OpenCV axes, x right, y down, z forward) and intrinsics row by row (9),
normalised by the image size; what `Camera.conditioning` gives. Angles are those of `camera_arcs.sphere_angles`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.ranges import MAX_SIZE
from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera_frames import ENGINE_TO_BLENDER, Float64Array, WorldUp, checked_world_up
from dnerf_core.errors import UsageError, brief, json_fault
from dnerf_core.files.opening.regular_files import read_regular_bytes
from dnerf_core.files.text import MAX_BYTES, decoded_text

LABEL_SIZE = 25
ROTATION_TOLERANCE = 1e-3
"""Largest entry of |R^T R - I|: labels are for a network, and tools write them with few digits."""
MIN_FOCAL, MAX_FOCAL = 0.01, 20.0
MIN_CENTER, MAX_CENTER = -1.0, 2.0
"""Normalised; what lies outside is in pixels, or nonsense."""

OUTER_PERCENT = (2.5, 97.5)
"""The middle 95% of a normal distribution are 3.92 deviations wide: a quarter of that is within 2% of one, what "gaussian" views take."""
WIDEST_GAP_DEG = 30.0
"""Yaws with no wider gap go all the way round."""
MIN_SPREAD = 1e-3
"""Least mean square sine of the angle between the optical axes and any one direction, for the axes to have a nearest point: 1.8 degrees."""
MIN_LEAN = 0.05
"""Of the mean image-up vector towards an axis."""
ROUNDING = 1e-6
"""Of the radius: a place nearer to the world origin than that is the origin."""


@dataclass(frozen=True, eq=False)
class DatasetCameras:
    """Checked cameras of a data set, read-only.

    Attributes:
        path: the file.
        names: of the pictures, as the file has them, one each.
        cam2world: float64 [N, 4, 4], OpenCV axes, world units.
        intrinsics: float64 [N, 3, 3], normalised by the image size.
    """

    path: Path
    names: tuple[str, ...]
    cam2world: Float64Array
    intrinsics: Float64Array


# Reading


def read_dataset_cameras(path: str | Path) -> DatasetCameras:
    """The cameras of a `dataset.json`: `{"labels": [["00000/img00000000.png", [25 numbers]], ..]}`, or the labels as an object by name.

    Raises:
        UsageError: no such file, not JSON of that form, no labels, or one that is no camera; the first one is named.
    """
    path = Path(path)
    return dataset_cameras_of(_parsed(path), path)


def dataset_cameras_of(data: Any, path: Path) -> DatasetCameras:
    """The cameras of what a `dataset.json` parses to; see `read_dataset_cameras`.

    Args:
        path: the file, for errors.
    """
    names, values = _entries(_labels(data, path), path)
    labels = np.array(values, dtype=np.float64)
    _refuse(~np.isfinite(labels).all(axis=1), labels, names, path, f"{LABEL_SIZE} finite numbers", "others", "write it again")
    cam2world, intrinsics = labels[:, :16].reshape(-1, 4, 4), labels[:, 16:].reshape(-1, 3, 3)
    _check_poses(cam2world, names, path)
    _check_intrinsics(intrinsics, names, path)
    for array in (cam2world, intrinsics):
        array.setflags(write=False)
    return DatasetCameras(path, tuple(names), cam2world, intrinsics)


_KIND = "a data set's dataset.json"


def _parsed(path: Path) -> Any:
    """The file's JSON."""
    kind = _KIND
    try:
        if path.is_dir():
            raise UsageError(f"{path}: expected {kind}, found a folder; name the file in it")
        size = path.stat().st_size
        if not path.is_file() or size > MAX_BYTES:
            actual = f"{size / 2**30:.1f} GiB" if path.is_file() else "no plain file"
            raise UsageError(f"{path}: expected {kind} of up to {MAX_BYTES // 2**30} GiB, found {actual}; is it another file?")
        # one kind of number, and a huge one is infinite instead of beyond numpy
        return json.loads(decoded_text(read_regular_bytes(path)), parse_int=float)
    except FileNotFoundError:
        raise UsageError(f"{path}: expected {kind}, found no such file; correct the path") from None
    except OSError as error:
        raise UsageError(f"{path}: expected {kind}, it cannot be read: {error.strerror or error}; correct it") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path}: expected {kind}, found bytes that are no text; is it another file?") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected JSON, found {json_fault(error)}; is it {kind}?") from None


def _labels(data: Any, path: Path) -> Any:
    """What it has under "labels"."""
    if not isinstance(data, dict):
        raise UsageError(f"{path}: expected a JSON object with labels, found {brief(data)}; is it {_KIND}?")
    if "labels" not in data:
        raise UsageError(f"{path}: expected labels, found none among {brief(sorted(data))}; is it {_KIND}?")
    if data["labels"] is None:
        raise UsageError(f"{path}: labels: expected cameras, found null; the data set was made without cameras, give another's")
    return data["labels"]


def _entries(labels: Any, path: Path) -> tuple[list[str], list[list[float]]]:
    """Names and labels, each of which is `LABEL_SIZE` numbers."""
    pairs: Sequence[Any] = list(labels.items()) if isinstance(labels, dict) else labels
    if not isinstance(pairs, list) or not pairs:
        actual = "none" if isinstance(pairs, list) else brief(labels)
        raise UsageError(f"{path}: labels: expected a name and a camera a picture, found {actual}; is it an EG3D data set's?")
    names, values = [], []
    for index, pair in enumerate(pairs):
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise UsageError(
                f"{path}: labels[{index}]: expected a name and {LABEL_SIZE} numbers, found {brief(pair)}; correct it"
            )
        name, value = pair
        if not isinstance(value, list) or len(value) != LABEL_SIZE or not set(map(type, value)) <= {float, int}:
            actual = f"{len(value)} values" if isinstance(value, list) and len(value) != LABEL_SIZE else brief(value)
            raise UsageError(
                f"{path}: labels: {brief(name)}: expected {LABEL_SIZE} numbers, cam2world and intrinsics, found {actual}; correct it"
            )
        names.append(name)
        values.append(value)
    return names, values


def _refuse(
    bad: NDArray[np.bool_], shown: NDArray[Any], names: Sequence[str], path: Path, expected: str, actual: str, remedy: str
) -> None:
    """Raise for the first entry that is bad; `actual` may show it by `{}`."""
    if bad.any():
        first = int(bad.argmax())
        text = actual.format(
            np.array2string(np.asarray(shown[first]), separator=", ", precision=6, threshold=12).replace("\n", "")
        )
        raise UsageError(f"{path}: labels: {brief(names[first])}: expected {expected}, found {text}; {remedy}")


def _check_poses(cam2world: Float64Array, names: Sequence[str], path: Path) -> None:
    last, place = cam2world[:, 3], cam2world[:, :3, 3]
    off = np.abs(last - (0.0, 0.0, 0.0, 1.0)).max(axis=1) > 1e-6
    _refuse(off, last, names, path, "a cam2world with the last row [0, 0, 0, 1]", "{}", "is the matrix transposed?")
    far = np.abs(place).max(axis=1) > MAX_SIZE
    _refuse(far, place, names, path, f"a camera within {MAX_SIZE:g} of the origin", "it at {}", "correct it")
    rotation = cam2world[:, :3, :3]
    with np.errstate(over="ignore", invalid="ignore"):  # huge entries are no rotation either
        error = np.abs(rotation.transpose(0, 2, 1) @ rotation - np.eye(3)).max(axis=(1, 2))
    axes = f"orthonormal axes within {ROTATION_TOLERANCE:g}"
    _refuse(~(error <= ROTATION_TOLERANCE), error, names, path, axes, "an error of {}", "remove scale and shear from the poses")
    mirrored = np.linalg.det(rotation) < 0
    _refuse(mirrored, error, names, path, "a right-handed rotation", "a mirrored one", "flip one of its axes back")
    distance = np.linalg.norm(place, axis=1)
    at_origin = distance <= ROUNDING * np.median(distance)
    _refuse(at_origin, place, names, path, "a camera off the world origin", "it at {}", "put what is seen at the origin")


def _check_intrinsics(intrinsics: Float64Array, names: Sequence[str], path: Path) -> None:
    rest = intrinsics.reshape(-1, 9)[:, [3, 6, 7, 8]]
    off = np.abs(rest - (0.0, 0.0, 0.0, 1.0)).max(axis=1) > 1e-6
    form = "intrinsics [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]"
    _refuse(off, intrinsics.reshape(-1, 9), names, path, form, "{}", "is the matrix transposed?")
    focals, centers = intrinsics[:, [0, 1], [0, 1]], intrinsics[:, :2, 2]
    small = focals.min(axis=1) < MIN_FOCAL
    _refuse(small, focals, names, path, f"focal lengths of at least {MIN_FOCAL}", "fx and fy {}", "flip axes in the pose instead")
    in_pixels = "divide the first row by the width and the second by the height"
    long = focals.max(axis=1) > MAX_FOCAL
    _refuse(long, focals, names, path, "intrinsics normalised by the image size", "focal lengths {}", in_pixels)
    aside = (centers.min(axis=1) < MIN_CENTER) | (centers.max(axis=1) > MAX_CENTER)
    _refuse(aside, centers, names, path, "intrinsics normalised by the image size", "the centre {}", in_pixels)


# What they say


def cameras_of_dataset(dataset: DatasetCameras, start: CameraConfig, world_up: WorldUp | None = None) -> CameraConfig:
    """Where a generator that was trained on these cameras is to be seen from.

    Radius (from the world origin), focal length and pitch are medians, the pivot is the point nearest to the optical axes, and the
    ranges are the middle 95% of yaw and pitch, so that "gaussian" views repeat a normal distribution's own mean and deviation. Yaws
    that leave no gap of `WIDEST_GAP_DEG` go all the way round. Numbers have six digits.

    Args:
        start: whose pivot is kept where the axes tell none.
        world_up: the world axis that points up; None: the one that the images' up leans to.

    Raises:
        UsageError: the cameras look away from what they see, or lean to another axis than +y and +z.
    """
    place = dataset.cam2world[:, :3, 3]
    radius = _six_digits(float(np.median(np.linalg.norm(place, axis=1))))
    kept = start.pivot if np.linalg.norm(start.pivot) < radius else (0.0, 0.0, 0.0)
    pivot = _pivot_of_axes(dataset, radius) or kept
    _check_axes(dataset, pivot)
    up: WorldUp = _leaning(dataset) if world_up is None else world_up
    checked_world_up(up)
    yaw_deg, pitch_deg = _angles_deg(place, up)
    return CameraConfig(
        radius=radius,
        pivot=pivot,
        focal=_six_digits(float(np.median(dataset.intrinsics[:, [0, 1], [0, 1]]))),
        world_up=up,
        pitch_deg=_six_digits(float(np.median(pitch_deg))),
        yaw_range_deg=_yaw_range_deg(yaw_deg),
        pitch_range_deg=_middle(pitch_deg),
    )


def describe_cameras(dataset: DatasetCameras, cameras: CameraConfig) -> str:
    """A remark of one line on what `cameras_of_dataset` made of them."""
    x, y, z = cameras.pivot
    kept = " (kept, the cameras tell none)" if _pivot_of_axes(dataset, cameras.radius) is None else ""
    text = (
        f"cameras of {dataset.path.name} ({len(dataset.cam2world):,}): radius {cameras.radius:g}, focal {cameras.focal:g}, "
        f"pivot {x:g} {y:g} {z:g}{kept}, {cameras.world_up} up"
    )
    for name, span in (("yaw", cameras.yaw_range_deg), ("pitch", cameras.pitch_range_deg)):
        if span is not None:
            text += f", {name} {span[0]:.4g} to {span[1]:.4g}"
    return f"{text} degrees"


def nearest_to_axes(dataset: DatasetCameras) -> Float64Array | None:
    """The point [3] nearest to the cameras' optical axes in the least-squares sense, world frame; None: the axes are too parallel.

    It minimises sum |(I - d d^T)(x - p)|^2 over positions p and directions d. Fitted anew twice to the 90% of the axes that pass nearest.
    """
    place, forward = dataset.cam2world[:, :3, 3], dataset.cam2world[:, :3, 2]
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]
    chosen = np.ones(len(place), dtype=bool)
    point = None
    for _ in range(3):
        matrix = across[chosen].mean(axis=0)
        if np.linalg.eigvalsh(matrix)[0] < MIN_SPREAD:
            return None
        point = np.linalg.solve(matrix, (across[chosen] @ place[chosen, :, None]).mean(axis=0)[:, 0])
        distance = np.linalg.norm((across @ (point - place)[:, :, None])[:, :, 0], axis=1)
        chosen = distance <= np.quantile(distance, 0.9)
    return point


def _pivot_of_axes(dataset: DatasetCameras, radius: float) -> tuple[float, float, float] | None:
    """What the cameras look at; None: they do not tell, or it is no nearer to the origin than they are."""
    nearest = nearest_to_axes(dataset)
    if nearest is None or np.linalg.norm(nearest) >= radius:
        return None
    x, y, z = (_six_digits(value) if abs(value) > ROUNDING * radius else 0.0 for value in nearest.tolist())
    return x, y, z


def _check_axes(dataset: DatasetCameras, pivot: tuple[float, float, float]) -> None:
    """Refuse cameras that look the other way: OpenGL's, whose axes y and z are the opposite of OpenCV's."""
    towards = np.asarray(pivot) - dataset.cam2world[:, :3, 3]
    if np.median((dataset.cam2world[:, :3, 2] * towards).sum(axis=1)) < 0:
        raise UsageError(
            f"{dataset.path}: expected cameras that look at what they see along +z (OpenCV axes: x right, y down, z forward), "
            "found most looking away; flip the second and third column of cam2world if its axes are OpenGL's"
        )


def _leaning(dataset: DatasetCameras) -> WorldUp:
    """The world axis that the mean image-up vector leans to most."""
    mean = -dataset.cam2world[:, :3, 1].mean(axis=0)
    axis = int(np.abs(mean).argmax())
    if axis == 0 or mean[axis] < MIN_LEAN:
        leans = f"{'-+'[int(mean[axis] > 0)]}{'xyz'[axis]}" if abs(mean[axis]) >= MIN_LEAN else "none"
        raise UsageError(
            f"{dataset.path}: expected pictures whose up leans to the world's +y or +z, found it to lean to {leans}; "
            "give --up y or --up z, or turn the cameras"
        )
    return "y" if axis == 1 else "z"


def _angles_deg(place: Float64Array, world_up: WorldUp) -> tuple[Float64Array, Float64Array]:
    """Yaw and pitch [N] of positions [N, 3], as `camera_arcs.sphere_angles` has them."""
    x, y, z = (place @ ENGINE_TO_BLENDER[:3, :3] if world_up == "z" else place).T
    return np.degrees(np.arctan2(x, z)), np.degrees(np.arctan2(y, np.hypot(x, z)))


def _yaw_range_deg(yaw_deg: Float64Array) -> tuple[float, float]:
    """The middle of yaws [N], which are cut where their circle is emptiest."""
    ordered = np.sort(yaw_deg)
    gaps = np.diff(ordered, append=ordered[0] + 360.0)
    widest = int(gaps.argmax())
    if gaps[widest] < WIDEST_GAP_DEG:
        return -180.0, 180.0
    unwrapped = np.concatenate([ordered[widest + 1 :] - 360.0, ordered[: widest + 1]])
    middle = (unwrapped[0] + unwrapped[-1]) / 2
    return _middle(unwrapped - 360.0 * round(middle / 360.0))


def _middle(angles_deg: Float64Array) -> tuple[float, float]:
    low, high = np.percentile(angles_deg, OUTER_PERCENT).tolist()
    return _six_digits(low), _six_digits(high)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")
