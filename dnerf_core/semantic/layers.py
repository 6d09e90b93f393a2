"""Linear and convolution weights with an equalised learning rate (StyleGAN2, CVPR 2020, appendix B), filled from an explicit seed."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def random_parameter(rng: torch.Generator, *shape: int) -> nn.Parameter:
    """A standard normal parameter drawn from `rng` on the CPU; the global random state is not touched."""
    return nn.Parameter(torch.randn(shape, generator=rng))


class EqualizedConv(nn.Module):
    """3x3 convolution y = x * (weight / sqrt(fan_in)) + bias, same size; `zero` starts it at 0."""

    def __init__(self, rng: torch.Generator, in_channels: int, out_channels: int, *, zero: bool = False) -> None:
        super().__init__()
        weight = random_parameter(rng, out_channels, in_channels, 3, 3)
        self.weight = nn.Parameter(torch.zeros_like(weight)) if zero else weight
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.gain = 1 / math.sqrt(9 * in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] -> [B, O, H, W]."""
        return F.conv2d(x, self.weight * self.gain, self.bias, padding=1)


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU (0.2) with the gain sqrt(2) that keeps the power."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)
