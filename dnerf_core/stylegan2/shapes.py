"""The tensors of generators whose StyleGAN2 backbone paints planes: every published key name with its shape. No torch."""

from __future__ import annotations

from dnerf_core.backbone.specs import Shape
from dnerf_core.stylegan2.config import VARIANTS, BackboneConfig, MappingConfig, PlaneGeneratorConfig


def plane_generator_shapes(config: PlaneGeneratorConfig) -> dict[str, Shape]:
    """Every key of the state of mapping, backbone, decoder and super-resolution, () for a single number, in no particular order.

    The key names are those of the published generators; `expected_shapes.UNUSED_KEYS` are not among them.
    """
    w_dim, channels = config.mapping.w_dim, config.backbone.plane_channels
    shapes = synthesis_shapes("backbone.synthesis", config.backbone, w_dim, config.image_channels)
    shapes |= mapping_shapes("backbone.mapping", config.mapping)
    variant = VARIANTS[config.superresolution.kind]
    inputs = channels
    for index, (size, width) in enumerate(
        zip(variant.block_sizes, config.superresolution.channels or variant.channels, strict=True)
    ):
        shapes |= _block(f"superresolution.block{index}", inputs, width, image_channels=3, size=size, w_dim=w_dim)
        inputs = width
    hidden = config.triplane.hidden_dim
    return shapes | linear_shapes("decoder.net.0", channels, hidden) | linear_shapes("decoder.net.2", hidden, 1 + channels)


def mapping_shapes(name: str, mapping: MappingConfig) -> dict[str, Shape]:
    """Of a mapping network whose keys begin with `name`."""
    shapes: dict[str, Shape] = {f"{name}.w_avg": (mapping.w_dim,)}
    inputs = mapping.z_dim
    if mapping.c_dim:
        shapes |= linear_shapes(f"{name}.embed", mapping.c_dim, mapping.w_dim)
        inputs += mapping.w_dim
    for layer in range(mapping.layers):
        shapes |= linear_shapes(f"{name}.fc{layer}", inputs, mapping.w_dim)
        inputs = mapping.w_dim
    return shapes


def synthesis_shapes(name: str, backbone: BackboneConfig, w_dim: int, image_channels: int) -> dict[str, Shape]:
    """Of a synthesis network whose keys begin with `name` and which paints `image_channels`."""
    shapes: dict[str, Shape] = {}
    inputs = 0
    for size in backbone.block_resolutions:
        width = backbone.channels(size)
        shapes |= _block(f"{name}.b{size}", inputs, width, image_channels=image_channels, size=size, w_dim=w_dim)
        inputs = width
    return shapes


def torgb_shapes(name: str, inputs: int, image_channels: int, w_dim: int) -> dict[str, Shape]:
    """Of a modulated 1x1 convolution."""
    shapes: dict[str, Shape] = {f"{name}.weight": (image_channels, inputs, 1, 1), f"{name}.bias": (image_channels,)}
    return shapes | linear_shapes(f"{name}.affine", w_dim, inputs)


def linear_shapes(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    """Of a linear layer."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _block(name: str, inputs: int, width: int, *, image_channels: int, size: int, w_dim: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {f"{name}.resample_filter": (4, 4)}
    if inputs:
        shapes |= _convolution(f"{name}.conv0", inputs, width, size, w_dim)
    else:
        shapes[f"{name}.const"] = (width, size, size)
    shapes |= _convolution(f"{name}.conv1", width, width, size, w_dim)
    return shapes | torgb_shapes(f"{name}.torgb", width, image_channels, w_dim)


def _convolution(name: str, inputs: int, outputs: int, size: int, w_dim: int) -> dict[str, Shape]:
    return {
        f"{name}.weight": (outputs, inputs, 3, 3),
        f"{name}.bias": (outputs,),
        f"{name}.noise_strength": (),
        f"{name}.noise_const": (size, size),
        f"{name}.resample_filter": (4, 4),
    } | linear_shapes(f"{name}.affine", w_dim, inputs)
