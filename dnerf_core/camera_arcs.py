"""Angles of arcs and orbits, and poses on the sphere they lie on, as pure functions (numpy only).

Convention: the sphere is centred on the world origin, not on the pivot. Yaw turns about world up: 0 in front, positive
towards +x. Pitch is elevation above the horizon, positive when the camera is above. In a y-up world front is +z; in a z-up
world the rig is turned as a whole, (x, y, z) -> (x, -z, y), so front is -y, as in Blender's front view. EG3D's published
"pitch" is another quantity: see `elevation_from_eg3d_pitch`.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .camera_frames import ENGINE_TO_BLENDER, Float64Array, WorldUp, checked_world_up, finite_array, look_at
from .errors import UsageError

ArcMode = Literal["even", "random", "gaussian"]
AngleRange = tuple[float, float]


def elevation_from_eg3d_pitch(eg3d_pitch_rad: float) -> float:
    """True elevation in radians of EG3D's published pitch: asin(-2 pitch / pi).

    The published sphere camera sets v = pi/2 + pitch and takes phi = arccos(1 - 2 v / pi) as the angle from world up, so its
    pitch is linear in height, not in angle, and positive when the camera is BELOW the horizon.

    Raises:
        UsageError: outside [-pi/2, pi/2].
    """
    if not abs(eg3d_pitch_rad) <= math.pi / 2:
        raise UsageError(f"eg3d_pitch_rad: expected -pi/2 to pi/2, found {eg3d_pitch_rad!r}; the angle is in radians")
    return math.asin(-2.0 * eg3d_pitch_rad / math.pi)


def eg3d_pitch_from_elevation(elevation_rad: float) -> float:
    """EG3D's published pitch of a true elevation in radians: -pi/2 sin(elevation). Inverse of `elevation_from_eg3d_pitch`."""
    _check_elevation(elevation_rad, "elevation_rad")
    return -math.pi / 2 * math.sin(elevation_rad)


def sphere_pose(
    yaw_rad: float, pitch_rad: float, *, radius: float, pivot: ArrayLike = (0.0, 0.0, 0.0), world_up: WorldUp = "y"
) -> Float64Array:
    """The pose of a camera on the sphere that looks at `pivot` (world frame).

    y-up: position = radius (sin yaw cos pitch, sin pitch, cos yaw cos pitch). Where world up lies along the line of sight (over
    or under a pivot on the axis), image up is its limit from lower elevations, so an arc up to the pole does not jump there.

    Returns:
        cam2world, float64 [4, 4], OpenCV axes.

    Raises:
        UsageError: an angle that is not finite, |pitch| above 90 degrees, a radius that is not positive, a pivot on the camera.
    """
    checked_world_up(world_up)
    finite_array([yaw_rad, radius], (2,), "yaw_rad, radius")
    _check_elevation(pitch_rad, "pitch_rad")
    if radius <= 0.0:
        raise UsageError(f"radius: expected a distance above 0, found {radius!r}; pass the config's radius in world units")
    target = finite_array(pivot, (3,), "pivot")
    outwards = np.array([math.sin(yaw_rad), 0.0, math.cos(yaw_rad)])
    up = np.array([0.0, 1.0, 0.0])
    if world_up == "z":
        outwards, up = ENGINE_TO_BLENDER[:3, :3] @ outwards, ENGINE_TO_BLENDER[:3, :3] @ up
    position = radius * (math.cos(pitch_rad) * outwards + math.sin(pitch_rad) * up)
    forward = target - position
    if float(np.linalg.norm(np.cross(forward, up))) < 1e-6 * float(np.linalg.norm(forward)):
        up = outwards if forward @ up > 0.0 else -outwards
    return look_at(position, target, up)


def sphere_angles(position: ArrayLike, *, world_up: WorldUp = "y") -> tuple[float, float, float]:
    """(yaw_rad, pitch_rad, radius) of a camera position (world frame) on the sphere round the world origin; undoes `sphere_pose`.

    Yaw is in (-pi, pi], and 0 on the axis, where every yaw is the same place.

    Raises:
        UsageError: a position that is not finite, or the origin, which has no direction.
    """
    checked_world_up(world_up)
    place = finite_array(position, (3,), "position")
    if world_up == "z":
        place = ENGINE_TO_BLENDER[:3, :3].T @ place
    x, y, z = place.tolist()
    radius = math.hypot(x, y, z)
    if radius == 0.0:
        raise UsageError("position: expected a place off the world origin, found the origin; it has no yaw and pitch")
    level = math.hypot(x, z)
    return (math.atan2(x, z) if level > 0.0 else 0.0), math.atan2(y, level), radius


