"""`transforms.json` as nerfstudio, instant-ngp and the readers of the NeRF data sets take it: what is written (`transforms` reads it).

Convention: `transform_matrix` is camera to world with OpenGL camera axes (x right, y up, z back), the world as the cameras have it; fl_x,
fl_y, cx and cy are pixels of w x h, the centre of the first pixel at (0.5, 0.5); `camera_angle_x` and `camera_angle_y` are the whole
angles of view in radians. `aabb_scale` is instant-ngp's: how many times the unit cube its scene is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ...camera import Camera


@dataclass(frozen=True, eq=False)
class NerfView:
    """One frame of a transforms.json.

    Attributes:
        file_path: of its image, relative to the file.
        camera: intrinsics normalised by the picture's width and height.
        size_px: width and height of the picture.
    """

    file_path: str
    camera: Camera
    size_px: tuple[int, int]


def lens_json(camera: Camera, size_px: tuple[int, int]) -> dict[str, Any]:
    """What a transforms.json says of a lens, without distortion."""
    pixels = camera.pixel_intrinsics(size_px)
    return {
        "camera_model": "OPENCV",
        "w": size_px[0],
        "h": size_px[1],
        "fl_x": float(pixels[0, 0]),
        "fl_y": float(pixels[1, 1]),
        "cx": float(pixels[0, 2]),
        "cy": float(pixels[1, 2]),
        **{key: 0.0 for key in ("k1", "k2", "p1", "p2")},
    }


def angles_json(camera: Camera) -> dict[str, float]:
    """The angles of view that a lens has about the middle of its picture: all that readers of the NeRF data sets know of it."""
    across, down = (2.0 * math.atan(0.5 / float(camera.intrinsics[axis, axis])) for axis in (0, 1))
    return {"camera_angle_x": across, "camera_angle_y": down}


def transforms_json(views: Sequence[NerfView], *, aabb_scale: int | None = None, ply_file: str | None = None) -> dict[str, Any]:
    """The content of a transforms.json. The lens stands once where all views have the same, else in each frame.

    Args:
        aabb_scale: see the module; None: it does not say.
        ply_file: the name of a cloud beside it, which Gaussian splatting begins with; None: there is none.
    """
    lenses = [{**angles_json(view.camera), **lens_json(view.camera, view.size_px)} for view in views]
    is_shared = all(lens == lenses[0] for lens in lenses)
    frames = [
        {"file_path": view.file_path, **({} if is_shared else lens), "transform_matrix": view.camera.to_opengl().tolist()}
        for view, lens in zip(views, lenses, strict=True)
    ]
    return {
        **(lenses[0] if is_shared else {}),
        **({} if aabb_scale is None else {"aabb_scale": aabb_scale}),
        **({} if ply_file is None else {"ply_file_path": ply_file}),
        "frames": frames,
    }
