"""What both networks of points are built of: layers that treat every point alike, as rows of a matrix, not convolutions of width 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class Rows(nn.Module):
    """A linear layer, batch normalisation over all points of all clouds, and ReLU, of `[..., C]`: a "shared MLP"'s layer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)  # the normalisation has one
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        return self.normalised(self.linear(x))

    def normalised(self, x: Tensor) -> Tensor:
        """What follows the linear part: `[..., outputs]` to the same."""
        flat = self.norm(x.reshape(-1, self.norm.num_features))
        return F.relu(flat).reshape(x.shape)


def stacked_rows(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    """Layers of these widths, one after the other."""
    return nn.Sequential(*(Rows(a, b) for a, b in pairwise((inputs, *widths))))
