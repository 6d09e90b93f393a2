"""What every format of camera files is read to: named views, each built and checked when it is asked for (numpy only)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dnerf_core.camera import Camera, Float64Array, focal_from_fov
from dnerf_core.camera_frames import checked_intrinsics, checked_pose, refuse_pixels
from dnerf_core.errors import UsageError, brief
from dnerf_core.files.squares import Fit, square_of

MAX_SIDE_PX = 1_000_000
"""Of the picture that a view is of."""
SAME_SHAPE = 0.01
"""Two pictures whose width over height differ by no more than this share have the same shape."""


@dataclass(frozen=True, eq=False)
class FileView:
    """One view of a file.

    Attributes:
        camera: OpenCV axes, the file's world; intrinsics normalised by the width and the height of its picture.
        size_px: width and height of the picture; None: the file does not say.
        of_square: whether the picture is the square one that the engine sees, and not one of any shape that is made square first.
    """

    camera: Camera
    size_px: tuple[int, int] | None = None
    of_square: bool = False

    def squared(self, fit: Fit, picture_px: tuple[int, int] | None = None, where: str = "the picture") -> Camera:
        """The camera of the square that `fit` makes of the view's picture.

        Args:
            fit: how; "pad" is the enclosing square.
            picture_px: width and height of the picture itself, which may be a smaller copy; None: `size_px`.
            where: the picture, for errors.

        Raises:
            UsageError: the picture has another shape than the camera's, or the square shows nothing of it.
        """
        size = picture_px or self.size_px
        if self.of_square or size is None:
            return self.camera
        if self.size_px is not None and abs(math.log(size[0] * self.size_px[1] / (size[1] * self.size_px[0]))) > SAME_SHAPE:
            raise UsageError(
                f"{where}: expected the shape of its camera's picture, {self.size_px[0]} x {self.size_px[1]} px, found "
                f"{size[0]} x {size[1]}; give the picture that the camera belongs to, turned as it was"
            )
        square = square_of(*size, fit, where)
        if (square.left_px, square.top_px, square.side_px, square.side_px) == (0, 0, *size):
            return self.camera
        pixels = self.camera.pixel_intrinsics(size)
        pixels[:2, 2] -= square.left_px, square.top_px
        return Camera(self.camera.cam2world, np.diag([1 / square.side_px, 1 / square.side_px, 1.0]) @ pixels)


@dataclass(frozen=True, eq=False)
class CameraFile:
    """The views of a file, in its order.

    Attributes:
        path: the file, or the folder.
        format: what it is, for people.
        names: of the views; a name may occur again.
        view: gives a view by its number; it raises a UsageError that names file and view where it is no camera.
        own: whether it is this program's own format, whose cameras are in a model's world.
        render_px: the size that the file asks pictures to be rendered at; None: it does not.
    """

    path: Path
    format: str
    names: tuple[str, ...]
    view: Callable[[int], FileView]
    own: bool = False
    render_px: tuple[int, int] | None = None


def opengl_camera(pose: ArrayLike, intrinsics: ArrayLike, what: str, where: str) -> Camera:
    """A camera of a pose with OpenGL axes and normalised intrinsics [3, 3].

    Args:
        pose: [4, 4], or [3, 4] without the last row.
        what: the pose's name in the file.
        where: file and view, for errors.

    Raises:
        UsageError: it is no camera.
    """
    rows = pose if not isinstance(pose, list) or len(pose) != 3 else [*pose, [0.0, 0.0, 0.0, 1.0]]
    return Camera.from_opengl(checked_pose(rows, f"{where}: {what}"), normalised(intrinsics, where))


def normalised(intrinsics: ArrayLike, where: str) -> Float64Array:
    """Checked intrinsics [3, 3], normalised by the image size.

    Raises:
        UsageError: they are none, or in pixels.
    """
    checked = checked_intrinsics(intrinsics, f"{where}: intrinsics")
    refuse_pixels(checked, f"{where}: intrinsics")
    return checked


def over_size(fx: float, fy: float, cx: float, cy: float, size_px: tuple[int, int]) -> list[list[float]]:
    """Normalised intrinsics of focal lengths and a centre in pixels of a picture of this width and height."""
    width, height = size_px
    return [[fx / width, 0.0, cx / width], [0.0, fy / height, cy / height], [0.0, 0.0, 1.0]]


def number_of(data: Mapping[str, Any], key: str, where: str) -> float | None:
    """The number that an object has by this key; None: it has none.

    Raises:
        UsageError: it is no finite number.
    """
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where}: {key}: expected a finite number, found {brief(value)}; correct it")
    return float(value)


def side_of(value: float | None, key: str, where: str) -> int | None:
    """A picture's side in whole pixels; None: it is not told.

    Raises:
        UsageError: it is none.
    """
    if value is None:
        return None
    if not 1 <= value <= MAX_SIDE_PX or value != int(value):
        raise UsageError(f"{where}: {key}: expected whole pixels from 1 to {MAX_SIDE_PX}, found {value:g}; correct it")
    return int(value)


def focal_of_angle(angle_rad: float, key: str, where: str) -> float:
    """Normalised focal length of a side that is seen under an angle.

    Raises:
        UsageError: no angle between 0 and 180 degrees.
    """
    if not 0.0 < angle_rad < math.pi:
        raise UsageError(
            f"{where}: {key}: expected a field of view between 0 and 180 degrees, found {math.degrees(angle_rad):g} degrees; correct it"
        )
    return focal_from_fov(angle_rad)
