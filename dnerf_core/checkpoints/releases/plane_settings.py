"""Settings of a generator whose StyleGAN2 backbone paints planes, as parts of a config, for the families whose releases say them alike.

What cannot be done is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import numpy as np

from dnerf_core.backbone.ranges import MAX_NEURAL_RESOLUTION, MAX_SAMPLES, min_coarse_samples
from dnerf_core.backbone.viewing import RayConfig, RayLimit
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.records import TensorRecord
from dnerf_core.checkpoints.releases.settings import ReleaseSettings
from dnerf_core.stylegan2.config import (
    VARIANTS,
    BackboneConfig,
    MappingConfig,
    SuperResolutionConfig,
    SuperResolutionKind,
)

Axes = TypeVar("Axes", bound=str)

SUPERRESOLUTION_PREFIX = "SuperresolutionHybrid"

USED_OPTIONS = {
    *("disparity_space_sampling", "clamp_mode", "c_gen_conditioning_zero", "c_scale", "superresolution_noise_mode"),
    *("decoder_lr_mul", "sr_antialias", "superresolution_module", "image_resolution", "depth_resolution"),
    *("depth_resolution_importance", "ray_start", "ray_end", "box_warp", "white_back", "avg_camera_radius", "avg_camera_pivot"),
}

TRAINING_OPTIONS = {"gpc_reg_prob", "density_reg", "density_reg_p_dist", "reg_type"}
"""Rendering options that act in training only."""


def check_fixed(settings: ReleaseSettings, options: Mapping[str, Any]) -> None:
    """Refuses what every release has the same way, where it is otherwise."""
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


def check_gains(settings: ReleaseSettings, decoder_lr_mul: float) -> None:
    """The bias gain of a linear layer is its learning-rate multiplier: 0.01 in the mapping, the decoder's own, 1 elsewhere."""
    for name, record in settings.modules.items():
        gain = record.state.get("bias_gain")
        if gain is None:
            continue
        is_mapping = re.fullmatch(r"backbone\.mapping\.fc\d+", name) is not None
        expected = 0.01 if is_mapping else decoder_lr_mul if name.startswith("decoder.") else 1.0
        if abs(settings.number(f"{name}.bias_gain", gain) - expected) > 1e-6 * expected:
            settings.refuse(f"{name}.bias_gain", f"{expected:g}", gain)


def image_size_of(settings: ReleaseSettings) -> int:
    """The output's side, pixels."""
    return settings.count("img_resolution", settings.attribute("", "img_resolution"), 1, 4096)


def backbone_config(settings: ReleaseSettings, image_channels: int, slices: int = 1) -> BackboneConfig:
    """The backbone of three planes of `slices` slices.

    Args:
        image_channels: what it paints where the file does not say.
    """
    resolution = settings.count("backbone.img_resolution", settings.attribute("backbone", "img_resolution", 256), 4, 1024)
    if resolution & (resolution - 1):
        settings.refuse("backbone.img_resolution", "a power of two", resolution)
    channels = settings.attribute("backbone", "img_channels", image_channels)
    channels = settings.count("backbone.img_channels", channels, 3 * slices, 4096 * slices)
    if channels % (3 * slices):
        settings.refuse("backbone.img_channels", f"a multiple of {3 * slices}", channels)
    return BackboneConfig(
        resolution=resolution,
        channel_base=settings.count("channel_base", construction(settings, "channel_base", 32768), resolution, 2**24),
        channel_max=settings.count("channel_max", construction(settings, "channel_max", 512), 1, 2**16),
        plane_channels=channels // (3 * slices),
        conv_clamp=conv_clamp_of(settings, "backbone.synthesis.", settings.attribute("backbone", "conv_clamp")),
    )


def construction(settings: ReleaseSettings, name: str, default: int) -> Any:
    """A construction argument of the backbone, whichever of its modules carries it."""
    for module in ("", "backbone", "backbone.synthesis"):
        default = settings.attribute(module, name, default)
    return default


