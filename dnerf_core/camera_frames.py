"""Camera frames, focal lengths and Blender lenses as pure functions of arrays (numpy only).

Convention: the engine's camera has OpenCV axes (x right, y down, z forward), right-handed; OpenGL's and Blender's camera has
x right, y up, z back. Intrinsics are normalised by the image size, pixel centres lie at +0.5. docs/conventions.md draws them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Relative, because the extension carries this module under a package name of Blender's choosing.
from .errors import UsageError, brief
from .shapes import check_shapes

Float64Array = NDArray[np.float64]
WorldUp = Literal["y", "z"]
SensorFit = Literal["AUTO", "HORIZONTAL", "VERTICAL"]
Size = int | tuple[int, int]
"""Pixels: the side of a square image, or (width, height)."""

ROTATION_TOLERANCE = 1e-4
"""Largest entry of |R^T R - I| that still counts as a rotation: float32 poses of published data sets stay well below it."""

MAX_DISTANCE = 1e6
"""Largest coordinate of a camera's position, world units: rays are float32, and farther off nothing of a subject is left in them."""
MIN_FOCAL, MAX_FOCAL = 1e-3, 1e5
"""Of focal lengths over the image's side: 179.8 degrees, and a pixel of the largest image seen as a whole one."""
MAX_UNCROPPED_FOCAL, MAX_PIXEL_FOCAL = 20.0, 200.0
"""A longer focal length than the first with a centre outside the image, or longer than the second, is in pixels."""

FLIP_YZ: Float64Array = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenCV camera axes <-> OpenGL (and Blender) camera axes; its own inverse."""

ENGINE_TO_BLENDER: Float64Array = np.array(
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
"""y-up world -> z-up world: (x, y, z) becomes (x, -z, y), +90 degrees about x. Front, +z, becomes Blender's front, -y."""


def finite_array(values: ArrayLike, shape: tuple[int, ...], what: str) -> Float64Array:
    """A float64 copy of `values`, checked to have `shape` and finite entries.

    Raises:
        UsageError: not numbers, another shape, or an entry that is NaN or infinite; the message starts with `what`.
    """
    try:
        given = np.asarray(values)
    except ValueError:  # rows of different lengths
        given = np.asarray(None)
    if given.dtype.kind not in "fiu":  # numpy would read "1" and True as numbers
        raise UsageError(f"{what}: expected numbers in shape {list(shape)}, found {brief(values)}; pass plain numbers")
    check_shapes(**{what: (given, " ".join(map(str, shape)))})
    array = np.array(given, dtype=np.float64)
    if not np.isfinite(array).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise UsageError(f"{what}: expected finite numbers, found {array[tuple(place)]} at {place}; check where it was computed")
    return array


def checked_pose(matrix: ArrayLike, what: str = "cam2world") -> Float64Array:
    """A float64 copy of a [4, 4] rigid pose: finite, last row (0, 0, 0, 1), upper 3x3 a right-handed rotation.

    Raises:
        UsageError: any of these fails; the rotation may be off by `ROTATION_TOLERANCE`.
    """
    pose = finite_array(matrix, (4, 4), what)
    if not np.allclose(pose[3], (0.0, 0.0, 0.0, 1.0), rtol=0.0, atol=1e-9):
        raise UsageError(f"{what}: expected last row [0, 0, 0, 1], found {pose[3].tolist()}; is the matrix transposed?")
    if np.abs(pose[:3, 3]).max() > MAX_DISTANCE:
        farthest = pose[np.abs(pose[:3, 3]).argmax(), 3]
        raise UsageError(f"{what}: expected a position within {MAX_DISTANCE:g} of the origin, found {farthest:g}; correct it")
    rotation = pose[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):  # huge entries are no rotation either
        error = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if not error <= ROTATION_TOLERANCE:
        raise UsageError(
            f"{what}: expected orthonormal axes within {ROTATION_TOLERANCE:g}, found an error of {error:.3g}; "
            "remove scale and shear from the pose"
        )
    if np.linalg.det(rotation) < 0:
        raise UsageError(f"{what}: expected a right-handed rotation (determinant +1), found determinant -1; one axis is mirrored")
    return pose


