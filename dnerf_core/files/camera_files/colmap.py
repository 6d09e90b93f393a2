"""COLMAP's sparse model as text: `cameras.txt` and `images.txt` of a folder.

Convention: a line of `cameras.txt` is CAMERA_ID MODEL WIDTH HEIGHT PARAMS, in pixels, the first pixel's centre at (0.5, 0.5). An image has
two lines: IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, its rotation and translation from world to camera with OpenCV axes, and one of
points, which may be empty and is not read. The views are in the order of their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnerf_core.camera import Camera, Float64Array
from dnerf_core.errors import UsageError, brief
from dnerf_core.files.camera_files.transforms import UNDISTORT
from dnerf_core.files.camera_files.views import CameraFile, FileView, normalised, over_size, side_of
from dnerf_core.files.text import read_user_text

NAME = "COLMAP's text model"
CAMERAS_TXT, IMAGES_TXT = "cameras.txt", "images.txt"
PARAMETERS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
"""Of models that are a pinhole where their distortion is 0."""
UNIT_TOLERANCE = 1e-3
"""Of a quaternion's length."""


@dataclass(frozen=True)
class _Image:
    name: str
    camera_id: str
    pose: tuple[float, ...]
    line: int


def recognises(text: str) -> bool:
    """Whether a text's first line that is no comment is one of either file."""
    fields = next((line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), [])
    return _is_camera(fields) or _is_image(fields)


def read_folder(folder: Path) -> CameraFile:
    """The views of the model in a folder.

    Raises:
        UsageError: a file is missing, or cannot be used.
    """
    binary = [name for name in ("cameras.bin", "images.bin") if (folder / name).is_file()]
    for name in (CAMERAS_TXT, IMAGES_TXT):
        if not (folder / name).is_file():
            actual, remedy = "none", "name a file of cameras, or the folder of a COLMAP model as text"
            if binary:
                actual, remedy = binary[0], "convert it by colmap model_converter --output_type TXT"
            raise UsageError(f"{folder}: expected {CAMERAS_TXT} and {IMAGES_TXT}, found {actual}; {remedy}")
    lenses = _lenses(folder / CAMERAS_TXT)
    path = folder / IMAGES_TXT
    images = sorted(_images(path), key=lambda image: image.name)
    if not images:
        raise UsageError(f"{path}: expected at least one image, found none; is it COLMAP's?")

    def view(index: int) -> FileView:
        image = images[index]
        where = f"{path}: line {image.line}: {brief(image.name)}"
        if image.camera_id not in lenses:
            raise UsageError(f"{where}: expected a camera of {CAMERAS_TXT}, found {image.camera_id}; add it there")
        intrinsics, size_px = lenses[image.camera_id]
        return FileView(Camera(_cam2world(image.pose, where), intrinsics), size_px)

    return CameraFile(folder, NAME, tuple(image.name for image in images), view)


def _lenses(path: Path) -> dict[str, tuple[Float64Array, tuple[int, int]]]:
    """Normalised intrinsics and size of each camera, by its id."""
    found = {}
    for number, line in enumerate(read_user_text(path, NAME).splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        where = f"{path}: line {number}"
        if not _is_camera(fields):
            raise UsageError(f"{where}: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS, found {brief(line)}; correct it")
        model, names = fields[1], PARAMETERS.get(fields[1])
        if names is None:
            raise UsageError(f"{where}: expected a pinhole, such as {' or '.join(PARAMETERS)}, found {brief(model)}; {UNDISTORT}")
        if len(fields) != 4 + len(names):
            raise UsageError(
                f"{where}: expected {len(names)} parameters of {model}, {' '.join(names)}, found {len(fields) - 4}; correct it"
            )
        sides = (side_of(float(text), key, where) for text, key in zip(fields[2:4], ("WIDTH", "HEIGHT"), strict=True))
        width, height = (side or 0 for side in sides)
        values = dict(zip(names, map(float, fields[4:]), strict=True))
        for key, value in values.items():
            if key[0] in "kp" and value:
                raise UsageError(f"{where}: {key}: expected no distortion, found {value:g}; {UNDISTORT}")
        fx, fy = (values.get(key, values.get("f", 0.0)) for key in ("fx", "fy"))
        found[fields[0]] = normalised(over_size(fx, fy, values["cx"], values["cy"], (width, height)), where), (width, height)
    return found


def _images(path: Path) -> list[_Image]:
    images, points_next = [], False
    for number, line in enumerate(read_user_text(path, NAME).splitlines(), start=1):
        fields = line.split()
        if points_next and _are_points(fields):
            points_next = False
            continue
        if not fields or fields[0].startswith("#"):
            continue
        if not _is_image(fields):
            raise UsageError(
                f"{path}: line {number}: expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, found {brief(line)}; correct it"
            )
        images.append(_Image(" ".join(fields[9:]), fields[8], tuple(map(float, fields[1:8])), number))
        points_next = True
    return images


def _cam2world(pose: tuple[float, ...], where: str) -> Float64Array:
    """The pose [4, 4] of QW QX QY QZ TX TY TZ."""
    quaternion, translation = np.array(pose[:4]), np.array(pose[4:])
    with np.errstate(over="ignore", invalid="ignore"):
        length = float(np.linalg.norm(quaternion))
    if not abs(length - 1.0) <= UNIT_TOLERANCE or not np.abs(translation).max() < np.inf:
        raise UsageError(f"{where}: expected a unit quaternion and a finite translation, found {brief(list(pose))}; correct it")
    w, x, y, z = quaternion / length
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    cam2world = np.eye(4)
    cam2world[:3, :3] = rotation.T
    cam2world[:3, 3] = -rotation.T @ translation
    if not np.abs(cam2world[:3, 3]).max() <= 1e6:
        raise UsageError(f"{where}: expected a camera within 1e+06 of the origin, found {brief(list(pose))}; correct it")
    return cam2world


def _is_camera(fields: list[str]) -> bool:
    return len(fields) >= 5 and fields[0].isdigit() and not _is_number(fields[1]) and all(map(_is_number, fields[2:]))


def _is_image(fields: list[str]) -> bool:
    return len(fields) >= 10 and fields[0].isdigit() and all(map(_is_number, fields[1:8])) and fields[8].isdigit()


def _are_points(fields: list[str]) -> bool:
    """Whether a line may be the points of an image: X Y POINT3D_ID each. Some programs leave the line out."""
    return len(fields) % 3 == 0 and all(map(_is_number, fields))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