def conv_clamp_of(settings: ReleaseSettings, prefix: str, default: Any) -> float | None:
    """The clamp that the layers below `prefix` carry: one for all of them, or `default` where none says."""
    clamps = [
        record.state["conv_clamp"]
        for name, record in settings.modules.items()
        if name.startswith(prefix) and name.rpartition(".")[2] in ("conv0", "conv1", "torgb") and "conv_clamp" in record.state
    ] or [default]
    limits = [None if value is None else settings.number(f"{prefix}conv_clamp", value, 0.0) for value in clamps]
    if any(limit != limits[0] for limit in limits):
        settings.refuse(f"{prefix}conv_clamp", "one value for all layers", "several")
    return limits[0]


def mapping_config(settings: ReleaseSettings, options: Mapping[str, Any]) -> MappingConfig:
    """The mapping; its layers are counted by their tensors."""
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


def neural_resolution_of(settings: ReleaseSettings, remarks: list[str], usual: Mapping[int, int]) -> int:
    """The asked one, the file's own, that in the file's name as releases spell it (ffhq512-128), or that of the image size's releases.

    Args:
        usual: neural resolution of the family's releases by image size.
    """
    own = settings.attribute("", "neural_rendering_resolution")
    if settings.neural_resolution is not None:
        if own is not None and own != settings.neural_resolution:
            remarks.append(f"neural resolution {settings.neural_resolution}, as asked, in place of the file's {shown(own)}")
        return settings.neural_resolution
    if own is not None:
        return settings.count("neural_rendering_resolution", own, 1, MAX_NEURAL_RESOLUTION)
    size = image_size_of(settings)
    named = re.search(rf"(?<!\d){size}-(\d{{1,4}})(?!\d)", settings.path.name)
    if named and 1 <= int(named[1]) <= MAX_NEURAL_RESOLUTION:
        remarks.append(f"neural resolution {named[1]}, after the file's name; --neural-resolution names another")
        return int(named[1])
    own = usual.get(size, 64)
    remarks.append(f"no neural resolution in the file: {own}, as the releases of {size} px; --neural-resolution names another")
    return own


def box_warp_of(settings: ReleaseSettings, options: Mapping[str, Any]) -> float:
    """Side of the planes' box, world units."""
    return settings.number("rendering_kwargs.box_warp", options.get("box_warp"), 1e-3, 1e3)


def hidden_dim_of(settings: ReleaseSettings) -> int:
    """Width of the decoder's hidden layer."""
    return settings.count("decoder.hidden_dim", settings.attribute("decoder", "hidden_dim", 64), 1, 4096)


def decoder_lr_mul_of(settings: ReleaseSettings, options: Mapping[str, Any]) -> float:
    """Learning-rate multiplier of the decoder's layers."""
    return settings.number("rendering_kwargs.decoder_lr_mul", options.get("decoder_lr_mul", 1.0), 1e-6, 1e3)


def plane_axes_of(settings: ReleaseSettings, known: tuple[Axes, ...], published: tuple[Axes, ...]) -> tuple[Axes, ...]:
    """The axes of each of the three planes, as a family names them.

    Args:
        known: the names that the family has; names of two letters leave out the normal, which says nothing more of a plane.
        published: what a state dict gets, which says nothing of it.
    """
    bases = _plane_bases(settings)
    if bases is None:
        return published
    letters = len(known[0])
    by_name: dict[str, Axes] = {name: name for name in known}
    axes = []
    for index, basis in enumerate(bases):
        name = basis[:letters] if len(basis) == 3 else basis
        if name not in by_name:
            settings.refuse(f"renderer.plane_axes[{index}]", f"one of the planes {', '.join(known)}", name)
        axes.append(by_name[name])
    if len(axes) != 3:
        settings.refuse("renderer.plane_axes", "3 planes", len(axes))
    return tuple(axes)


def _plane_bases(settings: ReleaseSettings) -> list[str] | None:
    """The axes of each plane along its width, its height and its normal, such as "xyz"; None: settings of a state dict, which has none.

    Each plane's basis is a 3 x 3 matrix of rows (width axis, height axis, normal), each row a world axis.
    """
    if "_modules" not in settings.modules[""].state:
        return None
    record = settings.attribute("renderer", "plane_axes")
    if type(record) is not TensorRecord or len(record.shape) != 3 or record.shape[1:] != (3, 3) or not 1 <= record.shape[0] <= 8:
        settings.refuse("renderer.plane_axes", "a tensor of 3 x 3 matrices, one a plane", record)
    names = []
    for basis in record.to_array():
        is_permutation = np.isin(basis, (0.0, 1.0)).all() and (basis.sum(0) == 1).all() and (basis.sum(1) == 1).all()
        names.append("".join("xyz"[row] for row in basis.argmax(1)) if is_permutation else "other directions")
    return names


