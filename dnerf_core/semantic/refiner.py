"""The semantic super-resolution U_s: raw class scores and features -> class scores at full size (paper section 3.2, equation 1)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.layers import EqualizedConv, activate
from dnerf_core.work.precision import conv_leaky_relu

Layer = Callable[[Tensor], Tensor]


def upsampling_sizes(raw: int, full: int) -> list[int]:
    """Sides from `raw` to `full`, doubling, the last one exactly `full`; at least one."""
    sizes = []
    size = raw
    while size * 2 < full:
        size *= 2
        sizes.append(size)
    return [*sizes, full]


class Refiner(nn.Module):
    """Bilinear enlargement of the raw scores, plus what a few convolutions add to it (nothing before training)."""

    def __init__(self, config: SemanticConfig, generator: BackboneConfig, rng: torch.Generator) -> None:
        super().__init__()
        self.guide_kind, self.kind = config.refiner.guide, config.refiner.kind
        self.full_size = generator.image_size
        if self.kind == "bilinear":
            return
        self.sizes = upsampling_sizes(generator.rays.neural_resolution, generator.image_size)
        first, later = config.refiner.widths
        wide = config.num_classes + config.feature_dim
        wide += generator.feature_channels if self.guide_kind == "rendered" else 0
        self.raw0 = EqualizedConv(rng, wide, first)
        self.raw1 = EqualizedConv(rng, first, later)
        extra = 3 if self.guide_kind == "rgb" else 0
        last = len(self.sizes) - 1
        self.up = nn.ModuleList(
            EqualizedConv(rng, later + (extra if index == last else 0), later) for index in range(len(self.sizes))
        )
        self.out = EqualizedConv(rng, later, config.num_classes, zero=True)

    def forward(
        self, scores: Tensor, features: Tensor, guide_image: Tensor | None = None, full_size: int | None = None
    ) -> Tensor:
        """Class scores [B, C, S, S] (before softmax).

        Args:
            scores: raw scores [B, C, R, R]; features: [B, 32, R, R].
            guide_image: [B, 32, R, R] in about [-1, 1] for "rendered", [B, 3, S, S] in about [-1, 1] for "rgb", None for "none".
            full_size: S, of a square part of a view; None: the generator's image size.
        Raises:
            ValueError: a guide is missing or surplus.
        """
        if (guide_image is None) != (self.guide_kind == "none"):
            actual = "none" if guide_image is None else list(guide_image.shape)
            raise ValueError(f"guide: expected one for {self.guide_kind!r}, found {actual}; pass what the refiner's config names")
        full_size = full_size or self.full_size
        enlarged = _resize(scores, full_size)
        if self.kind == "bilinear":
            return enlarged
        layers = [_activated(layer) for layer in self.layers]
        x = self._convolve(scores, features, guide_image, layers, torch.float32, torch.channels_last, full_size)
        return enlarged + self.out(x)

    @property
    def layers(self) -> list[EqualizedConv]:
        """The convolutions before the last one, in order."""
        return [self.raw0, self.raw1, *self.up]

    def _convolve(
        self,
        scores: Tensor,
        features: Tensor,
        guide_image: Tensor | None,
        layers: list[Layer],
        dtype: torch.dtype,
        layout: torch.memory_format,
        full_size: int,
    ) -> Tensor:
        """What the last convolution sees, [B, w, S, S]."""
        raw = [scores, features, guide_image] if guide_image is not None and self.guide_kind == "rendered" else [scores, features]
        x = torch.cat(raw, dim=1).to(dtype, memory_format=layout)
        x = layers[1](layers[0](x))
        for index, (size, layer) in enumerate(zip(self.sizes, layers[2:], strict=True)):
            x = _resize(x, size * full_size // self.full_size)
            if guide_image is not None and self.guide_kind == "rgb" and index == len(self.sizes) - 1:
                x = torch.cat([x, guide_image.to(x.dtype)], dim=1)
            x = layer(x)
        return x


class PreparedRefiner:
    """A frozen refiner for inference: gains folded into the weights, convolutions in `dtype` and `layout`."""

    def __init__(self, refiner: Refiner, dtype: torch.dtype, layout: torch.memory_format = torch.channels_last) -> None:
        self.refiner, self.dtype, self.layout = refiner, dtype, layout
        if refiner.kind == "light":
            self.layers = [_folded(layer, dtype, layout, math.sqrt(2)) for layer in refiner.layers]
            self.out_weight, self.out_bias = folded_weights(refiner.out, dtype, 1.0, layout)

    def __call__(self, scores: Tensor, features: Tensor, guide_image: Tensor | None = None) -> Tensor:
        """Class scores float32 [B, C, S, S], as `Refiner.forward`."""
        if self.refiner.kind == "bilinear":
            scores_only: Tensor = self.refiner(scores, features, guide_image)
            return scores_only
        x = self.refiner._convolve(scores, features, guide_image, self.layers, self.dtype, self.layout, self.refiner.full_size)
        return F.conv2d(x, self.out_weight, self.out_bias, padding=1).float() + _resize(scores, self.refiner.full_size)


def folded_weights(
    layer: EqualizedConv, dtype: torch.dtype, gain: float, layout: torch.memory_format = torch.channels_last
) -> tuple[Tensor, Tensor]:
    """Weight and bias of `gain` times the convolution, ready to run in `dtype` and `layout`."""
    weight = layer.weight * (layer.gain * gain)
    return weight.to(dtype, memory_format=layout), (layer.bias * gain).to(dtype)


def _folded(layer: EqualizedConv, dtype: torch.dtype, layout: torch.memory_format, gain: float) -> Layer:
    # leaky_relu(x) * gain = leaky_relu(x * gain)
    weight, bias = folded_weights(layer, dtype, gain, layout)
    return lambda x: conv_leaky_relu(x, weight, bias)


def _activated(layer: EqualizedConv) -> Layer:
    return lambda x: activate(layer(x))


def _resize(x: Tensor, size: int) -> Tensor:
    return x if x.shape[-1] == size else F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
