"""Which format a file of cameras has, by what it holds. To add one is to add a module, and a line here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from dnerf_core.camera import Camera, WorldUp
from dnerf_core.errors import UsageError, brief, json_fault
from dnerf_core.files.camera_files import camera_path, colmap, labels, own, transforms
from dnerf_core.files.camera_files.turning import FileUp, turned
from dnerf_core.files.camera_files.views import CameraFile
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.text import read_user_text

KINDS = "a cameras.json, a transforms.json, a camera_path.json, an EG3D dataset.json or COLMAP's text model"


class JsonFormat(Protocol):
    """A format that is a JSON object: a module with these names."""

    NAME: str

    def recognises(self, data: dict[str, Any]) -> bool:
        """Whether an object has its form."""

    def read(self, data: dict[str, Any], path: Path) -> CameraFile:
        """Its views."""


JSON_FORMATS: tuple[JsonFormat, ...] = (own, camera_path, transforms, labels)
"""In the order in which they are asked."""


def read_camera_file(path: str | Path, option: str = "", others: str = "") -> CameraFile:
    """The views of a file of any format, or of the folder of a COLMAP model.

    Args:
        option: that names the file, for errors; "": none does.
        others: what it might name instead, for errors: "arc, orbit, ".

    Raises:
        UsageError: it cannot be read, or is none of the formats.
    """
    path = Path(path)
    if path.is_dir():
        return colmap.read_folder(path)
    text = read_user_text(path, others + KINDS, "is it another file?", option=option)
    if colmap.recognises(text):
        return colmap.read_folder(path.parent)
    try:
        data = without_surrogates(json.loads(text, parse_int=_whole))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected JSON, found {json_fault(error)}; is it a cameras file?") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}: expected a JSON object with views, found {type(data).__name__}; is it a cameras file?")
    for form in JSON_FORMATS:
        if form.recognises(data):
            return form.read(data, path)
    raise UsageError(f"{path}: expected {KINDS}, found an object with {brief(sorted(data))}; is it another file?")


def read_cameras(path: str | Path, up: FileUp | None = None, world_up: WorldUp = "y") -> dict[str, Camera]:
    """The cameras of a file of any format by name, in its order, each of the enclosing square of its picture.

    Convention: OpenCV axes, intrinsics normalised by the square's side.

    Args:
        path: a file, or the folder of a COLMAP model.
        up: the axis that points up in the file's world, which is turned to one with `world_up` up; None: it is taken as it is.

    Raises:
        UsageError: it cannot be read, is none of the formats, or has a name twice.
    """
    file = read_camera_file(path)
    cameras: dict[str, Camera] = {}
    for index, name in enumerate(file.names):
        if name in cameras:
            raise UsageError(f"{path}: expected a new name for view {index}, found {brief(name)} again; rename one of the two")
        camera = file.view(index).squared("pad")
        cameras[name] = camera if up is None else turned(camera, up, world_up)
    return cameras


def _whole(text: str) -> int | float:
    """A whole number; one of more digits than any that is meant becomes a float, at once and whatever its length."""
    return int(text) if len(text) <= 18 else float(text)
