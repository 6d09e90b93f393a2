"""Cameras: the public door to poses with intrinsics, the arcs and orbits they come in, and their file (numpy only, no torch).

Convention: `cam2world` maps camera to world points, OpenCV axes (x right, y down, z forward); intrinsics are normalised by the
image size, pixel centres at +0.5. docs/conventions.md draws the frames and names the wrong readings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

# Relative, because the extension carries this module under a package name of Blender's choosing.
from .camera_arcs import (
    AngleRange,
    ArcMode,
    arc_angles,
    check_count,
    eg3d_pitch_from_elevation,
    elevation_from_eg3d_pitch,
    sphere_pose,
    sphere_view_angles,
)
from .camera_frames import (
    ENGINE_TO_BLENDER,
    BlenderLens,
    Float64Array,
    SensorFit,
    Size,
    WorldUp,
    eg3d_focal,
    focal_from_fov,
    intrinsics_from_focal,
    look_at,
)
from .camera_pinhole import Camera, Rays, pixel_centers_uv
from .errors import UsageError, brief, json_fault
from .files.opening.json_text import without_surrogates
from .own_views import ALL_AROUND_YAW_DEG, view_ranges

__all__ = [
    "ALL_AROUND_YAW_DEG",
    "CAMERAS_FORMAT_VERSION",
    "CONVENTION",
    "ENGINE_TO_BLENDER",
    "ArcMode",
    "BlenderLens",
    "Camera",
    "CameraRig",
    "Float64Array",
    "Rays",
    "SensorFit",
    "Size",
    "WorldUp",
    "arc_cameras",
    "cameras_from_json",
    "cameras_to_json",
    "eg3d_focal",
    "eg3d_pitch_from_elevation",
    "eg3d_sphere_camera",
    "elevation_from_eg3d_pitch",
    "focal_from_fov",
    "intrinsics_from_focal",
    "look_at",
    "orbit_cameras",
    "pixel_centers_uv",
    "sphere_camera",
    "sphere_cameras",
    "view_ranges",
]


class CameraRig(Protocol):
    """What arcs and orbits need to know of a generator's own cameras: its `CameraConfig`, or the same numbers from elsewhere.

    Attributes:
        radius: distance from the world origin, world units.
        pivot: the point looked at, world frame.
        focal: normalised focal length.
        world_up: the world axis that points up.
        pitch_deg: elevation, degrees.
        yaw_range_deg, pitch_range_deg: the directions it was trained to be seen from, degrees; None: not told.
    """

    @property
    def radius(self) -> float: ...
    @property
    def pivot(self) -> tuple[float, float, float]: ...
    @property
    def focal(self) -> float: ...
    @property
    def world_up(self) -> WorldUp: ...
    @property
    def pitch_deg(self) -> float: ...
    @property
    def yaw_range_deg(self) -> AngleRange | None: ...
    @property
    def pitch_range_deg(self) -> AngleRange | None: ...


CAMERAS_FORMAT_VERSION = 1
CONVENTION = (
    "cam2world 4x4, OpenCV camera axes (x right, y down, z forward); intrinsics 3x3 normalised by image width and height; "
    "pixel centres at +0.5"
)
"""Written into every cameras.json, for its human readers."""


def sphere_camera(
    yaw_rad: float,
    pitch_rad: float,
    *,
    radius: float,
    pivot: ArrayLike = (0.0, 0.0, 0.0),
    focal: float,
    world_up: WorldUp = "y",
) -> Camera:
    """A camera on the sphere round the world origin, looking at `pivot`, by true angles.

    Args:
        yaw_rad: turn about world up, 0 in front (+z of a y-up world, -y of a z-up one), positive towards +x.
        pitch_rad: elevation above the horizon, positive when the camera is above.
        radius: distance from the world origin, world units.
        pivot: the point looked at, world frame.
        focal: normalised focal length; the principal point is the image centre.
        world_up: the world axis that points up.

    Raises:
        UsageError: as `camera_arcs.sphere_pose`.
    """
    pose = sphere_pose(yaw_rad, pitch_rad, radius=radius, pivot=pivot, world_up=world_up)
    return Camera(pose, intrinsics_from_focal(focal))


def eg3d_sphere_camera(
    yaw_rad: float, eg3d_pitch_rad: float, *, radius: float, pivot: ArrayLike = (0.0, 0.0, 0.0), focal: float
) -> Camera:
    """A sphere camera by EG3D's published angles, always y-up: elevation = asin(-2 eg3d_pitch_rad / pi).

    With h = pi/2 + yaw, v = pi/2 + pitch and phi = arccos(1 - 2 v / pi), the published position is
    radius (sin phi cos(pi - h), cos phi, sin phi sin(pi - h)).
    """
    return sphere_camera(yaw_rad, elevation_from_eg3d_pitch(eg3d_pitch_rad), radius=radius, pivot=pivot, focal=focal)


def arc_cameras(
    camera_config: CameraRig,
    yaw_deg: AngleRange | None = None,
    pitch_deg: AngleRange | None = None,
    *,
    count: int,
    mode: ArcMode = "even",
    rng: np.random.Generator | None = None,
) -> list[Camera]:
    """Cameras along an arc, or scattered over it, with the generator's own radius, pivot, focal length and world up.

    Args:
        camera_config: the generator's cameras.
        yaw_deg, pitch_deg: ranges of true angles as in `sphere_camera`, degrees; None: the config's own, see `view_ranges`.
        count: number of views.
        mode: "even" (ends included; a full turn does not repeat its start; one view is the middle), "random" (uniform in both
            angles) or "gaussian" (about the middle of both).
        rng: the source of the last two; view k is its k-th pair of numbers. Not read by "even".

    Raises:
        UsageError: as `camera_arcs.arc_angles` and `camera_arcs.sphere_pose`.
    """
    yaws, pitches = view_ranges(camera_config, yaw_deg, pitch_deg, drawn=mode != "even")
    return _at_angles(camera_config, arc_angles(yaws, pitches, count=count, mode=mode, rng=rng))


def orbit_cameras(camera_config: CameraRig, *, count: int, pitch_deg: float | None = None) -> list[Camera]:
    """`count` cameras evenly round one full turn: the first in front, then towards +x, the start not repeated.

    `pitch_deg` is the elevation of all, degrees; None: the config's own.
    """
    check_count(count)
    pitch = camera_config.pitch_deg if pitch_deg is None else pitch_deg
    yaws = np.arange(count) * (360.0 / count)
    return _at_angles(camera_config, np.stack([yaws, np.full(count, pitch)], axis=1))


def sphere_cameras(
    camera_config: CameraRig, *, count: int, upper: bool = False, rng: np.random.Generator | None = None
) -> list[Camera]:
    """`count` cameras all over the sphere, or over its upper half: evenly, or with `rng` drawn; see `camera_arcs.sphere_view_angles`.

    Raises:
        UsageError: a count under 1.
    """
    return _at_angles(camera_config, sphere_view_angles(count=count, upper=upper, rng=rng))


def _at_angles(config: CameraRig, angles_deg: Float64Array) -> list[Camera]:
    rig: dict[str, Any] = {"radius": config.radius, "pivot": config.pivot, "focal": config.focal, "world_up": config.world_up}
    return [sphere_camera(yaw, pitch, **rig) for yaw, pitch in np.radians(angles_deg).tolist()]


def cameras_to_json(cameras: Sequence[Camera], names: Sequence[str] | None = None) -> dict[str, Any]:
    """The content of a cameras.json: {"version": 1, "convention": .., "views": [{"name", "cam2world", "intrinsics"}, ..]}.

    `names` default to view_0000, view_0001, ..; a writer may add keys to a view, which `cameras_from_json` leaves alone.

    Raises:
        UsageError: not one name a camera, or a name twice.
    """
    chosen = [f"view_{k:04d}" for k in range(len(cameras))] if names is None else list(names)
    if len(chosen) != len(cameras) or len(set(chosen)) != len(chosen):
        raise UsageError(f"names: expected {len(cameras)} different names, found {len(set(chosen))}; give every camera its own")
    views = [{"name": name, **camera.to_json()} for name, camera in zip(chosen, cameras, strict=True)]
    return {"version": CAMERAS_FORMAT_VERSION, "convention": CONVENTION, "views": views}


def cameras_from_json(source: str | Mapping[str, Any], where: str = "cameras.json") -> dict[str, Camera]:
    """The cameras of a cameras.json by name, in the file's order.

    Args:
        source: the file's text, or what it parses to.
        where: the file's name, for errors.

    Raises:
        UsageError: bad JSON, another version, no views, a name missing or repeated, or a view that is no camera.
    """
    data: Any = source
    if isinstance(source, str):
        try:
            data = without_surrogates(json.loads(source.removeprefix("\ufeff")))  # a byte order mark that the text's reader left
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}: expected JSON, found {json_fault(error)}; is it a cameras file?") from None
    if not isinstance(data, Mapping):
        raise UsageError(f"{where}: expected a JSON object with views, found {type(data).__name__}; is it a cameras file?")
    version = data.get("version")
    if isinstance(version, bool) or version != CAMERAS_FORMAT_VERSION:
        raise UsageError(f"{where}: version: expected {CAMERAS_FORMAT_VERSION}, found {brief(version)}; is it a cameras file?")
    views = data.get("views")
    if not isinstance(views, list) or not views:
        raise UsageError(f"{where}: views: expected a list of at least one camera, found {type(views).__name__}; add views")
    cameras: dict[str, Camera] = {}
    for index, view in enumerate(views):
        name = view.get("name") if isinstance(view, Mapping) else None
        if not isinstance(name, str) or not name:
            raise UsageError(f"{where}: views[{index}]: expected an object with a name, found {type(view).__name__}; name it")
        if name in cameras:
            raise UsageError(f"{where}: views[{index}]: expected a new name, found {brief(name)} again; rename one of the two")
        cameras[name] = Camera.from_json(view, f"{where}: views[{index}] {brief(name)}")
    return cameras
