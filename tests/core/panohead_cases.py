"""PanoHead generators of little weight, and their releases as the published training would write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dnerf_core.checkpoints.expected_shapes import FILTER_TAPS, is_filter
from dnerf_core.generator.config import BackboneConfig, GeneratorConfig, MappingConfig, RayConfig, SuperResolutionConfig
from dnerf_core.panohead.config import PanoHeadConfig
from dnerf_core.panohead.shapes import panohead_shapes
from tests.core import hostile as h

NARROW = PanoHeadConfig(
    name="narrow",
    image_size=128,
    mapping=MappingConfig(z_dim=8, w_dim=8),
    backbone=BackboneConfig(resolution=32, channel_base=256, channel_max=8, plane_channels=4),
    rays=RayConfig(16, 8, 8, 2.25, 3.3),
    superresolution=SuperResolutionConfig(kind="2X"),
)
"""About 2 MB; its background is painted at 64 pixels."""


def weights(config: PanoHeadConfig = NARROW) -> dict[str, np.ndarray]:
    """Random weights and the right filters, by published key name."""
    random = np.random.default_rng(0)
    made = {}
    for key, shape in panohead_shapes(config).items():
        values = np.outer(FILTER_TAPS, FILTER_TAPS) / 64 if is_filter(key) else random.standard_normal(shape, np.float32) * 0.1
        made[key] = np.asarray(values, np.float32)
    return made


def options(config: PanoHeadConfig = NARROW) -> dict[str, Any]:
    """`rendering_kwargs` as a release holds them."""
    eg3d = GeneratorConfig(
        image_size=config.image_size,
        mapping=config.mapping,
        rays=config.rays,
        superresolution=config.superresolution,
        cameras=config.cameras,
    )
    return {
        **h.rendering_options(eg3d),
        "box_warp": config.triplane.box_warp,
        "decoder_lr_mul": config.triplane.decoder_lr_mul,
        "triplane_size": config.backbone.resolution,
        "triplane_depth": config.triplane.depth,
        "decoder_activation": config.triplane.activation,
        "use_torgb_raw": config.use_torgb_raw,
        "use_background": config.use_background,
        "trans_reg": 0.0,
        "density_noise": 0.0,
    }


def network(config: PanoHeadConfig = NARROW, arrays: Mapping[str, np.ndarray] | None = None) -> h.Module:
    """A TriPlaneGenerator of the given config; decoder, renderer and marcher are persistent, with traps for source text."""
    eg3d = GeneratorConfig(
        image_size=config.image_size,
        mapping=config.mapping,
        backbone=config.backbone,
        rays=config.rays,
        superresolution=config.superresolution,
    )
    root = h.network(eg3d, weights(config) if arrays is None else arrays)
    root.attributes["rendering_kwargs"] = options(config)
    root.at("backbone").attributes["img_channels"] = config.image_channels
    unit = dict(zip("xyz", np.eye(3, dtype=np.float32), strict=True))
    bases = np.stack([np.stack([unit[axis] for axis in axes]) for axes in config.triplane.plane_axes])
    marcher = h.Module("MipRayMarcher2", is_persistent=True)
    root.modules["renderer"] = h.Module("ImportanceRenderer", {"plane_axes": bases}, modules={"ray_marcher": marcher})
    for name in ("decoder", "renderer"):
        root.at(name).is_persistent = True
    if "bcg_synthesis" in root.modules:
        root.at("bcg_synthesis").class_name = "SynthesisNetwork"
        for block in root.at("bcg_synthesis").modules.values():
            block.class_name, block.attributes = "SynthesisBlock", {"architecture": "skip"}
            for name, layer in block.modules.items():
                layer.class_name = "ToRGBLayer" if name == "torgb" else "SynthesisLayer"
                layer.attributes = {"conv_clamp": config.background_clamp}
    if "torgb" in root.modules:
        root.at("torgb").class_name, root.at("torgb").attributes = "ToRGBLayer", {"conv_clamp": None}
    for layer in ("fc0", "fc1"):
        root.at(f"t_mapping.{layer}").attributes = {"bias_gain": 1}
    return root


def state(config: PanoHeadConfig = NARROW) -> dict[str, np.ndarray]:
    """A state dict as torch writes it."""
    return weights(config)


def init_kwargs(config: PanoHeadConfig = NARROW) -> dict[str, Any]:
    """Construction arguments, by the published names."""
    mapping, backbone = config.mapping, config.backbone
    return {
        **{"z_dim": mapping.z_dim, "c_dim": mapping.c_dim, "w_dim": mapping.w_dim, "img_resolution": config.image_size},
        **{"img_channels": 3, "channel_base": backbone.channel_base, "channel_max": backbone.channel_max, "num_fp16_res": 0},
        "conv_clamp": backbone.conv_clamp,
        "sr_num_fp16_res": 4 if config.superresolution.conv_clamp else 0,
        "rendering_kwargs": options(config),
    }
