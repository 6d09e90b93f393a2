"""What a generator is made of, as data: frozen dataclasses, and the published releases as presets.

Nothing here imports torch, so that a command that only reads a header stays quick.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from dnerf_core.backbone.viewing import CameraConfig, RayConfig
from dnerf_core.errors import CheckpointError
from dnerf_core.stylegan2.config import (
    VARIANTS,
    BackboneConfig,
    MappingConfig,
    PlaneGeneratorConfig,
    SuperResolutionConfig,
    SuperResolutionKind,
    SuperResolutionVariant,
)

__all__ = [
    "ORBITS",
    "PRESETS",
    "RELEASED_PLANE_AXES",
    "VARIANTS",
    "VIDEO_CAMERAS",
    "BackboneConfig",
    "CameraConfig",
    "GeneratorConfig",
    "MappingConfig",
    "PlaneAxes",
    "RayConfig",
    "SuperResolutionConfig",
    "SuperResolutionKind",
    "SuperResolutionVariant",
    "TriplaneConfig",
    "preset",
]

PlaneAxes = Literal["xy", "xz", "yz", "zx"]

RELEASED_PLANE_AXES: tuple[PlaneAxes, ...] = ("xy", "xz", "zx")
"""Planes as the published checkpoints were trained: the third repeats the second, transposed."""


@dataclass(frozen=True)
class TriplaneConfig:
    """The tri-plane field: planes span [-box_warp/2, box_warp/2]^3; `plane_axes` names the width and height axis of each plane."""

    box_warp: float = 1.0
    plane_axes: tuple[PlaneAxes, ...] = RELEASED_PLANE_AXES
    hidden_dim: int = 64
    decoder_lr_mul: float = 1.0


@dataclass(frozen=True)
class GeneratorConfig(PlaneGeneratorConfig):
    """Everything that decides what function an EG3D generator's weights are."""

    name: str = "ffhq512-128"
    triplane: TriplaneConfig = field(default_factory=TriplaneConfig)


_FFHQ = GeneratorConfig(name="ffhq512-128")
_CATS = CameraConfig(pivot=(0.0, 0.0, -0.06))
_CARS = CameraConfig(
    radius=1.3,
    pivot=(0.0, 0.0, 0.0),
    focal=1.0254,
    world_up="z",
    pitch_deg=20.0,  # the horizon is the edge of what it was trained on
    yaw_range_deg=(-180.0, 180.0),
    pitch_range_deg=(0.0, 90.0),
)

PRESETS: dict[str, GeneratorConfig] = {
    "ffhq512-128": _FFHQ,
    "ffhqrebalanced512-128": dataclasses.replace(_FFHQ, name="ffhqrebalanced512-128"),
    "ffhq512-64": dataclasses.replace(_FFHQ, name="ffhq512-64", rays=RayConfig(neural_resolution=64)),
    "afhqcats512-128": dataclasses.replace(_FFHQ, name="afhqcats512-128", cameras=_CATS),
    "shapenetcars128-64": GeneratorConfig(
        name="shapenetcars128-64",
        image_size=128,
        triplane=TriplaneConfig(box_warp=1.6),
        rays=RayConfig(64, 64, 64, 0.1, 2.6, white_back=True),
        superresolution=SuperResolutionConfig(kind="2X"),
        cameras=_CARS,
    ),
}
"""Every published release, by the name of its file, with the cameras it was trained with."""

_VIDEO_CARS = CameraConfig(radius=1.7, pivot=(0.0, 0.0, 0.0), focal=1.7074, world_up="z")

VIDEO_CAMERAS: dict[str, CameraConfig] = {
    name: _VIDEO_CARS if name == "shapenetcars128-64" else config.cameras for name, config in PRESETS.items()
}
"""The cameras of the published video script, by release: of the cars a closer view than the trained one."""

ORBITS: dict[str, tuple[float, tuple[float, float, float]]] = {
    name: (cameras.radius, cameras.pivot) for name, cameras in VIDEO_CAMERAS.items()
}
"""What a release's own file says of cameras, `avg_camera_radius` and `avg_camera_pivot`, by release: the video script's orbit."""


def preset(name: str) -> GeneratorConfig:
    """The configuration of a published release.

    Raises:
        CheckpointError: no release has that name.
    """
    if name not in PRESETS:
        raise CheckpointError(f"preset {name!r}: expected one of {', '.join(sorted(PRESETS))}; pass one of these names")
    return PRESETS[name]
