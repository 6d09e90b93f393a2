"""PanoHead's releases: settings, as the modules of one carry them, turned into a `PanoHeadConfig`. No torch.

Its snapshots are EG3D's with more in them; decoder, renderer and marcher carry their source there, of which nothing is kept.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, get_args

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.checkpoints.inert.mapped_file import file_stem
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.releases.camera_choice import chosen_cameras
from dnerf_core.checkpoints.releases.plane_settings import (
    TRAINING_OPTIONS,
    USED_OPTIONS,
    backbone_config,
    box_warp_of,
    check_gains,
    checked_options,
    conv_clamp_of,
    decoder_lr_mul_of,
    hidden_dim_of,
    image_size_of,
    mapping_config,
    orbit,
    plane_axes_of,
    ray_config,
    superresolution_config,
)
from dnerf_core.checkpoints.releases.reader import Configured, ReleaseReader
from dnerf_core.checkpoints.releases.settings import ReleaseSettings
from dnerf_core.checkpoints.releases.shape_facts import ShapeFacts, settings_of_options, shape_facts, with_shapes
from dnerf_core.panohead.config import (
    MAX_DEPTH,
    PANOHEAD,
    PANOHEAD_CAMERAS,
    PUBLISHED_GRID_AXES,
    Activation,
    GridAxes,
    PanoHeadConfig,
    TrigridConfig,
)

_OWN_OPTIONS = {"triplane_size", "triplane_depth", "decoder_activation", "use_torgb_raw", "use_background"}
_OWN_TRAINING_OPTIONS = {"trans_reg", "density_noise"}
_FFHQ_PIVOT = (0.0, 0.0, 0.2)
"""What EG3D's settings for faces, which PanoHead's training starts from, have for a pivot; PanoHead's cameras look at the origin."""
VIDEO_CAMERAS: Mapping[str, CameraConfig] = {}
"""None are known of a video script of its own."""


def _of_modules(settings: ReleaseSettings) -> Configured:
    known = USED_OPTIONS | TRAINING_OPTIONS | _OWN_OPTIONS | _OWN_TRAINING_OPTIONS
    options, remarks = checked_options(settings, known)
    depth = settings.count("rendering_kwargs.triplane_depth", options.get("triplane_depth"), 1, MAX_DEPTH)
    backbone = backbone_config(settings, 96 * depth, depth)
    size = options.get("triplane_size", backbone.resolution)
    settings.fixed("rendering_kwargs.triplane_size", size, backbone.resolution)
    activation = options.get("decoder_activation", "none")
    if activation not in get_args(Activation):
        settings.refuse("rendering_kwargs.decoder_activation", f"one of {', '.join(get_args(Activation))}", activation)
    if settings.attribute("torgb", "conv_clamp") is not None:
        settings.refuse("torgb.conv_clamp", "none", settings.attribute("torgb", "conv_clamp"))
    if options.get("density_noise", 0) != 0:
        remarks.append(f"density_noise {shown(options['density_noise'])} acts in training only; views are made without")
    rays = ray_config(settings, options, remarks, {PANOHEAD.image_size: PANOHEAD.rays.neural_resolution})
    if rays.white_back:
        remarks.append("white_back was set aside: what is behind a head is painted, or black")
    config = PanoHeadConfig(
        name=file_stem(settings.path),
        image_size=image_size_of(settings),
        mapping=mapping_config(settings, options),
        backbone=backbone,
        triplane=TrigridConfig(
            box_warp=box_warp_of(settings, options),
            plane_axes=plane_axes_of(settings, get_args(GridAxes), PUBLISHED_GRID_AXES),
            depth=depth,
            hidden_dim=hidden_dim_of(settings),
            decoder_lr_mul=decoder_lr_mul_of(settings, options),
            activation=activation,
        ),
        rays=dataclasses.replace(rays, white_back=False),
        superresolution=superresolution_config(settings, options),
        cameras=_cameras(settings, options, remarks),
        use_torgb_raw=_flag(settings, options, "use_torgb_raw", "torgb.", remarks),
        use_background=_flag(settings, options, "use_background", "bcg_synthesis.", remarks),
        background_clamp=conv_clamp_of(settings, "bcg_synthesis.", backbone.conv_clamp),
    )
    check_gains(settings, config.triplane.decoder_lr_mul)
    return config, tuple(remarks)