def arc_angles(
    yaw_deg: AngleRange, pitch_deg: AngleRange, *, count: int, mode: ArcMode = "even", rng: np.random.Generator | None = None
) -> Float64Array:
    """The (yaw, pitch) of every view of an arc, in degrees.

    "even": both run from their first to their second value, ends included (one view: the middle); a yaw range of whole turns
    leaves its end out, since it would repeat the start. "random": both uniform in their ranges (in angle, not in area).
    "gaussian": both normal, the mean in the middle of the range, the deviation a quarter of its width, clipped to the range. View k
    of the last two is the k-th pair drawn from `rng`, so a longer arc starts with the views of a shorter one; "even" does not read it.

    Returns:
        float64 [count, 2], columns yaw and pitch.

    Raises:
        UsageError: a count under 1, a range that is not two finite numbers, |pitch| above 90, an unknown mode, "random" or
            "gaussian" without `rng`.
    """
    yaws = finite_array(yaw_deg, (2,), "yaw_deg")
    pitches = finite_array(pitch_deg, (2,), "pitch_deg")
    for pitch in pitches:
        _check_elevation(math.radians(pitch), "pitch_deg")
    check_count(count)
    if mode in ("random", "gaussian"):
        if rng is None:
            raise UsageError(
                f"rng: expected a numpy Generator for mode {mode!r}, found None; pass numpy.random.default_rng(seed)"
            )
        low = np.array([yaws[0], pitches[0]])
        share = rng.random((count, 2)) if mode == "random" else (0.5 + 0.25 * rng.standard_normal((count, 2))).clip(0.0, 1.0)
        return low + share * (np.array([yaws[1], pitches[1]]) - low)
    if mode != "even":
        raise UsageError(f"mode: expected 'even', 'random' or 'gaussian', found {mode!r}; pass one of these")
    if count == 1:
        return np.array([[yaws.mean(), pitches.mean()]])
    (first_yaw, last_yaw), (first_pitch, last_pitch) = yaws.tolist(), pitches.tolist()
    turns = (last_yaw - first_yaw) / 360.0
    closed = round(turns) != 0 and math.isclose(turns, round(turns), rel_tol=0.0, abs_tol=1e-9)
    yaw_steps = np.linspace(first_yaw, last_yaw, count, endpoint=not closed)
    return np.stack([yaw_steps, np.linspace(first_pitch, last_pitch, count)], axis=1)


def sphere_view_angles(*, count: int, upper: bool = False, rng: np.random.Generator | None = None) -> Float64Array:
    """The (yaw, pitch) of views all over the sphere, or over its upper half, in degrees.

    Without `rng` they lie evenly: on a spiral whose turns are golden angles, each view for the same share of the area. With it they are
    drawn, uniformly by area; view k is the k-th pair drawn, so more views begin with those of fewer.

    Returns:
        float64 [count, 2], columns yaw and pitch.

    Raises:
        UsageError: a count under 1.
    """
    check_count(count)
    if rng is None:
        steps = np.arange(count)
        from_top, turns = (steps + 0.5) / count, steps * ((3.0 - math.sqrt(5.0)) / 2.0)
    else:
        from_top, turns = rng.random((count, 2)).T
    heights = 1.0 - from_top * (1.0 if upper else 2.0)
    return np.stack([360.0 * (turns % 1.0), np.degrees(np.arcsin(heights))], axis=1)


def check_count(count: int) -> None:
    """Refuse a number of views that is not a whole number of at least 1 (UsageError)."""
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise UsageError(f"count: expected a whole number of views above 0, found {count!r}; ask for at least one view")


def _check_elevation(elevation_rad: float, what: str) -> None:
    # A hair above 90 degrees is what converting 90 to radians and back may give.
    if not abs(elevation_rad) <= math.pi / 2 + 1e-12:
        degrees = math.degrees(elevation_rad)
        raise UsageError(f"{what}: expected an elevation of -90 to 90 degrees, found {degrees:g}; turn the yaw to pass a pole")