def checked_intrinsics(matrix: ArrayLike, what: str = "intrinsics") -> Float64Array:
    """A float64 copy of normalised intrinsics [3, 3]: [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] with fx, fy > 0.

    Raises:
        UsageError: another shape or form, an entry that is not finite, or a focal length that is not positive.
    """
    intrinsics = finite_array(matrix, (3, 3), what)
    if intrinsics[1, 0] != 0.0 or intrinsics[2].tolist() != [0.0, 0.0, 1.0]:
        raise UsageError(
            f"{what}: expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], found {intrinsics.tolist()}; is the matrix transposed?"
        )
    if intrinsics[0, 0] <= 0.0 or intrinsics[1, 1] <= 0.0:
        raise UsageError(
            f"{what}: expected focal lengths above 0, found fx {intrinsics[0, 0]:g} and fy {intrinsics[1, 1]:g}; "
            "flip axes in the pose, not in the focal length"
        )
    focals = intrinsics[0, 0], intrinsics[1, 1]
    if min(focals) < MIN_FOCAL or max(focals) > MAX_FOCAL:
        raise UsageError(
            f"{what}: expected focal lengths from {MIN_FOCAL:g} to {MAX_FOCAL:g} of the image's sides, found fx {focals[0]:g} and "
            f"fy {focals[1]:g}; correct them"
        )
    return intrinsics


def refuse_pixels(intrinsics: Float64Array, what: str) -> None:
    """Refuse intrinsics [3, 3] of a file that are in pixels, where normalised ones are expected.

    Raises:
        UsageError: by their size they are.
    """
    (fx, _, cx), (_, fy, cy), _ = intrinsics.tolist()
    longest, aside = max(fx, fy), max(abs(cx - 0.5), abs(cy - 0.5)) > 1.5
    if longest > MAX_PIXEL_FOCAL or (longest > MAX_UNCROPPED_FOCAL and aside):
        raise UsageError(
            f"{what}: expected intrinsics normalised by the image size, found pixels, fx {fx:g}, fy {fy:g} and the centre "
            f"({cx:g}, {cy:g}); divide the first row by the image's width and the second by its height"
        )


def checked_world_up(world_up: str) -> None:
    """Refuse a world axis other than "y" and "z" (UsageError)."""
    if world_up not in ("y", "z"):
        raise UsageError(f"world_up: expected 'y' or 'z', found {world_up!r}; name the axis that points up in the world")


def width_height(size_px: Size) -> tuple[int, int]:
    """(width, height) in pixels of a `Size`.

    Raises:
        UsageError: not one or two whole numbers of at least 1.
    """
    pair = tuple(size_px) if isinstance(size_px, tuple | list) else (size_px, size_px)
    if len(pair) != 2 or any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in pair):
        raise UsageError(f"size_px: expected a whole number above 0 or (width, height), found {size_px!r}; give pixels")
    return int(pair[0]), int(pair[1])


def eg3d_focal(fov_deg: float) -> float:
    """Normalised focal length as EG3D's released scripts compute it: 1 / (tan(fov_deg * 3.14159 / 360) * 1.414).

    The constants are the published ones, 3.14159 for pi and 1.414 for sqrt(2); 18.837 gives 4.2634, not the 4.2647 stored with
    the releases. It is sqrt(2) times the geometric focal length: such an `fov_deg` spans the diagonal of a square image, and its
    width sees less. For a true field of view use `focal_from_fov`.
    """
    _check_fov(math.radians(fov_deg), "fov_deg", f"{fov_deg!r} degrees")
    return 1.0 / (math.tan(fov_deg * 3.14159 / 360.0) * 1.414)


def focal_from_fov(fov_rad: float) -> float:
    """Normalised focal length of a side seen under `fov_rad`: 0.5 / tan(fov_rad / 2)."""
    _check_fov(fov_rad, "fov_rad", f"{fov_rad!r} radians")
    return 0.5 / math.tan(fov_rad / 2.0)


