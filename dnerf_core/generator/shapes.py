"""The tensors that EG3D's generator has: every published key name with its shape. No torch."""

from __future__ import annotations

from dnerf_core.backbone.specs import Shape
from dnerf_core.generator.config import VARIANTS, GeneratorConfig


def expected_shapes(config: GeneratorConfig) -> dict[str, Shape]:
    """Every key of the generator's state and its shape, () for a single number, in no particular order.

    The key names are those of the published generator; `expected_shapes.UNUSED_KEYS` are not among them.
    """
    shapes: dict[str, Shape] = {}
    w_dim, plane_channels = config.mapping.w_dim, config.backbone.plane_channels
    inputs = 0
    for size in config.backbone.block_resolutions:
        width = config.backbone.channels(size)
        shapes |= _block(f"backbone.synthesis.b{size}", inputs, width, image_channels=3 * plane_channels, size=size, w_dim=w_dim)
        inputs = width
    shapes |= _mapping(config)
    variant = VARIANTS[config.superresolution.kind]
    inputs = plane_channels
    for index, (size, width) in enumerate(
        zip(variant.block_sizes, config.superresolution.channels or variant.channels, strict=True)
    ):
        shapes |= _block(f"superresolution.block{index}", inputs, width, image_channels=3, size=size, w_dim=w_dim)
        inputs = width
    hidden = config.triplane.hidden_dim
    return shapes | _linear("decoder.net.0", plane_channels, hidden) | _linear("decoder.net.2", hidden, 1 + plane_channels)


def _linear(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _mapping(config: GeneratorConfig) -> dict[str, Shape]:
    mapping = config.mapping
    shapes: dict[str, Shape] = {"backbone.mapping.w_avg": (mapping.w_dim,)}
    inputs = mapping.z_dim
    if mapping.c_dim:
        shapes |= _linear("backbone.mapping.embed", mapping.c_dim, mapping.w_dim)
        inputs += mapping.w_dim
    for layer in range(mapping.layers):
        shapes |= _linear(f"backbone.mapping.fc{layer}", inputs, mapping.w_dim)
        inputs = mapping.w_dim
    return shapes


def _block(name: str, inputs: int, width: int, *, image_channels: int, size: int, w_dim: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {f"{name}.resample_filter": (4, 4)}
    if inputs:
        shapes |= _convolution(f"{name}.conv0", inputs, width, size, w_dim)
    else:
        shapes[f"{name}.const"] = (width, size, size)
    shapes |= _convolution(f"{name}.conv1", width, width, size, w_dim)
    shapes |= {f"{name}.torgb.weight": (image_channels, width, 1, 1), f"{name}.torgb.bias": (image_channels,)}
    return shapes | _linear(f"{name}.torgb.affine", w_dim, width)


def _convolution(name: str, inputs: int, outputs: int, size: int, w_dim: int) -> dict[str, Shape]:
    return {
        f"{name}.weight": (outputs, inputs, 3, 3),
        f"{name}.bias": (outputs,),
        f"{name}.noise_strength": (),
        f"{name}.noise_const": (size, size),
        f"{name}.resample_filter": (4, 4),
    } | _linear(f"{name}.affine", w_dim, inputs)
