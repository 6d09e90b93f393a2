"""What a configuration of EG3D's generator may claim, field by field: numbers that no tensor's shape backs, or shapes count with."""

from __future__ import annotations

from collections.abc import Iterator

from dnerf_core.backbone.ranges import WholeNumber, check_numbers, check_view, image_size_range, ray_ranges, refusal
from dnerf_core.generator.config import GeneratorConfig


def check_eg3d_ranges(config: GeneratorConfig, where: str, remedy: str) -> None:
    """Refuses a config that could not be built or rendered; see `Family.check_ranges`."""
    refuse = refusal(where, remedy)
    check_numbers(config, _whole_numbers(config), refuse)
    if config.backbone.resolution.bit_count() != 1:
        raise refuse("backbone.resolution", "a power of two", config.backbone.resolution)
    if len(config.triplane.plane_axes) != 3:
        raise refuse("triplane.plane_axes", "3 planes", len(config.triplane.plane_axes))
    check_view(config, "triplane.box_warp", refuse)


def _whole_numbers(config: GeneratorConfig) -> Iterator[WholeNumber]:
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
