"""A release's settings, as its modules carry them, turned into a GeneratorConfig. What this generator cannot do is refused."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, get_args

import numpy as np

from dnerf_core.backbone.ranges import MAX_NEURAL_RESOLUTION, MAX_SAMPLES, min_coarse_samples
from dnerf_core.backbone.viewing import RayLimit
from dnerf_core.checkpoints.camera_choice import OWN_CAMERAS, CameraChoice, chosen_cameras, release_of_orbit
from dnerf_core.checkpoints.inert_records import ModuleRecord, TensorRecord
from dnerf_core.checkpoints.mapped_file import file_stem
from dnerf_core.checkpoints.pickle_machine import shown
from dnerf_core.checkpoints.shape_facts import ShapeFacts
from dnerf_core.errors import CheckpointError
from dnerf_core.generator.config import (
    PRESETS,
    RELEASED_PLANE_AXES,
    VARIANTS,
    BackboneConfig,
    CameraConfig,
    GeneratorConfig,
    MappingConfig,
    PlaneAxes,
    RayConfig,
    SuperResolutionConfig,
    SuperResolutionKind,
    TriplaneConfig,
)

_REMEDY = "nothing was written; import an unmodified generator of EG3D"
_SUPERRESOLUTION_PREFIX = "SuperresolutionHybrid"

_USED_OPTIONS = {
    *("disparity_space_sampling", "clamp_mode", "c_gen_conditioning_zero", "c_scale", "superresolution_noise_mode"),
    *("decoder_lr_mul", "sr_antialias", "superresolution_module", "image_resolution", "depth_resolution"),
    *("depth_resolution_importance", "ray_start", "ray_end", "box_warp", "white_back", "avg_camera_radius", "avg_camera_pivot"),
}

_TRAINING_OPTIONS = {"gpc_reg_prob", "density_reg", "density_reg_p_dist", "reg_type"}
"""Rendering options that act in training only."""


@dataclass(frozen=True, eq=False)
class ReleaseSettings:
    """A network's modules by dotted name (the root as ''), the keys of its tensors, the file's path, and how messages begin and end.

    `neural_resolution` and `cameras` take the place of what the file says of them.
    """

    path: Path
    where: str
    modules: Mapping[str, ModuleRecord]
    tensor_keys: frozenset[str]
    neural_resolution: int | None = None
    cameras: CameraChoice = OWN_CAMERAS
    remedy: str = _REMEDY

    def attribute(self, module: str, name: str, default: Any = None) -> Any:
        """A module's plain attribute, or its construction argument of that name, or `default`."""
        record = self.modules.get(module)
        state = record.state if record else {}
        arguments = state.get("_init_kwargs")
        return state.get(name, arguments.get(name, default) if type(arguments) is dict else default)

    def refuse(self, name: str, expected: str, found: object) -> NoReturn:
        """Raises the CheckpointError for a setting."""
        raise CheckpointError(f"{self.where}: {name}: expected {expected}, found {shown(found)}; {self.remedy}")

    def number(self, name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
        """`value` as a float within [low, high]."""
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            self.refuse(name, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def count(self, name: str, value: Any, low: int, high: int) -> int:
        """`value` as an integer within [low, high]."""
        if type(value) is not int or not low <= value <= high:
            self.refuse(name, f"an integer from {low} to {high}", value)
        return int(value)

    def flag(self, name: str, value: Any) -> bool:
        """`value` as a bool."""
        if type(value) is not bool:
            self.refuse(name, "True or False", value)
        return bool(value)

    def fixed(self, name: str, value: Any, expected: str | float | bool) -> None:
        """Refuses any value but the one that every release has."""
        if type(value) not in (str, int, float, bool) or value != expected:
            self.refuse(name, f"{expected!r}, the only one implemented", value)


def settings_of_options(
    bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts
) -> tuple[ReleaseSettings, tuple[str, ...]]:
    """`bare`, which has no modules, with the settings of a state dict's construction arguments; a remark for what its shapes say otherwise.

    Shapes decide what they can; modules that only carry attributes stand for those of a snapshot.
    """
    rendering = options.get("rendering_kwargs")
    rendering = dict(rendering) if type(rendering) is dict else {}
    module = f"training.superresolution.{_SUPERRESOLUTION_PREFIX}{facts.kind}"
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
    backbone = ModuleRecord("Generator", {"img_resolution": facts.backbone_resolution, "img_channels": 3 * facts.plane_channels})
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
    options = settings.attribute("", "rendering_kwargs")
    if type(options) is not dict or not all(type(key) is str for key in options):
        settings.refuse("rendering_kwargs", "a dictionary of options", options)
    _check_fixed(settings, options)
    unknown = sorted(set(options) - _USED_OPTIONS - _TRAINING_OPTIONS)
    remarks = [f"rendering option {shown(name)} is unknown and was set aside" for name in unknown]
    if "c_scale" not in options:
        remarks.append("no c_scale: the conditioning counts as multiplied by 0")
    if options.get("superresolution_noise_mode") == "random":
        remarks.append("noise mode 'random' is kept by its name; views are made without noise, so that they repeat")
    backbone = _backbone(settings)
    config = GeneratorConfig(
        name=file_stem(settings.path),
        image_size=_image_size(settings),
        mapping=_mapping(settings, options),
        backbone=backbone,
        triplane=TriplaneConfig(
            box_warp=settings.number("rendering_kwargs.box_warp", options.get("box_warp"), 1e-3, 1e3),
            plane_axes=_plane_axes(settings),
            hidden_dim=settings.count("decoder.hidden_dim", settings.attribute("decoder", "hidden_dim", 64), 1, 4096),
            decoder_lr_mul=settings.number("rendering_kwargs.decoder_lr_mul", options.get("decoder_lr_mul", 1.0), 1e-6, 1e3),
        ),
        rays=_rays(settings, options, remarks),
        superresolution=_superresolution(settings, options),
        cameras=_cameras(settings, options, remarks),
    )
    _check_gains(settings, config)
    return named_config(config), tuple(remarks)


def _check_fixed(settings: ReleaseSettings, options: Mapping[str, Any]) -> None:
    for name, expected in (("clamp_mode", "softplus"), ("disparity_space_sampling", False)):
        settings.fixed(f"rendering_kwargs.{name}", options.get(name, expected), expected)
    for name, record in settings.modules.items():
        layer = name.rpartition(".")[2]
        if layer in ("conv0", "conv1"):
            settings.fixed(f"{name}.activation", record.state.get("activation", "lrelu"), "lrelu")
        elif record.class_name == "SynthesisBlock":
            settings.fixed(f"{name}.architecture", record.state.get("architecture", "skip"), "skip")
        elif record.class_name == "Softplus":
            settings.fixed(f"{name}.beta", record.state.get("beta", 1), 1)


def _check_gains(settings: ReleaseSettings, config: GeneratorConfig) -> None:
    """The bias gain of a linear layer is its learning-rate multiplier: 0.01 in the mapping, the decoder's own, 1 elsewhere."""
    for name, record in settings.modules.items():
        gain = record.state.get("bias_gain")
        if gain is None:
            continue
        is_mapping = re.fullmatch(r"backbone\.mapping\.fc\d+", name) is not None
        expected = 0.01 if is_mapping else config.triplane.decoder_lr_mul if name.startswith("decoder.") else 1.0
        if abs(settings.number(f"{name}.bias_gain", gain) - expected) > 1e-6 * expected:
            settings.refuse(f"{name}.bias_gain", f"{expected:g}", gain)


def _image_size(settings: ReleaseSettings) -> int:
    return settings.count("img_resolution", settings.attribute("", "img_resolution"), 1, 4096)


def _backbone(settings: ReleaseSettings) -> BackboneConfig:
    resolution = settings.count("backbone.img_resolution", settings.attribute("backbone", "img_resolution", 256), 4, 1024)
    if resolution & (resolution - 1):
        settings.refuse("backbone.img_resolution", "a power of two", resolution)
    channels = settings.count("backbone.img_channels", settings.attribute("backbone", "img_channels", 96), 3, 4096)
    if channels % 3:
        settings.refuse("backbone.img_channels", "a multiple of 3", channels)
    return BackboneConfig(
        resolution=resolution,
        channel_base=settings.count("channel_base", _construction(settings, "channel_base", 32768), resolution, 2**24),
        channel_max=settings.count("channel_max", _construction(settings, "channel_max", 512), 1, 2**16),
        plane_channels=channels // 3,
        conv_clamp=_conv_clamp(settings, "backbone.synthesis.", settings.attribute("backbone", "conv_clamp")),
    )


def _construction(settings: ReleaseSettings, name: str, default: int) -> Any:
    """A construction argument of the backbone, whichever of its modules carries it."""
    for module in ("", "backbone", "backbone.synthesis"):
        default = settings.attribute(module, name, default)
    return default


def _conv_clamp(settings: ReleaseSettings, prefix: str, default: Any) -> float | None:
    """The clamp that the layers below `prefix` carry: one for all of them, or `default` where none says."""
    found = [
        record.state["conv_clamp"]
        for name, record in settings.modules.items()
        if name.startswith(prefix) and name.rpartition(".")[2] in ("conv0", "conv1", "torgb") and "conv_clamp" in record.state
    ] or [default]
    limits = [None if value is None else settings.number(f"{prefix}conv_clamp", value, 0.0) for value in found]
    if any(limit != limits[0] for limit in limits):
        settings.refuse(f"{prefix}conv_clamp", "one value for all layers", "several")
    return limits[0]


def _mapping(settings: ReleaseSettings, options: Mapping[str, Any]) -> MappingConfig:
    layers = sum(bool(re.fullmatch(r"backbone\.mapping\.fc\d+\.weight", key)) for key in settings.tensor_keys)
    return MappingConfig(
        z_dim=settings.count("z_dim", settings.attribute("", "z_dim"), 1, 65536),
        w_dim=settings.count("w_dim", settings.attribute("", "w_dim"), 1, 65536),
        c_dim=_conditioning(settings),
        layers=settings.count("number of layers backbone.mapping.fc*", layers, 1, 64),
        c_scale=settings.number("rendering_kwargs.c_scale", options.get("c_scale", 0.0)),
        c_zero=settings.flag("rendering_kwargs.c_gen_conditioning_zero", options.get("c_gen_conditioning_zero", False)),
    )


def _conditioning(settings: ReleaseSettings) -> int:
    """25 numbers of a camera, or 0 where the generator was trained without."""
    width = settings.attribute("", "c_dim")
    if type(width) is not int or width not in (0, 25):
        settings.refuse("c_dim", "0 or 25", width)
    return int(width)


def _plane_axes(settings: ReleaseSettings) -> tuple[PlaneAxes, ...]:
    """Each plane's basis is a 3 x 3 matrix of rows (width axis, height axis, normal), each row a world axis."""
    if "_modules" not in settings.modules[""].state:  # settings of a state dict, in which no axes stand
        return RELEASED_PLANE_AXES
    record = settings.attribute("renderer", "plane_axes")
    if type(record) is not TensorRecord or len(record.shape) != 3 or record.shape[1:] != (3, 3) or not 1 <= record.shape[0] <= 8:
        settings.refuse("renderer.plane_axes", "a tensor of 3 x 3 matrices, one a plane", record)
    axes: list[PlaneAxes] = []
    for index, basis in enumerate(record.to_array()):
        is_permutation = np.isin(basis, (0.0, 1.0)).all() and (basis.sum(0) == 1).all() and (basis.sum(1) == 1).all()
        name = "".join("xyz"[row] for row in basis[:2].argmax(1)) if is_permutation else "other directions"
        if name not in get_args(PlaneAxes):
            settings.refuse(f"renderer.plane_axes[{index}]", f"one of the planes {', '.join(get_args(PlaneAxes))}", name)
        axes.append(name)  # type: ignore[arg-type]
    if len(axes) != 3:
        settings.refuse("renderer.plane_axes", "3 planes", len(axes))
    return tuple(axes)


def _neural_resolution(settings: ReleaseSettings, remarks: list[str]) -> int:
    """The asked one, the file's own, that in the file's name as releases spell it (ffhq512-128), or that of the image size's releases."""
    own = settings.attribute("", "neural_rendering_resolution")
    if settings.neural_resolution is not None:
        if own is not None and own != settings.neural_resolution:
            remarks.append(f"neural resolution {settings.neural_resolution}, as asked, in place of the file's {shown(own)}")
        return settings.neural_resolution
    if own is not None:
        return settings.count("neural_rendering_resolution", own, 1, MAX_NEURAL_RESOLUTION)
    size = _image_size(settings)
    named = re.search(rf"(?<!\d){size}-(\d{{1,4}})(?!\d)", settings.path.name)
    if named and 1 <= int(named[1]) <= MAX_NEURAL_RESOLUTION:
        remarks.append(f"neural resolution {named[1]}, after the file's name; --neural-resolution names another")
        return int(named[1])
    usual = next((known.rays.neural_resolution for known in PRESETS.values() if known.image_size == size), 64)
    remarks.append(f"no neural resolution in the file: {usual}, as the releases of {size} px; --neural-resolution names another")
    return usual


def _rays(settings: ReleaseSettings, options: Mapping[str, Any], remarks: list[str]) -> RayConfig:
    limits: list[RayLimit] = []
    for name in ("ray_start", "ray_end"):
        value = options.get(name)
        is_auto = type(value) is str and value == "auto"
        limits.append("auto" if is_auto else settings.number(f"rendering_kwargs.{name}", value, 0.0, 1e6))
    start, end = limits
    if (start == "auto") != (end == "auto") or (not isinstance(start, str) and not isinstance(end, str) and start >= end):
        settings.refuse("rendering_kwargs.ray_start", "less than ray_end, or both 'auto'", options.get("ray_start"))
    fine = settings.count(
        "rendering_kwargs.depth_resolution_importance", options.get("depth_resolution_importance"), 0, MAX_SAMPLES
    )
    coarse = options.get("depth_resolution")
    return RayConfig(
        neural_resolution=_neural_resolution(settings, remarks),
        samples_coarse=settings.count("rendering_kwargs.depth_resolution", coarse, min_coarse_samples(fine), MAX_SAMPLES),
        samples_fine=fine,
        ray_start=start,
        ray_end=end,
        white_back=settings.flag("rendering_kwargs.white_back", options.get("white_back", False)),
    )


def _superresolution(settings: ReleaseSettings, options: Mapping[str, Any]) -> SuperResolutionConfig:
    dotted = options.get("superresolution_module")
    kinds: dict[str, SuperResolutionKind] = {f"{_SUPERRESOLUTION_PREFIX}{kind}": kind for kind in VARIANTS}
    name = dotted.rpartition(".")[2] if type(dotted) is str else None
    if name not in kinds:
        settings.refuse("super-resolution", f"one of {', '.join(kinds)}", dotted)
    module = settings.modules.get("superresolution")
    if module is not None and module.class_name != name:
        settings.refuse("superresolution", f"a {name}, as rendering_kwargs says", module.class_name)
    size = VARIANTS[kinds[name]].output_size
    if _image_size(settings) != size:
        settings.refuse("img_resolution", f"{size}, which {name} makes", _image_size(settings))
    noise_mode = options.get("superresolution_noise_mode", "none")
    if noise_mode not in ("none", "const", "random"):
        settings.refuse("rendering_kwargs.superresolution_noise_mode", "'none', 'const' or 'random'", noise_mode)
    half_blocks = settings.count("sr_num_fp16_res", settings.attribute("", "sr_num_fp16_res", 0), 0, 64)
    antialias = options.get("sr_antialias", settings.attribute("superresolution", "sr_antialias", True))
    return SuperResolutionConfig(
        kind=kinds[name],
        conv_clamp=_conv_clamp(settings, "superresolution.", 256.0 if half_blocks else None),
        noise_mode=noise_mode,
        antialias=settings.flag("rendering_kwargs.sr_antialias", antialias),
    )


def _cameras(settings: ReleaseSettings, options: Mapping[str, Any], remarks: list[str]) -> CameraConfig:
    """Where it is looked at from: focal length, world up and the trained radius stand in no checkpoint, but for a release are known."""
    stem = file_stem(settings.path)
    name = stem if stem in PRESETS else None
    if "avg_camera_radius" not in options and "avg_camera_pivot" not in options and (name or settings.cameras.tells_radius):
        base = CameraConfig() if name is None else PRESETS[name].cameras
        if name is not None:
            remarks.append(f"no camera in the file: that of {name}, after which it is named")
        made, told = chosen_cameras(base, settings.cameras, release=name, is_assumed=name is None)
    else:
        radius = settings.number("rendering_kwargs.avg_camera_radius", options.get("avg_camera_radius"), 1e-3, 1e6)
        pivot = options.get("avg_camera_pivot")
        if not isinstance(pivot, list | tuple) or len(pivot) != 3:
            settings.refuse("rendering_kwargs.avg_camera_pivot", "three numbers", pivot)
        x, y, z = (settings.number("rendering_kwargs.avg_camera_pivot", value) for value in pivot)
        name = release_of_orbit(radius, (x, y, z))
        base = CameraConfig(radius=radius, pivot=(x, y, z)) if name is None else PRESETS[name].cameras
        made, told = chosen_cameras(base, settings.cameras, release=name, is_assumed=name is None)
    remarks.extend(told)
    return made


def named_config(config: GeneratorConfig) -> GeneratorConfig:
    """`config` under the name of the release that it equals, the file's own where it is one of them, else the first."""
    same = [name for name, known in PRESETS.items() if dataclasses.replace(known, name=config.name) == config]
    return config if config.name in same or not same else dataclasses.replace(config, name=same[0])
