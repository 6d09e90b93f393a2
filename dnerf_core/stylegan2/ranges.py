"""What the configuration of a generator whose StyleGAN2 backbone paints planes may claim, field by field. No torch.

These are the numbers that no tensor's shape backs, or that shapes count with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from dnerf_core.backbone.ranges import Refusal, WholeNumber, check_numbers, check_view, image_size_range, ray_ranges
from dnerf_core.stylegan2.config import PlaneGeneratorConfig


def check_plane_generator(config: PlaneGeneratorConfig, refuse: Refusal, own: Iterable[WholeNumber] = ()) -> None:
    """Refuses what any such family refuses.

    Args:
        own: further whole numbers, which the family alone has.
    """
    check_numbers(config, chain(_whole_numbers(config), own), refuse)
    if config.backbone.resolution.bit_count() != 1:
        raise refuse("backbone.resolution", "a power of two", config.backbone.resolution)
    if len(config.triplane.plane_axes) != 3:
        raise refuse("triplane.plane_axes", "3 planes", len(config.triplane.plane_axes))
    check_view(config, "triplane.box_warp", refuse)


def _whole_numbers(config: PlaneGeneratorConfig) -> Iterator[WholeNumber]:
    backbone, mapping = config.backbone, config.mapping
    yield image_size_range(config)
    yield "backbone.resolution", backbone.resolution, 4, 4096
    yield "backbone.channel_base", backbone.channel_base, backbone.resolution, 2**24
    yield "backbone.channel_max", backbone.channel_max, 1, 2**16
    yield "backbone.plane_channels", backbone.plane_channels, 1, 2**12
    yield "mapping.z_dim", mapping.z_dim, 1, 2**16
    yield "mapping.w_dim", mapping.w_dim, 1, 2**16
    yield "mapping.layers", mapping.layers, 1, 64
    yield from ray_ranges(config.rays)
