"""The tensors that PanoHead's generator has: every published key name with its shape. No torch."""

from __future__ import annotations

import re

from dnerf_core.backbone.specs import Shape
from dnerf_core.generator.config import BackboneConfig, GeneratorConfig, TriplaneConfig
from dnerf_core.generator.shapes import expected_shapes
from dnerf_core.panohead.config import PanoHeadConfig


def panohead_shapes(config: PanoHeadConfig) -> dict[str, Shape]:
    """Every key of the generator's state and its shape, () for a single number, in no particular order.

    What is EG3D's too is taken from there: the backbone paints more channels, the background is painted by another backbone.
    """
    mapping, w_dim, channels = config.mapping, config.mapping.w_dim, config.backbone.plane_channels
    eg3d = GeneratorConfig(
        mapping=mapping,
        backbone=config.backbone,
        triplane=TriplaneConfig(hidden_dim=config.triplane.hidden_dim),
        superresolution=config.superresolution,
    )
    shapes = expected_shapes(eg3d) | _synthesis("backbone.synthesis.", config.backbone, w_dim, config.image_channels)
    if config.use_background:
        shapes |= _synthesis("bcg_synthesis.", config.background, w_dim, channels)
    if config.use_torgb_raw:
        shapes |= {"torgb.weight": (3, channels, 1, 1), "torgb.bias": (3,)}
        shapes |= {"torgb.affine.weight": (channels, w_dim), "torgb.affine.bias": (channels,)}
    shapes["t_mapping.w_avg"] = (3,)
    if mapping.c_dim:
        shapes |= {"t_mapping.embed.weight": (3, mapping.c_dim), "t_mapping.embed.bias": (3,)}
    width = mapping.z_dim + (3 if mapping.c_dim else 0)
    shapes |= {"t_mapping.fc0.weight": (3, width), "t_mapping.fc0.bias": (3,)}
    return shapes | {"t_mapping.fc1.weight": (3, 3), "t_mapping.fc1.bias": (3,)}


def _synthesis(prefix: str, backbone: BackboneConfig, w_dim: int, image_channels: int) -> dict[str, Shape]:
    """The blocks of a backbone under another prefix, painting `image_channels`."""
    own = "backbone.synthesis."
    blocks = {
        prefix + key.removeprefix(own): shape
        for key, shape in expected_shapes(GeneratorConfig(backbone=backbone)).items()
        if key.startswith(own)
    }
    for key, shape in blocks.items():
        if re.search(r"\.torgb\.(weight|bias)$", key):
            blocks[key] = (image_channels, *shape[1:])
        elif key.endswith(".affine.weight"):
            blocks[key] = (shape[0], w_dim)
    return blocks
