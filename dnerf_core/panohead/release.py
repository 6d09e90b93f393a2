"""PanoHead's releases: settings, as the modules of one carry them, turned into a `PanoHeadConfig`. No torch.

Its snapshots are EG3D's with more in them; decoder, renderer and marcher carry their source there, of which nothing is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.checkpoints.inert.mapped_file import file_stem
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.releases.camera_choice import chosen_cameras
from dnerf_core.checkpoints.releases.reader import Configured, ReleaseReader
from dnerf_core.checkpoints.releases.settings import (
    TRAINING_OPTIONS,
    USED_OPTIONS,
    ReleaseSettings,
    backbone_config,
    check_gains,
    checked_options,
    conv_clamp_of,
    image_size_of,
    mapping_config,
    orbit,
    plane_bases,
    ray_config,
    superresolution_config,
)
from dnerf_core.checkpoints.releases.shape_facts import ShapeFacts, with_shapes
from dnerf_core.generator.release import settings_of_options
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


def panohead_config(settings: ReleaseSettings) -> tuple[PanoHeadConfig, tuple[str, ...]]:
    """The generator's config, and a remark for everything that the file left open or that was set aside.

    Raises:
        CheckpointError: a setting is missing, of another type, or not implemented.
    """
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
            box_warp=settings.number("rendering_kwargs.box_warp", options.get("box_warp"), 1e-3, 1e3),
            plane_axes=_grid_axes(settings),
            depth=depth,
            hidden_dim=settings.count("decoder.hidden_dim", settings.attribute("decoder", "hidden_dim", 64), 1, 4096),
            decoder_lr_mul=settings.number("rendering_kwargs.decoder_lr_mul", options.get("decoder_lr_mul", 1.0), 1e-6, 1e3),
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
    return _named(config), tuple(remarks)


def _flag(settings: ReleaseSettings, options: Mapping[str, Any], name: str, prefix: str, remarks: list[str]) -> bool:
    """An option, or where it is missing, whether the file has the tensors that it needs."""
    if name in options:
        return settings.flag(f"rendering_kwargs.{name}", options[name])
    is_there = any(key.startswith(prefix) for key in settings.tensor_keys)
    remarks.append(
        f"no {name} in the file: it is {'on' if is_there else 'off'}, as tensors {prefix}* are {'there' if is_there else 'missing'}"
    )
    return is_there


def _grid_axes(settings: ReleaseSettings) -> tuple[GridAxes, ...]:
    bases = plane_bases(settings)
    if bases is None:
        return PUBLISHED_GRID_AXES
    axes: list[GridAxes] = []
    for index, name in enumerate(bases):
        if name not in get_args(GridAxes):
            settings.refuse(f"renderer.plane_axes[{index}]", f"one of the axes {', '.join(get_args(GridAxes))}", name)
        axes.append(name)  # type: ignore[arg-type]
    if len(axes) != 3:
        settings.refuse("renderer.plane_axes", "3 planes", len(axes))
    return tuple(axes)


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
    made, told = chosen_cameras(base, settings.cameras, release=None, is_assumed=base != published)
    remarks.extend(told)
    return made


def _depth(facts: ShapeFacts) -> int:
    """Slices a plane, of what the backbone paints and what the decoder reads; `check_shapes` tells where it does not divide."""
    return max(1, facts.image_channels // (3 * facts.decoder_inputs))


def _of_options(bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts) -> Configured:
    rendering = options.get("rendering_kwargs")
    rendering = dict(rendering) if type(rendering) is dict else {}
    told, depth = rendering.get("triplane_depth"), _depth(facts)
    rendering |= {"triplane_depth": depth}
    image_channels = 3 * facts.decoder_inputs * depth
    settings, changed = settings_of_options(bare, {**options, "rendering_kwargs": rendering}, facts, image_channels)
    config, remarks = panohead_config(settings)
    if told is not None and told != depth:
        changed = (*changed, f"the weights' shapes decide: triplane_depth {depth} in place of {shown(told)}")
    return config, (*changed, *remarks)


def _with_shapes(config: PanoHeadConfig, facts: ShapeFacts) -> Configured:
    made, remarks = with_shapes(config, facts, facts.decoder_inputs)
    depth = _depth(facts)
    if depth != config.triplane.depth:
        remarks = (*remarks, f"the weights' shapes decide: depth {depth} in place of {config.triplane.depth}")
    return dataclasses.replace(made, triplane=dataclasses.replace(made.triplane, depth=depth)), remarks


def _named(config: PanoHeadConfig) -> PanoHeadConfig:
    published = dataclasses.replace(config, name=PANOHEAD.name)
    return published if published == PANOHEAD else config


PANOHEAD_RELEASES = ReleaseReader(
    title="PanoHead",
    licence=(
        "Weights converted from a PanoHead release. PanoHead's code is EG3D's under the NVIDIA Source Code License for non-commercial "
        "use, its additions are under CC BY-NC-SA 4.0; the terms that came with the release govern these weights too."
    ),
    presets={PANOHEAD.name: PANOHEAD},
    of_modules=panohead_config,
    of_options=_of_options,
    with_shapes=_with_shapes,
    renamed=_named,
)
"""How PanoHead's releases are read."""

read_panohead = PANOHEAD_RELEASES.read
