"""The decoder of a tri-grid: EG3D's two linear layers, with one of three activations on the colours."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from dnerf_core.generator.eg3d import Decoder
from dnerf_core.panohead.config import Activation, TrigridConfig
from dnerf_core.stylegan2.networks import LRELU_GAIN, LRELU_SLOPE, FullyConnected


def activate_colors(raw: Tensor, activation: Activation) -> Tensor:
    """The decoder's colours [N, C] after its activation, and for the sigmoid also after EG3D's stretch to (-0.001, 1.001)."""
    if activation == "none":
        return raw
    if activation == "lrelu":
        return F.leaky_relu(raw, LRELU_SLOPE) * LRELU_GAIN
    return raw.sigmoid() * 1.002 - 0.001


class GridDecoder(Decoder):
    """Mean feature -> raw density and colour features, whose range is the activation's."""

    def __init__(self, in_features: int, config: TrigridConfig) -> None:
        super().__init__(in_features, config)
        self.activation: Activation = config.activation

    def colors(self, features: Tensor) -> Tensor:
        """Colour features [N, C] of mean features [N, C]."""
        last = self.net[2]
        assert isinstance(last, FullyConnected)
        raw = F.linear(self.hidden(features), last.weight[1:] * last.weight_gain, last.bias[1:] * last.bias_gain)
        return activate_colors(raw, self.activation)
