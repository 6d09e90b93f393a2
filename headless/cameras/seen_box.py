"""Whether cameras see anything of a model: the box that all of a subject lies in, within the stretch of the rays that is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, Float64Array
from dnerf_core.errors import UsageError, brief, listed

if TYPE_CHECKING:
    from dnerf_core.backbone.specs import BackboneConfig

RAYS_A_SIDE, POINTS_A_SIDE = 9, 9
"""A grid of rays over the picture, its edges included, and one of points through the box: a box may be smaller than a ray's distance from
the next, and a picture smaller than a point's."""
USUAL_DISTANCE = 0.9
"""Of the model's own distance from the origin: nearer, and inside the box, is nearer than it was trained to be seen from."""
NAMED = 3


def check_seen(cameras: Sequence[Camera], names: Sequence[str], config: BackboneConfig, where: str) -> list[str]:
    """Refuse cameras none of which sees anything of the model's box.

    Args:
        cameras: at least one, in the model's world.
        names: of the views.
        where: option and file, for messages.

    Returns:
        What is to be warned of: views that see nothing, and views from inside the box.

    Raises:
        UsageError: all see nothing.
    """
    half, own = config.box_side / 2, config.cameras.radius
    near, far = sampled_distances(config)
    sees = _see_origin(cameras, near, far)
    for index in np.flatnonzero(~sees):
        sees[index] = sees_box(cameras[index], half, near, far)
    box = f"{config.name}'s box, {-half:g} to {half:g} about the origin"
    reach = "" if far == np.inf else f", at distances of {near:g} to {far:g}"
    remedy = (
        f"its own cameras are {own:g} from the origin and look at it; move or scale the cameras, or turn them by --cameras-up"
    )
    if not sees.any():
        count = f"all {len(cameras)} to see nothing of it" if len(cameras) > 1 else "it to see nothing of it"
        raise UsageError(f"{where}: {brief(names[0])}: expected a camera that sees {box}{reach}, found {count}; {remedy}")
    remarks = []
    if not sees.all():
        remarks.append(f"{where}: {_named(~sees, names)}: expected to see {box}{reach}, found to see nothing of it; {remedy}")
    place = np.array([camera.position for camera in cameras])
    inside = (np.abs(place).max(axis=1) < half) & (np.linalg.norm(place, axis=1) < USUAL_DISTANCE * own)
    if inside.any():
        remarks.append(f"{where}: {_named(inside, names)}: expected cameras outside {box}, found some inside it; {remedy}")
    return remarks


def _see_origin(cameras: Sequence[Camera], near: float, far: float) -> NDArray[np.bool_]:
    """Which cameras have the box's centre in their pictures, which most do: quick."""
    poses, intrinsics = (np.array([getattr(camera, name) for camera in cameras]) for name in ("cam2world", "intrinsics"))
    place = poses[:, :3, 3]
    x, y, depth = -np.einsum("nij,ni->nj", poses[:, :3, :3], place).T
    distance = np.linalg.norm(place, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (intrinsics[:, 0, 0] * x + intrinsics[:, 0, 1] * y) / depth + intrinsics[:, 0, 2]
        v = intrinsics[:, 1, 1] * y / depth + intrinsics[:, 1, 2]
        inside = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
    seen: NDArray[np.bool_] = inside & (depth > 0) & (distance >= near) & (distance <= far)
    return seen


def _named(which: NDArray[np.bool_], names: Sequence[str]) -> str:
    found = [brief(names[index]) for index in np.flatnonzero(which)]
    return f"{len(found)} of {len(names)} views, {listed(found, NAMED)}"


def sampled_distances(config: BackboneConfig) -> tuple[float, float]:
    """Nearest and farthest distance along the unit ray that is sampled."""
    rays = config.rays
    if rays.ray_start == "auto" or rays.ray_end == "auto":
        return 0.0, np.inf
    return rays.ray_start, rays.ray_end


def sees_box(camera: Camera, half: float, near: float, far: float) -> bool:
    """Whether something of the cube from -half to half is in the camera's picture at these distances along its rays."""
    sides = np.linspace(0.0, 1.0, RAYS_A_SIDE)
    uv = np.stack(np.meshgrid(sides, sides), axis=-1).reshape(-1, 2)
    directions = camera.unproject(uv, np.ones(len(uv))) - camera.position
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    if _hits(camera.position, directions, half, near, far).any():
        return True
    steps = np.linspace(-half, half, POINTS_A_SIDE)
    points = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    seen, _ = camera.project(points)
    distance = np.linalg.norm(points - camera.position, axis=1)
    with np.errstate(invalid="ignore"):  # what lies behind the camera is NaN
        return bool(((seen >= 0).all(axis=1) & (seen <= 1).all(axis=1) & (distance >= near) & (distance <= far)).any())


def _hits(origin: Float64Array, directions: Float64Array, half: float, near: float, far: float) -> NDArray[np.bool_]:
    """Which rays [N, 3] from a point pass through the cube between two distances, by its three slabs."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        first, second = (-half - origin) / directions, (half - origin) / directions
    parallel = directions == 0.0
    outside = (np.abs(origin) > half) & parallel
    enter = np.where(parallel, -np.inf, np.minimum(first, second)).max(axis=1)
    leave = np.where(parallel, np.inf, np.maximum(first, second)).min(axis=1)
    hits: NDArray[np.bool_] = (np.maximum(enter, near) < np.minimum(leave, far)) & ~outside.any(axis=1)
    return hits
