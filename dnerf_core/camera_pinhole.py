"""The pinhole camera: a pose and normalised intrinsics, pixels to rays to points and back, other programs' frames (numpy only).

Convention: `cam2world` maps camera to world points, OpenCV axes (x right, y down, z forward); intrinsics are normalised by the
image size; the pixel in column i and row j has its centre at ((i + 0.5) / W, (j + 0.5) / H). Planar depth is z in the camera
frame, ray distance is measured along the unit ray. docs/conventions.md draws the frames and names the wrong readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .camera_frames import (
    FLIP_YZ,
    BlenderLens,
    Float64Array,
    SensorFit,
    Size,
    WorldUp,
    blender_lens,
    checked_intrinsics,
    checked_pose,
    finite_array,
    from_blender_matrix,
    refuse_pixels,
    to_blender_matrix,
    width_height,
)
from .errors import UsageError
from .shapes import check_shapes

_COORDINATES_LAST = "put the coordinates last"


class Rays(NamedTuple):
    """One ray a pixel, float64, world frame: `origins` [H, W, 3] and unit `directions` [H, W, 3]."""

    origins: Float64Array
    directions: Float64Array


def pixel_centers_uv(size_px: Size) -> Float64Array:
    """Normalised (u, v) of every pixel centre, float64 [H, W, 2] in (0, 1), u to the right and v down."""
    width, height = width_height(size_px)
    u, v = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    return np.stack(np.meshgrid(u, v, indexing="xy"), axis=-1)


@dataclass(frozen=True, eq=False, repr=False)
class Camera:
    """A pinhole camera. Both arrays are checked, copied and read-only.

    Attributes:
        cam2world: float64 [4, 4] rigid pose, OpenCV camera axes (x right, y down, z forward), world units.
        intrinsics: float64 [3, 3], [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], first row over the image width, second over its
            height.

    Raises:
        UsageError: the pose is no right-handed rotation with a position, or the intrinsics are not of that form.
    """

    cam2world: Float64Array
    intrinsics: Float64Array

    def __post_init__(self) -> None:
        for name, array in (("cam2world", checked_pose(self.cam2world)), ("intrinsics", checked_intrinsics(self.intrinsics))):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        rounded = (np.round(vector, 4) + 0.0 for vector in (self.position, self.forward))  # + 0.0: no -0 is told
        at, towards = (", ".join(f"{value:.3g}" for value in vector) for vector in rounded)
        return f"Camera(at ({at}), looking along ({towards}), focal {self.intrinsics[0, 0]:.4g} x {self.intrinsics[1, 1]:.4g})"

    @property
    def position(self) -> Float64Array:
        """Camera centre [3], world frame."""
        return self.cam2world[:3, 3]

    @property
    def forward(self) -> Float64Array:
        """Unit optical axis [3], world frame."""
        return self.cam2world[:3, 2]

    @property
    def world2cam(self) -> Float64Array:
        """Inverse of `cam2world`, float64 [4, 4]."""
        # A true inverse, not the transpose: float32 files hold rotations only to 1e-7, and project must undo unproject.
        return np.linalg.inv(self.cam2world)

    # --- JSON and the generator's conditioning

    def to_json(self) -> dict[str, Any]:
        """{"cam2world": 4x4 lists, "intrinsics": 3x3 lists}; `from_json` gives back the same float64 bits."""
        return {"cam2world": self.cam2world.tolist(), "intrinsics": self.intrinsics.tolist()}

    @classmethod
    def from_json(cls, data: Any, where: str = "camera") -> Camera:
        """A camera from what `to_json` gave; other keys are left alone.

        Raises:
            UsageError: no JSON object, a missing key or a value that is no camera; the message starts with `where`.
        """
        if not isinstance(data, Mapping):
            raise UsageError(f"{where}: expected a JSON object, found {type(data).__name__}; write it with Camera.to_json")
        missing = [key for key in ("cam2world", "intrinsics") if key not in data]
        if missing:
            raise UsageError(f"{where}: expected the keys cam2world and intrinsics, missing {', '.join(missing)}; add them")
        pose = checked_pose(data["cam2world"], f"{where}: cam2world")
        intrinsics = checked_intrinsics(data["intrinsics"], f"{where}: intrinsics")
        refuse_pixels(intrinsics, f"{where}: intrinsics")
        return cls(pose, intrinsics)

    def conditioning(self) -> NDArray[np.float32]:
        """What EG3D's mapping network and published labels take: float32 [25], cam2world row-major (16), then intrinsics (9)."""
        return np.concatenate([self.cam2world.ravel(), self.intrinsics.ravel()]).astype(np.float32)

    @classmethod
    def from_conditioning(cls, values: ArrayLike) -> Camera:
        """The camera of 25 conditioning numbers; the inverse of `conditioning` up to float32."""
        numbers = finite_array(values, (25,), "conditioning")
        return cls(numbers[:16].reshape(4, 4), numbers[16:].reshape(3, 3))

    # --- pixels, rays and points

    def pixel_intrinsics(self, size_px: Size) -> Float64Array:
        """Intrinsics [3, 3] in pixels of an image of `size_px`; the centre of the first pixel is at (0.5, 0.5)."""
        return np.diag([*width_height(size_px), 1.0]) @ self.intrinsics

    def rays(self, size_px: Size) -> Rays:
        """One ray through every pixel centre, [H, W, 3] each.

        With (u, v) the centre: y = (v - cy) / fy, x = (u - cx) / fx - skew y / fx, z = 1, rotated to the world and normalised.
        """
        directions = self._image_plane(pixel_centers_uv(size_px)) @ self.cam2world[:3, :3].T
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        return Rays(np.tile(self.position, (*directions.shape[:-1], 1)), directions)

    def project(self, points_world: ArrayLike) -> tuple[Float64Array, Float64Array]:
        """Where world points appear.

        Args:
            points_world: [..., 3].

        Returns:
            uv: float64 [..., 2], normalised, [0, 1] inside the image; NaN for points that are not in front of the camera.
            depth_planar: float64 [...], z in the camera frame, negative behind.
        """
        points = np.asarray(points_world, dtype=np.float64)
        check_shapes(points_world=(points, "... 3", _COORDINATES_LAST))
        world2cam = self.world2cam
        in_camera = points @ world2cam[:3, :3].T + world2cam[:3, 3]
        depth_planar = in_camera[..., 2]
        in_front = np.where(depth_planar > 0.0, depth_planar, np.nan)
        uv = (in_camera / in_front[..., None]) @ self.intrinsics[:2].T
        return uv, depth_planar

    def unproject(self, uv: ArrayLike, depth_planar: ArrayLike) -> Float64Array:
        """World points [..., 3] seen at normalised `uv` [..., 2] with `depth_planar` [...]; the inverse of `project`.

        Background depth (+inf) has no point: mask it out first.

        Raises:
            UsageError: the shapes do not go together, or a depth is not finite.
        """
        image_uv, depth = np.asarray(uv, dtype=np.float64), np.asarray(depth_planar, dtype=np.float64)
        check_shapes(uv=(image_uv, "S... 2", _COORDINATES_LAST), depth_planar=(depth, "S...", "pass one depth a point"))
        if not np.isfinite(depth).all():
            raise UsageError("depth_planar: expected finite depths, found inf or NaN; select numpy.isfinite(depth_planar) first")
        return (self._image_plane(image_uv) * depth[..., None]) @ self.cam2world[:3, :3].T + self.position

    def planar_from_ray_distance(self, ray_distance: NDArray[np.floating]) -> NDArray[np.floating]:
        """Planar depth [H, W] of distances [H, W] along each pixel's unit ray; dtype kept, +inf stays +inf."""
        return self._rescaled(ray_distance, "ray_distance", inverse=True)

    def ray_distance_from_planar(self, depth_planar: NDArray[np.floating]) -> NDArray[np.floating]:
        """Distances [H, W] along each pixel's unit ray of planar depths [H, W]; dtype kept, +inf stays +inf."""
        return self._rescaled(depth_planar, "depth_planar", inverse=False)

    def _rescaled(self, values: NDArray[np.floating], what: str, *, inverse: bool) -> NDArray[np.floating]:
        check_shapes(**{what: (values, "float H W", "pass one image")})
        plane = self._image_plane(pixel_centers_uv((values.shape[1], values.shape[0])))
        per_depth = np.linalg.norm(plane @ self.cam2world[:3, :3].T, axis=-1)
        return (values / per_depth if inverse else values * per_depth).astype(values.dtype)

    def _image_plane(self, uv: Float64Array) -> Float64Array:
        """Camera-frame points [..., 3] at z = 1 that appear at `uv` [..., 2]."""
        (fx, skew, cx), (_, fy, cy), _ = self.intrinsics
        y = (uv[..., 1] - cy) / fy
        return np.stack([(uv[..., 0] - cx) / fx - skew * y / fx, y, np.ones_like(y)], axis=-1)

    # --- other programs' frames

    def to_opengl(self) -> Float64Array:
        """The pose [4, 4] with OpenGL camera axes (x right, y up, z back), same world: nerfstudio's `transform_matrix`."""
        return self.cam2world @ FLIP_YZ

    @classmethod
    def from_opengl(cls, cam2world_opengl: ArrayLike, intrinsics: ArrayLike) -> Camera:
        """A camera from a pose [4, 4] with OpenGL camera axes and normalised intrinsics [3, 3]."""
        return cls(checked_pose(cam2world_opengl, "cam2world_opengl") @ FLIP_YZ, checked_intrinsics(intrinsics))

    def to_blender_matrix(self, world_up: WorldUp = "y") -> Float64Array:
        """Blender's `matrix_world` [4, 4]: the camera looks down its -z, the world is z-up.

        A chosen convention: a y-up engine point (x, y, z) is Blender's (x, -z, y); with `world_up="z"` the worlds are the same.
        """
        return to_blender_matrix(self.cam2world, world_up)

    def to_blender_lens(
        self, size_px: Size, *, sensor_fit: SensorFit = "AUTO", sensor_width_mm: float = 36.0, sensor_height_mm: float = 24.0
    ) -> BlenderLens:
        """Blender's lens, shift, size and pixel aspect of these intrinsics at `size_px`; refuses skew (UsageError)."""
        return blender_lens(
            self.intrinsics,
            size_px,
            sensor_fit=sensor_fit,
            sensor_width_mm=sensor_width_mm,
            sensor_height_mm=sensor_height_mm,
        )

    @classmethod
    def from_blender(cls, matrix_world: ArrayLike, lens: BlenderLens, world_up: WorldUp = "y") -> Camera:
        """A camera from Blender's `matrix_world` [4, 4] and lens; scale on the camera object is dropped, as Blender drops it."""
        return cls(from_blender_matrix(matrix_world, world_up), lens.intrinsics())
