"""EG3D's releases: settings, as the modules of one carry them, turned into a GeneratorConfig. What this generator cannot do is refused."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from dnerf_core.checkpoints.inert.mapped_file import file_stem
from dnerf_core.checkpoints.releases.camera_choice import Point, chosen_cameras
from dnerf_core.checkpoints.releases.plane_settings import (
    TRAINING_OPTIONS,
    USED_OPTIONS,
    backbone_config,
    box_warp_of,
    check_gains,
    checked_options,
    decoder_lr_mul_of,
    hidden_dim_of,
    image_size_of,
    mapping_config,
    orbit,
    plane_axes_of,
    ray_config,
    superresolution_config,
)
from dnerf_core.checkpoints.releases.reader import ReleaseReader
from dnerf_core.checkpoints.releases.settings import ReleaseSettings
from dnerf_core.checkpoints.releases.shape_facts import ShapeFacts, settings_of_options, shape_facts, with_shapes
from dnerf_core.generator.config import (
    ORBITS,
    PRESETS,
    RELEASED_PLANE_AXES,
    VIDEO_CAMERAS,
    CameraConfig,
    GeneratorConfig,
    PlaneAxes,
    TriplaneConfig,
)

_USUAL_RESOLUTIONS = {known.image_size: known.rays.neural_resolution for known in reversed(PRESETS.values())}
"""Neural resolution of the first release of each image size."""


def _of_modules(settings: ReleaseSettings) -> tuple[GeneratorConfig, tuple[str, ...]]:
    options, remarks = checked_options(settings, USED_OPTIONS | TRAINING_OPTIONS)
    config = GeneratorConfig(
        name=file_stem(settings.path),
        image_size=image_size_of(settings),
        mapping=mapping_config(settings, options),
        backbone=backbone_config(settings, 96),
        triplane=TriplaneConfig(
            box_warp=box_warp_of(settings, options),
            plane_axes=plane_axes_of(settings, get_args(PlaneAxes), RELEASED_PLANE_AXES),
            hidden_dim=hidden_dim_of(settings),
            decoder_lr_mul=decoder_lr_mul_of(settings, options),
        ),
        rays=ray_config(settings, options, remarks, _USUAL_RESOLUTIONS),
        superresolution=superresolution_config(settings, options),
        cameras=_cameras(settings, options, remarks),
    )
    check_gains(settings, config.triplane.decoder_lr_mul)
    return config, tuple(remarks)


def _of_options(bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts) -> tuple[GeneratorConfig, tuple[str, ...]]:
    settings, changed = settings_of_options(bare, options, facts, 3 * _plane_channels(facts))
    config, remarks = _of_modules(settings)
    return config, (*changed, *remarks)


def _with_shapes(config: GeneratorConfig, facts: ShapeFacts) -> tuple[GeneratorConfig, tuple[str, ...]]:
    return with_shapes(config, facts, _plane_channels(facts))


def _plane_channels(facts: ShapeFacts) -> int:
    return max(1, facts.image_channels // 3)


def _cameras(settings: ReleaseSettings, options: Mapping[str, Any], remarks: list[str]) -> CameraConfig:
    """Where it is looked at from: focal length, world up and the trained radius stand in no checkpoint, but for a release are known."""
    stem = file_stem(settings.path)
    name = stem if stem in PRESETS else None
    if "avg_camera_radius" not in options and "avg_camera_pivot" not in options and (name or settings.cameras.tells_radius):
        base = CameraConfig() if name is None else PRESETS[name].cameras
        if name is not None:
            remarks.append(f"no camera in the file: that of {name}, after which it is named")
    else:
        radius, pivot = orbit(settings, options)
        name = _release_of_orbit(radius, pivot)
        base = CameraConfig(radius=radius, pivot=pivot) if name is None else PRESETS[name].cameras
    cameras, camera_remarks = chosen_cameras(
        base, settings.cameras, release=name, video_cameras=VIDEO_CAMERAS, is_assumed=name is None
    )
    remarks.extend(camera_remarks)
    return cameras


def _release_of_orbit(radius: float, pivot: Point) -> str | None:
    """The release whose own file holds this orbit; None: no release's does."""
    for name, (known_radius, known_pivot) in ORBITS.items():
        if math.isclose(known_radius, radius) and np.allclose(known_pivot, pivot, atol=1e-9):
            return name
    return None


EG3D_RELEASES = ReleaseReader(
    title="EG3D",
    licence=(
        "Weights converted from an EG3D release. NVIDIA published EG3D's weights under the NVIDIA Source Code License for "
        "non-commercial use; the terms that came with the release govern these weights too."
    ),
    presets=PRESETS,
    video_cameras=VIDEO_CAMERAS,
    of_modules=_of_modules,
    read_shapes=functools.partial(shape_facts, title="EG3D"),
    of_options=_of_options,
    with_shapes=_with_shapes,
)
"""How EG3D's releases are read."""

read_eg3d = EG3D_RELEASES.read
