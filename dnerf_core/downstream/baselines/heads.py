"""What learns on top of a frozen network: class scores of its features, linearly or by one small network more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FeatureHead(nn.Module):
    """Class scores [B, C, S, S] of features of one or several strides.

    Each stride's features are normalised and go through a linear layer of their own; the results are enlarged and added up. That is one
    linear layer on all features enlarged and side by side, since both steps are linear. Normalised features are divided by the root of how
    many they are, so that a step of Adam changes a score as much whether it is of 16 channels or of 1,280; a linear head starts at 0.

    Args:
        channels: of each stride's features.
        hidden: channels of a small network: what is added up goes on through two convolutions; None: the head is linear.
    """

    def __init__(self, channels: Sequence[int], num_classes: int, hidden: int | None = None) -> None:
        super().__init__()
        wide = num_classes if hidden is None else hidden
        self.layers = nn.ModuleList(nn.Conv2d(count, wide, 1) for count in channels)
        self.small = None
        if hidden is not None:
            self.small = nn.Sequential(
                nn.ReLU(), nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, num_classes, 1)
            )
        for index, count in enumerate(channels):
            self.register_buffer(f"mean{index}", torch.zeros(count))
            self.register_buffer(f"std{index}", torch.ones(count))
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            if hidden is None:
                nn.init.zeros_(layer.weight)
            else:
                nn.init.normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def measure(self, features: Sequence[Tensor]) -> None:
        """Take the mean and deviation of each channel from features [N, c, h, w] of each stride."""
        for index, stage in enumerate(features):
            rows = stage.float().transpose(0, 1).flatten(1)
            getattr(self, f"mean{index}").copy_(rows.mean(dim=1))
            getattr(self, f"std{index}").copy_(rows.std(dim=1, correction=0).clamp_min(1e-4))

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Scores of size (H, W) before softmax, of features [B, c, h, w] of each stride."""
        parts = []
        for index, (stage, layer) in enumerate(zip(features, self.layers, strict=True)):
            mean, std = (getattr(self, f"{name}{index}")[:, None, None] for name in ("mean", "std"))
            parts.append(layer((stage.float() - mean) / (std * math.sqrt(len(std)))))
        largest = max((part.shape[-2:] for part in parts), key=lambda sides: sides[0] * sides[1])
        scores = torch.stack([_enlarged(part, largest) for part in parts]).sum(dim=0)
        if self.small is not None:
            scores = self.small(scores)
        return _enlarged(scores, size)


def _enlarged(x: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
