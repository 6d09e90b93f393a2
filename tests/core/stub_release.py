"""How releases of the balls (`stub_family`) are read: a pickled network, or weights beside settings or none. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from dnerf_core.backbone.specs import Shape
from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.checkpoints.inert.mapped_file import file_stem
from dnerf_core.checkpoints.releases.camera_choice import chosen_cameras
from dnerf_core.checkpoints.releases.reader import Configured, ReleaseReader
from dnerf_core.checkpoints.releases.settings import ReleaseSettings
from dnerf_core.errors import CheckpointError
from tests.core.stub_family import BallConfig

NEAR_BALLS = CameraConfig(radius=2.0, pivot=(0.0, 0.0, 0.0), focal=1.0)


def _of_modules(settings: ReleaseSettings) -> Configured:
    return _configured(settings, settings.attribute("", "side"))


def _of_options(settings: ReleaseSettings, options: Mapping[str, Any], channels: int) -> Configured:
    return _configured(settings, options.get("side"))


def _configured(settings: ReleaseSettings, side: Any) -> Configured:
    config = BallConfig(name=file_stem(settings.path), side=settings.number("side", side, 1.3, 100.0))
    cameras, remarks = chosen_cameras(
        config.cameras, settings.cameras, release="balls", video_cameras={"balls": NEAR_BALLS}, is_assumed=False
    )
    return dataclasses.replace(config, cameras=cameras), remarks


def _with_shapes(config: BallConfig, channels: int) -> Configured:
    return config, ()


def _channels(shapes: Mapping[str, Shape], where: str) -> int:
    """What the shapes of balls tell: how many channels are painted."""
    if "torgb" not in shapes:
        raise CheckpointError(f"{where}: expected the tensors of balls, missing 'torgb'; import the whole generator")
    return shapes["torgb"][1]


BALL_RELEASES = ReleaseReader(
    title="Balls",
    licence="Weights of balls, free for any use.",
    presets={"balls": BallConfig(), "small-balls": BallConfig(name="small-balls", side=1.5)},
    video_cameras={"balls": NEAR_BALLS},
    of_modules=_of_modules,
    read_shapes=_channels,
    of_options=_of_options,
    with_shapes=_with_shapes,
)

read_balls = BALL_RELEASES.read
