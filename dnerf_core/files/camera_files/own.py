"""This program's own `cameras.json`; see `dnerf_core.camera.cameras_to_json`. Its world is the model's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.camera import cameras_from_json
from dnerf_core.files.camera_files.views import CameraFile, FileView

NAME = "cameras.json"


def recognises(data: dict[str, Any]) -> bool:
    """Whether an object has this format's form."""
    return "views" in data or "version" in data


def read(data: dict[str, Any], path: Path) -> CameraFile:
    """The views of a cameras.json.

    Those of a video that was cut out of squares have pictures of another shape, which "image_size_px" tells.

    Raises:
        UsageError: it is none, or a view is no camera.
    """
    cameras = cameras_from_json(data, str(path))
    size_px = _shape(data.get("image_size_px"))
    views = [FileView(camera, size_px, of_square=size_px is None) for camera in cameras.values()]
    return CameraFile(path, NAME, tuple(cameras), views.__getitem__, own=True)


def _shape(size_px: Any) -> tuple[int, int] | None:
    """Width and height of pictures that are no squares; None: they are, or it is not told."""
    sides = size_px if isinstance(size_px, list) else []
    if len(sides) != 2 or any(isinstance(side, bool) or not isinstance(side, int) or side < 1 for side in sides):
        return None
    return None if sides[0] == sides[1] else (sides[0], sides[1])
