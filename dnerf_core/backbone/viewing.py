"""How subjects of any family are looked at: the cameras a generator was trained with, and how its rays are sampled. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dnerf_core.backbone.config_json import OPTIONAL

RayLimit = float | Literal["auto"]


@dataclass(frozen=True)
class RayConfig:
    """How rays are sampled; `ray_start` and `ray_end` are distances along the unit ray, or both "auto": the box's entry and exit.

    `auto_inset` (world units) keeps "auto" limits that far inside the box's faces: within half a texel of a face planes fade to
    zero, and what the decoder makes of that shows as fog or floating bits. 0 is the published behaviour.

    `edge_rays`: in pictures larger than `neural_resolution`, pixels get rays of their own where one surface ends before another or
    before nothing, for colours, masks and depths; None, no, is the published behaviour. For fields that end sharply: bilinear
    enlargement moves their silhouettes by up to half a ray's spacing.
    """

    neural_resolution: int = 128
    samples_coarse: int = 48
    samples_fine: int = 48
    ray_start: RayLimit = 2.25
    ray_end: RayLimit = 3.3
    white_back: bool = False
    auto_inset: float = 0.0
    edge_rays: bool | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class CameraConfig:
    """Where the generator was trained to be looked at from: a sphere round the world origin, looking at a pivot.

    Attributes:
        radius: distance of the camera from the world origin, world units.
        pivot: the point looked at, world frame.
        focal: normalised focal length (times the image width gives pixels).
        world_up: the axis that points up in the generator's world.
        pitch_deg: elevation of the default views above the horizon, degrees.
        yaw_range_deg, pitch_range_deg: the directions it was trained to be seen from, (low, high) as `camera_arcs` has the angles;
            None: not told.
    """

    radius: float = 2.7
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.2)
    focal: float = 4.2647
    world_up: Literal["y", "z"] = "y"
    pitch_deg: float = 0.0
    yaw_range_deg: tuple[float, float] | None = field(default=None, metadata=OPTIONAL)
    pitch_range_deg: tuple[float, float] | None = field(default=None, metadata=OPTIONAL)
