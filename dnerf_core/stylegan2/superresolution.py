"""The four super-resolutions of the EG3D releases (EG3D section 4.2): two StyleGAN2 blocks on the rendered features."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.stylegan2.config import VARIANTS, SuperResolutionConfig
from dnerf_core.stylegan2.networks import SynthesisBlock


class SuperResolution(nn.Module):
    """Rendered features [B, 32, R, R] -> image [B, 3, S, S], both blocks modulated by the last w."""

    def __init__(self, config: SuperResolutionConfig, in_channels: int, w_dim: int) -> None:
        super().__init__()
        self.config, self.variant = config, VARIANTS[config.kind]
        first, second = config.channels or self.variant.channels
        half, full = self.variant.block_sizes
        clamp = config.conv_clamp
        self.block0 = SynthesisBlock(in_channels, first, w_dim, half, 3, up=self.variant.up_first, conv_clamp=clamp)
        self.block1 = SynthesisBlock(first, second, w_dim, full, 3, up=True, conv_clamp=clamp)

    def forward(self, features: Tensor, ws: Tensor, image: Tensor | None = None) -> Tensor:
        """Image [B, 3, S, S], about [-1, 1], of features [B, C, R, R] in [-1, 1].

        ws is [B, num_ws, w_dim]. S is the variant's output size, but for "4X", which takes an input above 128 as it is (S = 2R then).

        Args:
            image: the raw image [B, 3, R, R] that the blocks add to; None: the first 3 channels of the features.
        """
        return self.refine(input_of(self, features), ws, None if image is None else input_of(self, image))

    def refine(self, features: Tensor, ws: Tensor, image: Tensor | None = None) -> Tensor:
        """The two blocks alone, on features [B, C, R, R] of any size (a crop, in training): [B, 3, kR, kR] with k the variant's gain."""
        return self._run(features, ws, image)[1]

    def activations(self, features: Tensor, ws: Tensor, image: Tensor | None = None) -> list[Tensor]:
        """Hidden channels [B, c, s, s] of both blocks, before their images; arguments as `forward`'s."""
        return self._run(input_of(self, features), ws, None if image is None else input_of(self, image))[0]

    def _run(self, features: Tensor, ws: Tensor, image: Tensor | None) -> tuple[list[Tensor], Tensor]:
        image = features[:, :3] if image is None else image
        last = ws[:, -1:].expand(-1, 3, -1)
        x, image = self.block0(features, image, last, self.config.noise_mode)
        y, image = self.block1(x, image, last, self.config.noise_mode)
        return [x, y], image


def input_of(module: SuperResolution, features: Tensor) -> Tensor:
    """Features (or a raw image) [B, C, R, R] at the size that a super-resolution takes."""
    size = module.variant.input_size
    if features.shape[-1] < size or (features.shape[-1] > size and module.variant.shrinks_input):
        features = F.interpolate(
            features, size=(size, size), mode="bilinear", align_corners=False, antialias=module.config.antialias
        )
    return features
