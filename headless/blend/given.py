"""Cameras that the user gives: a cameras.json, or a shot of a .blend file."""

from __future__ import annotations

from pathlib import Path

from dnerf_core.camera import Camera, WorldUp, cameras_from_json
from dnerf_core.errors import UsageError
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.limits import MAX_RESOLUTION, MAX_VIEWS, MIN_RESOLUTION
from headless.datasets.given_cameras import GivenCameras


def read_given_cameras(path: Path, world_up: WorldUp, option: str = "--cameras") -> GivenCameras:
    """The views of a cameras.json, or the frames of a .blend file's active camera.

    Args:
        option: that names the file, for errors.

    Raises:
        UsageError: the file cannot be used, has too many views, or Blender is needed and not installed.
    """
    given = _read_blend(path, world_up, option) if path.suffix.lower() == ".blend" else _read_json(path, option)
    if len(given.cameras) > MAX_VIEWS:
        raise UsageError(f"{path}: expected at most {MAX_VIEWS} views, found {len(given.cameras)}; leave some out")
    return given


def read_one_camera(path: Path, world_up: WorldUp, seen: str) -> Camera:
    """The one view of the file that `--camera` names.

    Args:
        seen: what was seen by it, for errors.

    Raises:
        UsageError: the file cannot be used, or has more than one view, or none.
    """
    cameras = read_given_cameras(path, world_up, "--camera").cameras
    if len(cameras) != 1:
        raise UsageError(f"--camera {path}: expected one view, found {len(cameras)}; keep the one of the {seen}")
    return cameras[0]


def _read_json(path: Path, option: str) -> GivenCameras:
    try:
        text = read_regular_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {path}: expected a cameras.json or a .blend file, it cannot be read ({error})") from error
    return GivenCameras(tuple(cameras_from_json(text, str(path)).values()), path.name)


def _read_blend(path: Path, world_up: WorldUp, option: str) -> GivenCameras:
    from headless.blend.module import need_blender

    need_blender(f"{option} {path}")
    from headless.blend.shot import read_shot

    squares = read_shot(path, world_up)
    sides = {square.side_px for square in squares}
    if len(sides) > 1:
        raise UsageError(f"{path}: expected one render size, found {len(sides)} along the frames; do not animate it")
    return GivenCameras(tuple(square.camera for square in squares), path.name, sides.pop())


def checked_side(given: GivenCameras, path: Path) -> int | None:
    """The side that a file asks for, where `--resolution` does not say.

    Raises:
        UsageError: one that is out of range.
    """
    if given.side_px is not None and not MIN_RESOLUTION <= given.side_px <= MAX_RESOLUTION:
        raise UsageError(
            f"{path}: expected a render size from {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels, found {given.side_px}; give --resolution"
        )
    return given.side_px