def checked_options(settings: ReleaseSettings, known: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    """The rendering options, and the remarks that every family makes of them.

    Args:
        known: names of options that mean something.
    """
    options = settings.attribute("", "rendering_kwargs")
    if type(options) is not dict or not all(type(key) is str for key in options):
        settings.refuse("rendering_kwargs", "a dictionary of options", options)
    check_fixed(settings, options)
    unknown = sorted(set(options) - set(known))
    remarks = [f"rendering option {shown(name)} is unknown and was set aside" for name in unknown]
    if "c_scale" not in options:
        remarks.append("no c_scale: the conditioning counts as multiplied by 0")
    if options.get("superresolution_noise_mode") == "random":
        remarks.append("noise mode 'random' is kept by its name; views are made without noise, so that they repeat")
    return options, remarks


def orbit(settings: ReleaseSettings, options: Mapping[str, Any]) -> tuple[float, tuple[float, float, float]]:
    """Radius and pivot (x, y, z) of the cameras' sphere, world units."""
    radius = settings.number("rendering_kwargs.avg_camera_radius", options.get("avg_camera_radius"), 1e-3, 1e6)
    pivot = options.get("avg_camera_pivot")
    if not isinstance(pivot, list | tuple) or len(pivot) != 3:
        settings.refuse("rendering_kwargs.avg_camera_pivot", "three numbers", pivot)
    x, y, z = (settings.number("rendering_kwargs.avg_camera_pivot", value) for value in pivot)
    return radius, (x, y, z)


def ray_config(settings: ReleaseSettings, options: Mapping[str, Any], remarks: list[str], usual: Mapping[int, int]) -> RayConfig:
    """How rays are sampled; `usual` as `neural_resolution_of` takes it."""
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
        neural_resolution=neural_resolution_of(settings, remarks, usual),
        samples_coarse=settings.count("rendering_kwargs.depth_resolution", coarse, min_coarse_samples(fine), MAX_SAMPLES),
        samples_fine=fine,
        ray_start=start,
        ray_end=end,
        white_back=settings.flag("rendering_kwargs.white_back", options.get("white_back", False)),
    )


def superresolution_config(settings: ReleaseSettings, options: Mapping[str, Any]) -> SuperResolutionConfig:
    """The super-resolution that the options name, if its module and the image size agree."""
    dotted = options.get("superresolution_module")
    kinds: dict[str, SuperResolutionKind] = {f"{SUPERRESOLUTION_PREFIX}{kind}": kind for kind in VARIANTS}
    name = dotted.rpartition(".")[2] if type(dotted) is str else None
    if name not in kinds:
        settings.refuse("super-resolution", f"one of {', '.join(kinds)}", dotted)
    module = settings.modules.get("superresolution")
    if module is not None and module.class_name != name:
        settings.refuse("superresolution", f"a {name}, as rendering_kwargs says", module.class_name)
    size = VARIANTS[kinds[name]].output_size
    if image_size_of(settings) != size:
        settings.refuse("img_resolution", f"{size}, which {name} makes", image_size_of(settings))
    noise_mode = options.get("superresolution_noise_mode", "none")
    if noise_mode not in ("none", "const", "random"):
        settings.refuse("rendering_kwargs.superresolution_noise_mode", "'none', 'const' or 'random'", noise_mode)
    half_blocks = settings.count("sr_num_fp16_res", settings.attribute("", "sr_num_fp16_res", 0), 0, 64)
    antialias = options.get("sr_antialias", settings.attribute("superresolution", "sr_antialias", True))
    return SuperResolutionConfig(
        kind=kinds[name],
        conv_clamp=conv_clamp_of(settings, "superresolution.", 256.0 if half_blocks else None),
        noise_mode=noise_mode,
        antialias=settings.flag("rendering_kwargs.sr_antialias", antialias),
    )
