"""The tensors that PanoHead's generator has: every published key name with its shape. No torch."""

from __future__ import annotations

import dataclasses

from dnerf_core.backbone.specs import Shape
from dnerf_core.panohead.config import PanoHeadConfig
from dnerf_core.stylegan2.shapes import mapping_shapes, plane_generator_shapes, synthesis_shapes, torgb_shapes


def panohead_shapes(config: PanoHeadConfig) -> dict[str, Shape]:
    """Every key of the generator's state and its shape, () for a single number, in no particular order.

    Beside what every such generator has: a synthesis for the background, the raw image's convolution, and a mapping network of the
    camera's shift, which the training had and no view reads.
    """
    mapping, w_dim, channels = config.mapping, config.mapping.w_dim, config.backbone.plane_channels
    shapes = plane_generator_shapes(config)
    if config.use_background:
        shapes |= synthesis_shapes("bcg_synthesis", config.background, w_dim, channels)
    if config.use_torgb_raw:
        shapes |= torgb_shapes("torgb", channels, 3, w_dim)
    return shapes | mapping_shapes("t_mapping", dataclasses.replace(mapping, w_dim=3, layers=2))
