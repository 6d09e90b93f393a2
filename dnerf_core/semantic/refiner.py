"""The semantic super-resolution U_s: raw class scores and features -> class scores at full size (paper section 3.2, equation 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.generator.config import GeneratorConfig
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.layers import EqualizedConv, activate


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

    def __init__(self, config: SemanticConfig, generator: GeneratorConfig, rng: torch.Generator) -> None:
        super().__init__()
        self.guide, self.kind = config.refiner.guide, config.refiner.kind
        self.full_size = generator.image_size
        if self.kind == "bilinear":
            return
        self.sizes = upsampling_sizes(generator.rays.neural_resolution, generator.image_size)
        first, later = config.refiner.widths
        wide = config.num_classes + config.feature_dim
        wide += generator.backbone.plane_channels if self.guide == "rendered" else 0
        self.raw0 = EqualizedConv(rng, wide, first)
        self.raw1 = EqualizedConv(rng, first, later)
        extra = 3 if self.guide == "rgb" else 0
        last = len(self.sizes) - 1
        self.up = nn.ModuleList(
            EqualizedConv(rng, later + (extra if index == last else 0), later) for index in range(len(self.sizes))
        )
        self.out = EqualizedConv(rng, later, config.num_classes, zero=True)

    def forward(self, scores: Tensor, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Class scores [B, C, S, S] (before softmax).

        Args:
            scores: raw scores [B, C, R, R]; features: [B, 32, R, R].
            guide: [B, 32, R, R] in about [-1, 1] for "rendered", [B, 3, S, S] in about [-1, 1] for "rgb", None for "none".
        Raises:
            ValueError: a guide is missing or surplus.
        """
        if (guide is None) != (self.guide == "none"):
            found = "none" if guide is None else list(guide.shape)
            raise ValueError(f"guide: expected one for {self.guide!r}, found {found}; pass what the refiner's config names")
        enlarged = _resize(scores, self.full_size)
        if self.kind == "bilinear":
            return enlarged
        x = torch.cat([scores, features, guide] if guide is not None and self.guide == "rendered" else [scores, features], dim=1)
        x = activate(self.raw0(x.contiguous(memory_format=torch.channels_last)))
        x = activate(self.raw1(x))
        for index, (size, layer) in enumerate(zip(self.sizes, self.up, strict=True)):
            x = _resize(x, size)
            if guide is not None and self.guide == "rgb" and index == len(self.sizes) - 1:
                x = torch.cat([x, guide.to(x.dtype)], dim=1)
            x = activate(layer(x))
        return enlarged + self.out(x)


def _resize(x: Tensor, size: int) -> Tensor:
    return x if x.shape[-1] == size else F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
