"""EG3D's releases: settings, as the modules of one carry them, turned into a GeneratorConfig. What this generator cannot do is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args

from dnerf_core.checkpoints.inert.mapped_file import file_stem
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.records import ModuleRecord
from dnerf_core.checkpoints.releases.camera_choice import chosen_cameras, release_of_orbit
from dnerf_core.checkpoints.releases.reader import ReleaseReader
from dnerf_core.checkpoints.releases.settings import (
    SUPERRESOLUTION_PREFIX,
    TRAINING_OPTIONS,
    USED_OPTIONS,
    ReleaseSettings,
    backbone_config,
    check_gains,
    checked_options,
    image_size_of,
    mapping_config,
    orbit,
    plane_bases,
    ray_config,
    superresolution_config,
)
from dnerf_core.checkpoints.releases.shape_facts import ShapeFacts, with_shapes
from dnerf_core.generator.config import (
    PRESETS,
    RELEASED_PLANE_AXES,
    CameraConfig,
    GeneratorConfig,
    PlaneAxes,
    TriplaneConfig,
)

_USUAL_RESOLUTIONS = {known.image_size: known.rays.neural_resolution for known in reversed(PRESETS.values())}
"""Neural resolution of the first release of each image size."""


def settings_of_options(
    bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts, image_channels: int
) -> tuple[ReleaseSettings, tuple[str, ...]]:
    """`bare`, which has no modules, with the settings of a state dict's construction arguments; a remark for what its shapes say otherwise.

    Shapes decide what they can; modules that only carry attributes stand for those of a snapshot.

    Args:
        image_channels: what the backbone paints.
    """
    rendering = options.get("rendering_kwargs")
    rendering = dict(rendering) if type(rendering) is dict else {}
    module = f"training.superresolution.{SUPERRESOLUTION_PREFIX}{facts.kind}"
    told = rendering.get("superresolution_module")
    by_shape = {
        **{"z_dim": facts.z_dim, "w_dim": facts.w_dim, "c_dim": facts.c_dim, "img_resolution": facts.image_size},
        **{"channel_base": facts.channel_base, "channel_max": facts.channel_max},
    }
    changed = [
        f"{name} {value} in place of {shown(options[name])}"
        for name, value in by_shape.items()
        if options.get(name, value) != value
    ]
    if type(told) is str and told.rpartition(".")[2] != module.rpartition(".")[2]:
        changed.append(f"super-resolution {facts.kind} in place of {shown(told)}")
    rendering["superresolution_module"] = module
    root = ModuleRecord("TriPlaneGenerator", {**options, **by_shape, "rendering_kwargs": rendering})
    backbone = ModuleRecord("Generator", {"img_resolution": facts.backbone_resolution, "img_channels": image_channels})
    backbone.state["conv_clamp"] = options.get("conv_clamp")
    decoder = ModuleRecord("OSGDecoder", {"hidden_dim": facts.hidden_dim})
    settings = dataclasses.replace(bare, modules={"": root, "backbone": backbone, "decoder": decoder})
    return settings, (f"the weights' shapes decide: {', '.join(changed)}",) if changed else ()


def release_config(settings: ReleaseSettings) -> tuple[GeneratorConfig, tuple[str, ...]]:
    """The generator's config, and a remark for everything that the file left open or that was set aside.

    A config that equals a published release's, name aside, takes that release's name; where two share one config, the file's own
    name decides, then the first. Any other config is named after the file.

    Raises:
        CheckpointError: a setting is missing, of another type, or not implemented.
    """
    options, remarks = checked_options(settings, USED_OPTIONS | TRAINING_OPTIONS)
    config = GeneratorConfig(
        name=file_stem(settings.path),
        image_size=image_size_of(settings),
        mapping=mapping_config(settings, options),
        backbone=backbone_config(settings, 96),
        triplane=TriplaneConfig(
            box_warp=settings.number("rendering_kwargs.box_warp", options.get("box_warp"), 1e-3, 1e3),
            plane_axes=_plane_axes(settings),
            hidden_dim=settings.count("decoder.hidden_dim", settings.attribute("decoder", "hidden_dim", 64), 1, 4096),
            decoder_lr_mul=settings.number("rendering_kwargs.decoder_lr_mul", options.get("decoder_lr_mul", 1.0), 1e-6, 1e3),
        ),
        rays=ray_config(settings, options, remarks, _USUAL_RESOLUTIONS),
        superresolution=superresolution_config(settings, options),
        cameras=_cameras(settings, options, remarks),
    )
    check_gains(settings, config.triplane.decoder_lr_mul)
    return named_config(config), tuple(remarks)


def _of_options(bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts) -> tuple[GeneratorConfig, tuple[str, ...]]:
    settings, changed = settings_of_options(bare, options, facts, 3 * _plane_channels(facts))
    config, remarks = release_config(settings)
    return config, (*changed, *remarks)


def _with_shapes(config: GeneratorConfig, facts: ShapeFacts) -> tuple[GeneratorConfig, tuple[str, ...]]:
    made, remarks = with_shapes(config, facts, _plane_channels(facts))
    return made, remarks


def _plane_channels(facts: ShapeFacts) -> int:
    return max(1, facts.image_channels // 3)


def _plane_axes(settings: ReleaseSettings) -> tuple[PlaneAxes, ...]:
    """A plane's own two axes; its normal says nothing more."""
    bases = plane_bases(settings)
    if bases is None:
        return RELEASED_PLANE_AXES
    axes: list[PlaneAxes] = []
    for index, basis in enumerate(bases):
        name = basis[:2] if len(basis) == 3 else basis
        if name not in get_args(PlaneAxes):
            settings.refuse(f"renderer.plane_axes[{index}]", f"one of the planes {', '.join(get_args(PlaneAxes))}", name)
        axes.append(name)  # type: ignore[arg-type]
    if len(axes) != 3:
        settings.refuse("renderer.plane_axes", "3 planes", len(axes))
    return tuple(axes)


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
        name = release_of_orbit(radius, pivot)
        base = CameraConfig(radius=radius, pivot=pivot) if name is None else PRESETS[name].cameras
    made, told = chosen_cameras(base, settings.cameras, release=name, is_assumed=name is None)
    remarks.extend(told)
    return made


def named_config(config: GeneratorConfig) -> GeneratorConfig:
    """`config` under the name of the release that it equals, the file's own where it is one of them, else the first."""
    same = [name for name, known in PRESETS.items() if dataclasses.replace(known, name=config.name) == config]
    return config if config.name in same or not same else dataclasses.replace(config, name=same[0])


EG3D_RELEASES = ReleaseReader(
    title="EG3D",
    licence=(
        "Weights converted from an EG3D release. NVIDIA published EG3D's weights under the NVIDIA Source Code License for "
        "non-commercial use; the terms that came with the release govern these weights too."
    ),
    presets=PRESETS,
    of_modules=release_config,
    of_options=_of_options,
    with_shapes=_with_shapes,
    renamed=named_config,
)
"""How EG3D's releases are read."""

read_eg3d = EG3D_RELEASES.read
