"""The generator that `checkpoint_writer` writes in these tests: narrow, with the cars' settings, as EG3D's training would describe it."""

from __future__ import annotations

import dataclasses
from typing import Any

from dnerf_core.checkpoints.expected_shapes import expected_shapes
from dnerf_core.generator.config import ORBITS, GeneratorConfig, MappingConfig
from tests.core import hostile as h

CONFIG = dataclasses.replace(h.NARROW, mapping=MappingConfig(z_dim=4, w_dim=4))


def init_kwargs(config: GeneratorConfig = CONFIG) -> dict[str, Any]:
    """Construction arguments, by the published names."""
    mapping, backbone, sr = config.mapping, config.backbone, config.superresolution
    radius, pivot = ORBITS["shapenetcars128-64"]
    wide = {"channel_base": backbone.channel_base, "channel_max": backbone.channel_max, "fused_modconv_default": "inference_only"}
    return {
        **{"z_dim": mapping.z_dim, "c_dim": mapping.c_dim, "w_dim": mapping.w_dim, "img_resolution": config.image_size},
        **{
            "img_channels": 3,
            "mapping_kwargs": {"num_layers": mapping.layers},
            "num_fp16_res": 0,
            "conv_clamp": backbone.conv_clamp,
        },
        **{"sr_num_fp16_res": 4 if sr.conv_clamp else 0, "sr_kwargs": dict(wide), **wide},
        "rendering_kwargs": {**h.rendering_options(config), "avg_camera_radius": radius, "avg_camera_pivot": list(pivot)},
    }


def spec(config: GeneratorConfig = CONFIG) -> dict[str, Any]:
    """What `checkpoint_writer.write` takes."""
    return {
        "shapes": {key: list(shape) for key, shape in expected_shapes(config).items()},
        "init_kwargs": init_kwargs(config),
        "neural_rendering_resolution": config.rays.neural_resolution,
    }


if __name__ == "__main__":
    import json

    print(json.dumps(spec()))
