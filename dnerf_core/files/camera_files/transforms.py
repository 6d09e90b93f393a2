"""`transforms.json` of nerfstudio, instant-ngp and the NeRF data sets.

Convention: `transform_matrix` is camera to world, row by row, with OpenGL camera axes (x right, y up, z back). Focal lengths and centres
are pixels, the first pixel's centre at (0.5, 0.5); `camera_angle_x` and `camera_angle_y` are the whole angles of view in radians.
Poses are taken in the file's world: nerfstudio's `applied_transform` and `applied_scale` tell what has already been done to them, and
instant-ngp's `scale`, `offset` and `aabb_scale` what that program does to them for itself. None of these is applied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnerf_core.errors import UsageError, brief
from dnerf_core.files.camera_files.views import (
    CameraFile,
    FileView,
    focal_of_angle,
    number_of,
    opengl_camera,
    over_size,
    side_of,
)

NAME = "transforms.json (nerfstudio, instant-ngp)"
PINHOLE_MODELS = ("PERSPECTIVE", "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
"""Camera models that are a pinhole where their distortion is 0."""
DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "s1", "s2", "s3", "s4")
OTHER_LENSES = ("is_fisheye", "ftheta_lens", "latlong", "rolling_shutter")
"""What instant-ngp knows of lenses that are no pinhole."""
UNDISTORT = "undistort the pictures first, whose cameras then have none"
_LENS = ("fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov", "camera_model", *DISTORTION)


def recognises(data: dict[str, Any]) -> bool:
    """Whether an object has this format's form."""
    return "frames" in data


def read(data: dict[str, Any], path: Path) -> CameraFile:
    """The frames of a transforms.json, named by their `file_path`.

    Raises:
        UsageError: no list of frames, or a frame that is no object.
    """
    frames = data["frames"]
    if not isinstance(frames, list) or not frames:
        raise UsageError(f"{path}: frames: expected a list of at least one view, found {brief(frames)}; is it a transforms.json?")
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict) or "transform_matrix" not in frame:
            raise UsageError(f"{path}: frames[{index}]: expected an object with a transform_matrix, found {brief(frame)}; add it")
    names = tuple(_name(frame, index) for index, frame in enumerate(frames))
    return CameraFile(
        path, NAME, names, lambda index: _view(data, frames[index], f"{path}: frames[{index}] {brief(names[index])}")
    )


def _name(frame: Mapping[str, Any], index: int) -> str:
    name = frame.get("file_path")
    return name if isinstance(name, str) and name else f"frame {index}"


def _view(shared: Mapping[str, Any], frame: Mapping[str, Any], where: str) -> FileView:
    lens = _lens(shared, frame, where)
    _check_pinhole(lens, {**shared, **frame}, where)
    width, height = (side_of(number_of(lens, key, where), key, where) for key in ("w", "h"))
    if (width is None) != (height is None):
        raise UsageError(f"{where}: expected both w and h, found one of them; add the other")
    size_px = None if width is None or height is None else (width, height)
    intrinsics = _by_angles(lens, where) if size_px is None else _by_pixels(lens, size_px, where)
    return FileView(opengl_camera(frame["transform_matrix"], intrinsics, "transform_matrix", where), size_px)


def _lens(shared: Mapping[str, Any], frame: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What is told of a frame's lens, at the top of the file or in the frame.

    Raises:
        UsageError: both tell it, differently: nerfstudio takes the file's, instant-ngp the frame's.
    """
    lens: dict[str, Any] = {}
    for key in _LENS:
        values = [source[key] for source in (shared, frame) if source.get(key) is not None]
        if len(values) == 2 and values[0] != values[1]:
            raise UsageError(
                f"{where}: {key}: expected it once, found {brief(values[0])} for all frames and {brief(values[1])} for this one; "
                "keep one of them"
            )
        if values:
            lens[key] = values[0]
    return lens


def _check_pinhole(lens: Mapping[str, Any], all_keys: Mapping[str, Any], where: str) -> None:
    model = lens.get("camera_model", PINHOLE_MODELS[0])
    if model not in PINHOLE_MODELS:
        raise UsageError(f"{where}: camera_model: expected a pinhole, found {brief(model)}; {UNDISTORT}")
    for key in OTHER_LENSES:
        if (value := all_keys.get(key)) and value not in ([0, 0, 0, 0], [0.0, 0.0, 0.0, 0.0]):
            raise UsageError(f"{where}: {key}: expected a pinhole, found {brief(value)}; {UNDISTORT}")
    for key in DISTORTION:
        if number_of(lens, key, where):
            raise UsageError(f"{where}: {key}: expected no distortion, found {lens[key]:g}; {UNDISTORT}")


def _by_angles(lens: Mapping[str, Any], where: str) -> list[list[float]]:
    """Intrinsics of a file that tells no size: its pictures are squares, as those of the NeRF data sets are."""
    if any(key in lens for key in ("fl_x", "fl_y", "cx", "cy")):
        raise UsageError(
            f"{where}: expected w and h beside intrinsics in pixels, found neither; add the pictures' width and height"
        )
    across, down = _angle(lens, "x", where), _angle(lens, "y", where)
    if across is None and down is None:
        raise UsageError(f"{where}: expected fl_x, w and h, or camera_angle_x, found none of them; add them")
    fx, fy = across or down, down or across
    assert fx is not None
    assert fy is not None
    return [[fx, 0.0, 0.5], [0.0, fy, 0.5], [0.0, 0.0, 1.0]]


def _by_pixels(lens: Mapping[str, Any], size_px: tuple[int, int], where: str) -> list[list[float]]:
    focals: dict[str, float | None] = {}
    for axis, side_px in zip("xy", size_px, strict=True):
        over_side = _angle(lens, axis, where)
        pixels = number_of(lens, f"fl_{axis}", where)
        focals[axis] = pixels if pixels is not None or over_side is None else over_side * side_px
    # one focal length in pixels is that of both sides: pixels are square
    fx = focals["x"] if focals["x"] is not None else focals["y"]
    fy = focals["y"] if focals["y"] is not None else focals["x"]
    if fx is None or fy is None:
        raise UsageError(f"{where}: expected fl_x or camera_angle_x, found neither; add it")
    center = [number_of(lens, key, where) for key in ("cx", "cy")]
    cx, cy = (side / 2 if value is None else value for value, side in zip(center, size_px, strict=True))
    return over_size(fx, fy, cx, cy, size_px)


def _angle(lens: Mapping[str, Any], axis: str, where: str) -> float | None:
    """The focal length over its side that an angle of view means; None: none is told."""
    key = f"camera_angle_{axis}"
    angle_rad = number_of(lens, key, where)
    if (degrees := number_of(lens, f"{axis}_fov", where)) is not None:
        key, angle_rad = f"{axis}_fov", math.radians(degrees)
    return None if angle_rad is None else focal_of_angle(angle_rad, key, where)
