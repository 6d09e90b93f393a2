"""Cameras by a rule: on an arc, an orbit or a sphere about a centre, looking at it or away from it. No Blender here.

Convention: the model's world, as `dnerf_core.camera` has it. Without a centre of its own a rule stands about the world's origin and
looks at the model's pivot, as the model's own cameras do; with one it stands about that and looks at it.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, Float64Array, arc_cameras, focal_from_fov, orbit_cameras, sphere_cameras

from ..model_facts import ModelCameras

Kind = Literal["ARC", "ORBIT", "SPHERE", "RANDOM"]
_CIRCLE_STEPS = 48
_MARK_SHARE = 0.12
"""How long the drawn mark of a camera is, share of the radius."""


@dataclass(frozen=True)
class CameraRule:
    """Where cameras are to stand.

    Attributes:
        kind: what they lie on; SPHERE evenly, RANDOM by chance.
        count: how many.
        yaw_deg, pitch_deg: first and last, of arcs; orbits have the first pitch; None, each: the model's own.
        seed: of RANDOM.
        upper: of SPHERE and RANDOM: above the horizon alone.
        radius: world units; None: the model's own.
        fov_deg: angle of view; None: the model's own.
        center: world frame; None: see the module.
        outwards: whether they look away from the centre.
    """

    kind: Kind
    count: int
    yaw_deg: tuple[float, float] | None = None
    pitch_deg: tuple[float, float] | None = None
    seed: int = 0
    upper: bool = False
    radius: float | None = None
    fov_deg: float | None = None
    center: tuple[float, float, float] | None = None
    outwards: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the command's own options say it: `--views`, `--yaw` and `--pitch`."""
        own = (self.radius, self.fov_deg, self.center) == (None, None, None) and not self.outwards
        # an orbit of one camera is in front, an arc of one in the middle
        return own and (self.kind == "ARC" or (self.kind == "ORBIT" and self.count > 1))


def sphere_of(rule: CameraRule, own: ModelCameras) -> tuple[Float64Array, float]:
    """Centre [3] and radius, world frame, of the sphere that the cameras stand on."""
    center = np.zeros(3) if rule.center is None else np.array(rule.center, np.float64)
    return center, own.radius if rule.radius is None else rule.radius


def rule_cameras(rule: CameraRule, own: ModelCameras) -> list[Camera]:
    """The cameras of a rule, by a model's own where it leaves something open.

    Raises:
        UsageError: angles, a count or a field of view that there are not.
    """
    center, radius = sphere_of(rule, own)
    rig = dataclasses.replace(
        own,
        radius=radius,
        focal=own.focal if rule.fov_deg is None else focal_from_fov(math.radians(rule.fov_deg)),
        pivot=own.pivot if rule.center is None else (0.0, 0.0, 0.0),
    )
    if rule.kind == "ARC":
        cameras = arc_cameras(rig, rule.yaw_deg, rule.pitch_deg, count=rule.count)
    elif rule.kind == "ORBIT":
        cameras = orbit_cameras(rig, count=rule.count, pitch_deg=None if rule.pitch_deg is None else rule.pitch_deg[0])
    else:
        rng = np.random.default_rng(rule.seed) if rule.kind == "RANDOM" else None
        cameras = sphere_cameras(rig, count=rule.count, upper=rule.upper, rng=rng)
    return [_placed(camera, center, outwards=rule.outwards) for camera in cameras]


def _placed(camera: Camera, center: Float64Array, *, outwards: bool) -> Camera:
    """A camera about the origin, moved to a centre; looking outwards it is turned about its own down axis by half a turn."""
    pose = camera.cam2world.copy()
    if outwards:
        pose[:3, [0, 2]] *= -1.0
    pose[:3, 3] += center
    return Camera(pose, camera.intrinsics)


def sphere_lines(center: Float64Array, radius: float, *, up_axis: int, upper: bool) -> NDArray[np.float64]:
    """The sphere as line segments [N, 2, 3], world frame: the horizon, and two circles through the poles.

    Args:
        up_axis: 1 where y points up, 2 where z does.
        upper: of the two circles only the halves above the horizon.
    """
    angles = np.linspace(0.0, 2.0 * math.pi, _CIRCLE_STEPS + 1)
    level = [axis for axis in range(3) if axis != up_axis]
    circles = [(level[0], level[1], angles)]
    halves = angles[: _CIRCLE_STEPS // 2 + 1] if upper else angles
    circles += [(level[0], up_axis, halves), (level[1], up_axis, halves)]
    segments = []
    for first, second, turns in circles:
        points = np.zeros((len(turns), 3))
        points[:, first], points[:, second] = np.cos(turns), np.sin(turns)
        segments.append(np.stack([points[:-1], points[1:]], axis=1))
    return center + radius * np.concatenate(segments)


def camera_lines(cameras: list[Camera], radius: float) -> NDArray[np.float64]:
    """Each camera as the edges of a small pyramid, its picture's upper side marked, line segments [N, 2, 3], world frame.

    The first point of every camera's first segment is where it stands.
    """
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, -0.25]])
    segments = []
    for camera in cameras:
        focal = camera.intrinsics[[0, 1], [0, 1]]
        rays = np.concatenate([(corners - camera.intrinsics[:2, 2]) / focal, np.ones((len(corners), 1))], axis=1)
        ends = camera.position + _MARK_SHARE * radius * rays @ camera.cam2world[:3, :3].T
        pairs = [(camera.position, ends[corner]) for corner in range(4)]
        pairs += [(ends[corner], ends[(corner + 1) % 4]) for corner in range(4)]
        pairs += [(ends[0], ends[4]), (ends[4], ends[1])]
        segments.append(np.array(pairs))
    return np.concatenate(segments) if segments else np.zeros((0, 2, 3))