def _check_fov(fov_rad: float, what: str, given: str) -> None:
    if not 0.0 < fov_rad < math.pi:
        raise UsageError(f"{what}: expected a field of view between 0 and 180 degrees, found {given}; mind degrees and radians")


def intrinsics_from_focal(focal: float, center: tuple[float, float] = (0.5, 0.5)) -> Float64Array:
    """Normalised intrinsics [3, 3] with one focal length for both sides and the principal point at `center` (u, v)."""
    return checked_intrinsics([[focal, 0.0, center[0]], [0.0, focal, center[1]], [0.0, 0.0, 1.0]])


def look_at(position: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 1.0, 0.0)) -> Float64Array:
    """The pose of a camera at `position` that sees `target` in its middle and `up` pointing upwards in the image.

    Convention: world points in, cam2world out with OpenCV axes: columns right = forward x up, down = forward x right, forward.

    Returns:
        cam2world, float64 [4, 4].

    Raises:
        UsageError: position equals target, or `up` is along the line of sight (within 1e-6 radians).
    """
    at = finite_array(position, (3,), "position")
    forward = finite_array(target, (3,), "target") - at
    up_axis = finite_array(up, (3,), "up")
    distance, up_length = float(np.linalg.norm(forward)), float(np.linalg.norm(up_axis))
    if distance == 0.0:
        raise UsageError(f"look_at: expected a target away from the camera, found both at {at.tolist()}; move one of them")
    if up_length == 0.0:
        raise UsageError("look_at: expected an up direction, found [0, 0, 0]; pass for example (0, 1, 0)")
    forward /= distance
    right = np.cross(forward, up_axis / up_length)
    sine = float(np.linalg.norm(right))
    if sine < 1e-6:
        raise UsageError(f"look_at: expected up across the line of sight, found {up_axis.tolist()} along it; pass another up")
    right /= sine
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = at
    return pose


def to_blender_matrix(cam2world: Float64Array, world_up: WorldUp) -> Float64Array:
    """Engine pose -> Blender's `matrix_world` [4, 4]: camera axes flipped, and for a y-up world the world turned to z-up."""
    checked_world_up(world_up)
    opengl = cam2world @ FLIP_YZ
    return ENGINE_TO_BLENDER @ opengl if world_up == "y" else opengl


def from_blender_matrix(matrix_world: ArrayLike, world_up: WorldUp) -> Float64Array:
    """Blender's `matrix_world` [4, 4] -> engine pose. Scale on the camera object is dropped, as Blender's renderer drops it.

    Raises:
        UsageError: the matrix is no pose (sheared, mirrored, flattened or not finite).
    """
    checked_world_up(world_up)
    matrix = finite_array(matrix_world, (4, 4), "matrix_world")
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if (lengths < 1e-12).any():
        raise UsageError(f"matrix_world: expected three axes, found lengths {lengths.tolist()}; the camera is scaled to nothing")
    matrix[:3, :3] /= lengths
    pose = checked_pose(matrix, "matrix_world")
    return (ENGINE_TO_BLENDER.T @ pose if world_up == "y" else pose) @ FLIP_YZ