def _flag(settings: ReleaseSettings, options: Mapping[str, Any], name: str, prefix: str, remarks: list[str]) -> bool:
    """An option, or where it is missing, whether the file has the tensors that it needs."""
    if name in options:
        return settings.flag(f"rendering_kwargs.{name}", options[name])
    is_there = any(key.startswith(prefix) for key in settings.tensor_keys)
    remarks.append(
        f"no {name} in the file: it is {'on' if is_there else 'off'}, as tensors {prefix}* are {'there' if is_there else 'missing'}"
    )
    return is_there


def _cameras(settings: ReleaseSettings, options: Mapping[str, Any], remarks: list[str]) -> CameraConfig:
    """The published scripts' cameras; another orbit in the file takes their radius and pivot, with the rest assumed."""
    published = PANOHEAD_CAMERAS
    given = {"avg_camera_radius": published.radius, "avg_camera_pivot": published.pivot, **options}
    radius, pivot = orbit(settings, given)
    if radius == published.radius and pivot == _FFHQ_PIVOT:
        remarks.append(
            f"avg_camera_pivot {list(given['avg_camera_pivot'])}, EG3D's for faces, was set aside: PanoHead's cameras look at the origin"
        )
        pivot = published.pivot
    base = dataclasses.replace(published, radius=radius, pivot=pivot)
    cameras, camera_remarks = chosen_cameras(
        base, settings.cameras, release=None, video_cameras=VIDEO_CAMERAS, is_assumed=base != published
    )
    remarks.extend(camera_remarks)
    return cameras


def _depth(facts: ShapeFacts) -> int:
    """Slices a plane, of what the backbone paints and what the decoder reads; `check_shapes` tells where it does not divide."""
    return max(1, facts.image_channels // (3 * facts.decoder_inputs))


def _of_options(bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts) -> Configured:
    rendering = options.get("rendering_kwargs")
    rendering = dict(rendering) if type(rendering) is dict else {}
    given_depth, depth = rendering.get("triplane_depth"), _depth(facts)
    rendering |= {"triplane_depth": depth}
    image_channels = 3 * facts.decoder_inputs * depth
    settings, changed = settings_of_options(bare, {**options, "rendering_kwargs": rendering}, facts, image_channels)
    config, remarks = _of_modules(settings)
    if given_depth is not None and given_depth != depth:
        changed = (*changed, f"the weights' shapes decide: triplane_depth {depth} in place of {shown(given_depth)}")
    return config, (*changed, *remarks)


def _with_shapes(config: PanoHeadConfig, facts: ShapeFacts) -> Configured:
    config_by_shape, remarks = with_shapes(config, facts, facts.decoder_inputs)
    depth = _depth(facts)
    if depth != config.triplane.depth:
        remarks = (*remarks, f"the weights' shapes decide: depth {depth} in place of {config.triplane.depth}")
    triplane = dataclasses.replace(config_by_shape.triplane, depth=depth)
    return dataclasses.replace(config_by_shape, triplane=triplane), remarks


PANOHEAD_RELEASES = ReleaseReader(
    title="PanoHead",
    licence=(
        "Weights converted from a PanoHead release. PanoHead's code is EG3D's under the NVIDIA Source Code License for non-commercial "
        "use, its additions are under CC BY-NC-SA 4.0; the terms that came with the release govern these weights too."
    ),
    presets={PANOHEAD.name: PANOHEAD},
    video_cameras=VIDEO_CAMERAS,
    of_modules=_of_modules,
    read_shapes=functools.partial(shape_facts, title="PanoHead"),
    of_options=_of_options,
    with_shapes=_with_shapes,
)
"""How PanoHead's releases are read."""

read_panohead = PANOHEAD_RELEASES.read
