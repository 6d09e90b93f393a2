"""`camera_path.json`, the path that nerfstudio's viewer and its Blender add-on write.

Convention: `camera_to_world` is 16 numbers row by row with OpenGL camera axes (x right, y up, z back), in the world that the viewer shows;
`fov` is the vertical angle of view in degrees, pixels are square, and the centre is the picture's. The views are those of `camera_path`;
`keyframes` are the places between which they were made, and are not read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnerf_core.camera_frames import finite_array
from dnerf_core.errors import UsageError, brief
from dnerf_core.files.camera_files.views import CameraFile, FileView, focal_of_angle, number_of, opengl_camera, side_of

NAME = "camera_path.json (nerfstudio)"


def recognises(data: dict[str, Any]) -> bool:
    """Whether an object has this format's form."""
    return "camera_path" in data


def read(data: dict[str, Any], path: Path) -> CameraFile:
    """The views of a camera_path.json.

    Raises:
        UsageError: no views, no perspective, or no size.
    """
    views = data["camera_path"]
    if not isinstance(views, list) or not views:
        raise UsageError(
            f"{path}: camera_path: expected a list of at least one view, found {brief(views)}; generate the path before it is written"
        )
    kind = data.get("camera_type", "perspective")
    if not isinstance(kind, str) or kind.lower() != "perspective":
        raise UsageError(f"{path}: camera_type: expected perspective, found {brief(kind)}; write a path of perspective views")
    size_px = _size(data, views[0], str(path))
    names = tuple(f"camera_path[{index}]" for index in range(len(views)))
    aspect = 1.0 if size_px is None else size_px[0] / size_px[1]
    return CameraFile(
        path, NAME, names, lambda index: _view(views[index], aspect, size_px, f"{path}: {names[index]}"), render_px=size_px
    )


def _size(data: Mapping[str, Any], first: Any, where: str) -> tuple[int, int] | None:
    width, height = (side_of(number_of(data, key, where), key, where) for key in ("render_width", "render_height"))
    if width is not None and height is not None:
        return width, height
    aspect = number_of(first, "aspect", where) if isinstance(first, dict) else None
    if width is not None or height is not None or aspect not in (None, 1.0):
        raise UsageError(f"{where}: expected render_width and render_height, found not both; add them")
    return None


def _view(view: Any, aspect: float, size_px: tuple[int, int] | None, where: str) -> FileView:
    if not isinstance(view, dict) or "camera_to_world" not in view:
        raise UsageError(f"{where}: expected an object with camera_to_world, found {brief(view)}; add it")
    fov_deg = number_of(view, "fov", where)
    if fov_deg is None:
        raise UsageError(f"{where}: expected fov, the vertical angle of view in degrees, found none; add it")
    fy = focal_of_angle(math.radians(fov_deg), "fov", where)
    rows = finite_array(view["camera_to_world"], (16,), f"{where}: camera_to_world").reshape(4, 4)
    intrinsics = [[fy / aspect, 0.0, 0.5], [0.0, fy, 0.5], [0.0, 0.0, 1.0]]
    return FileView(opengl_camera(rows, intrinsics, "camera_to_world", where), size_px)