@dataclass(frozen=True)
class BlenderLens:
    """What Blender's camera and render settings say about intrinsics.

    Attributes:
        lens_mm: focal length.
        sensor_width_mm, sensor_height_mm: sensor sides; AUTO and HORIZONTAL read the width, VERTICAL the height.
        sensor_fit: the image side that the sensor spans; AUTO takes the longer one, after pixel aspect.
        shift_x, shift_y: shift of the view in units of the spanned side, positive right and up.
        size_px: render size (width, height), percentage already applied.
        pixel_aspect: (x, y), the shape of a pixel; Blender allows 1 to 200.
    """

    lens_mm: float
    sensor_width_mm: float = 36.0
    sensor_height_mm: float = 24.0
    sensor_fit: SensorFit = "AUTO"
    shift_x: float = 0.0
    shift_y: float = 0.0
    size_px: tuple[int, int] = (512, 512)
    pixel_aspect: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if self.sensor_fit not in ("AUTO", "HORIZONTAL", "VERTICAL"):
            raise UsageError(f"sensor_fit: expected AUTO, HORIZONTAL or VERTICAL, found {self.sensor_fit!r}; pass one of these")
        width_height(self.size_px)
        finite_array((self.shift_x, self.shift_y), (2,), "shift")
        lengths = (self.lens_mm, self.sensor_width_mm, self.sensor_height_mm, *self.pixel_aspect)
        if len(self.pixel_aspect) != 2 or not all(math.isfinite(v) and v > 0 for v in lengths):
            raise UsageError(f"Blender lens: expected lens, sensor and pixel aspect above 0, found {lengths}; read them again")

    def intrinsics(self) -> Float64Array:
        """Normalised intrinsics [3, 3].

        With sides in units of a pixel's width, W = width and H = height * aspect_y / aspect_x, and S the spanned one of them:
        fx = lens / sensor * S / W, fy = lens / sensor * S / H, cx = 0.5 - shift_x * S / W, cy = 0.5 + shift_y * S / H.
        """
        to_width, to_height, sensor_mm = _spans(self.size_px, self.pixel_aspect, self.sensor_fit, self._sensor_sides_mm)
        ratio = self.lens_mm / sensor_mm
        cx, cy = 0.5 - self.shift_x * to_width, 0.5 + self.shift_y * to_height
        return checked_intrinsics([[ratio * to_width, 0.0, cx], [0.0, ratio * to_height, cy], [0.0, 0.0, 1.0]])

    @property
    def _sensor_sides_mm(self) -> tuple[float, float]:
        return self.sensor_width_mm, self.sensor_height_mm


def _spans(
    size_px: tuple[int, int], pixel_aspect: Sequence[float], sensor_fit: SensorFit, sensor_mm: tuple[float, float]
) -> tuple[float, float, float]:
    """(S / W, S / H, sensor side in mm) of `BlenderLens.intrinsics`."""
    width = float(size_px[0])
    height = size_px[1] * pixel_aspect[1] / pixel_aspect[0]
    spans_width = sensor_fit == "HORIZONTAL" or (sensor_fit == "AUTO" and width >= height)
    spanned = width if spans_width else height
    return spanned / width, spanned / height, sensor_mm[1] if sensor_fit == "VERTICAL" else sensor_mm[0]


def blender_lens(
    intrinsics: Float64Array,
    size_px: Size,
    *,
    sensor_fit: SensorFit = "AUTO",
    sensor_width_mm: float = 36.0,
    sensor_height_mm: float = 24.0,
) -> BlenderLens:
    """The Blender settings whose `BlenderLens.intrinsics` equal `intrinsics` at `size_px`; unequal focals become pixel aspect.

    Raises:
        UsageError: the intrinsics have skew, or need a lens under 1 mm or a pixel aspect above 200, which Blender cannot hold.
    """
    size = width_height(size_px)
    if intrinsics[0, 1] != 0.0:
        raise UsageError(f"intrinsics: expected no skew for Blender, found {intrinsics[0, 1]:g}; Blender's cameras have none")
    # A pixel's height over its width; the larger side carries it because Blender's pixel aspect starts at 1.
    tall = (intrinsics[0, 0] * size[0]) / (intrinsics[1, 1] * size[1])
    aspect = (1.0, float(tall)) if tall >= 1.0 else (float(1.0 / tall), 1.0)
    to_width, to_height, sensor_mm = _spans(size, aspect, sensor_fit, (sensor_width_mm, sensor_height_mm))
    lens_mm = float(intrinsics[0, 0]) * sensor_mm / to_width
    if lens_mm < 1.0 or max(aspect) > 200.0:
        raise UsageError(
            f"intrinsics: expected a lens of at least 1 mm and a pixel aspect up to 200 for Blender, found {lens_mm:g} mm and "
            f"{max(aspect):g}; use a larger sensor"
        )
    return BlenderLens(
        lens_mm,
        sensor_width_mm,
        sensor_height_mm,
        sensor_fit,
        shift_x=(0.5 - float(intrinsics[0, 2])) / to_width,
        shift_y=(float(intrinsics[1, 2]) - 0.5) / to_height,
        size_px=size,
        pixel_aspect=aspect,
    )
