"""Cameras that the user gives: a file of any format of `dnerf_core.files.camera_files`, or a shot of a .blend file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError
from dnerf_core.files.camera_files.registry import read_camera_file
from dnerf_core.files.camera_files.turning import FileUp, leaning, turned
from dnerf_core.files.camera_files.views import CameraFile
from dnerf_core.limits import MAX_RESOLUTION, MAX_VIEWS, MIN_RESOLUTION
from headless.cameras.seen_box import check_seen
from headless.datasets.given_cameras import GivenCameras

if TYPE_CHECKING:
    from dnerf_core.backbone.specs import BackboneConfig


def read_given_cameras(
    path: Path, config: BackboneConfig, up: FileUp | None = None, *, option: str = "--cameras", most: int = MAX_VIEWS
) -> GivenCameras:
    """The views of a file of cameras, or the frames of a .blend file's active camera, in the model's world.

    Args:
        config: the model's.
        up: the axis that points up in the file's world, which is turned to the model's; None: the file's world is the model's.
        option: that names the file, for errors.
        most: views at most.

    Raises:
        UsageError: the file cannot be used, has too many views, none that sees anything, or Blender is needed and not installed.
    """
    given = _read_blend(path, config, up, option, most) if is_blend(path) else _read_views(path, config, up, option, most)
    remarks = check_seen(given.cameras, given.names, config, f"{option} {path}")
    return GivenCameras(given.cameras, given.file_name, given.side_px, given.names, given.world_line, (*given.remarks, *remarks))


def chosen_cameras(
    path: Path | None, config: BackboneConfig, up: FileUp | None, resolution_px: int | None
) -> tuple[GivenCameras | None, int | None]:
    """The views of a call's `--cameras`, and the side that their file asks for; None, each: there is no such file, or the call says a side.

    Raises:
        UsageError: see `read_given_cameras` and `checked_side`, or `--cameras-up` without a file.
    """
    if path is None:
        if up is not None:
            raise UsageError(f"--cameras-up {up}: expected --cameras beside it, found none; give the file, or leave it out")
        return None, None
    given = read_given_cameras(path, config, up)
    return given, None if resolution_px is not None else checked_side(given, path)


def read_one_view(path: Path, config: BackboneConfig, seen: str, up: FileUp | None = None) -> GivenCameras:
    """The one view of the file that `--camera` names.

    Args:
        seen: what was seen by it, for errors.

    Raises:
        UsageError: the file cannot be used, or has more than one view, or none.
    """
    given = read_given_cameras(path, config, up, option="--camera")
    if len(given.cameras) != 1:
        raise UsageError(f"--camera {path}: expected one view, found {len(given.cameras)}; keep the one of the {seen}")
    return given


def is_blend(path: Path) -> bool:
    """Whether it is Blender's, by its name."""
    return path.suffix.lower() == ".blend"


def _read_views(path: Path, config: BackboneConfig, up: FileUp | None, option: str, most: int) -> GivenCameras:
    file = read_camera_file(path, option, "arc, orbit, " if option == "--path" else "")
    _check_count(path, len(file.names), most)
    cameras = [file.view(index).squared("pad") for index in range(len(file.names))]
    return GivenCameras(
        tuple(in_model_world(camera, config, up) for camera in cameras),
        path.name,
        None if file.render_px is None else max(file.render_px),
        file.names,
        None if file.own and up is None else world_line(file, config, up),
        tuple(foreign_up(cameras, config, f"{option} {path}") if up is None and not file.own else ()),
    )


def in_model_world(camera: Camera, config: BackboneConfig, up: FileUp | None) -> Camera:
    """A file's camera as the model's world has it."""
    return camera if up is None else turned(camera, up, config.cameras.world_up)


def world_line(file: CameraFile, config: BackboneConfig, up: FileUp | None) -> str:
    """What is told of the world in which cameras of other programs are taken."""
    own = config.cameras.world_up
    frame = f"taken as they are in the model's world, {own} up" if up is None else f"turned from {up} up to the model's {own} up"
    count = len(file.names)
    return f"cameras: {count} view{'' if count == 1 else 's'} of {file.path}, {file.format}, {frame}"


def foreign_up(cameras: Sequence[Camera], config: BackboneConfig, where: str) -> list[str]:
    """A remark on cameras whose pictures have another axis up than the model's world; none where they do not."""
    axis, own = leaning(cameras, config.cameras.world_up), config.cameras.world_up
    if axis is None:
        return []
    return [
        f"{where}: expected pictures with {own} up, as {config.name} has it, found {axis} up; the cameras are taken as they are, "
        f"--cameras-up {axis} turns them"
    ]


def _check_count(path: Path, count: int, most: int) -> None:
    if count > most:
        raise UsageError(f"{path}: expected at most {most} views, found {count}; leave some out")


def _read_blend(path: Path, config: BackboneConfig, up: FileUp | None, option: str, most: int) -> GivenCameras:
    from headless.blend.module import need_blender

    if up is not None:
        raise UsageError(f"--cameras-up: expected none beside {path}, which has Blender's z up; leave it out")
    need_blender(f"{option} {path}")
    from headless.blend.shot import read_shot

    squares = read_shot(path, config.cameras.world_up)
    _check_count(path, len(squares), most)
    sides = {square.side_px for square in squares}
    if len(sides) > 1:
        raise UsageError(f"{path}: expected one render size, found {len(sides)} along the frames; do not animate it")
    names = tuple(f"view {index}" for index in range(len(squares)))
    return GivenCameras(tuple(square.camera for square in squares), path.name, sides.pop(), names)


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
