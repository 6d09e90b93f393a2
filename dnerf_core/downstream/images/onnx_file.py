"""A segmenter as ONNX, which other programs run without torch.

Input `image`, float32 [batch, 3, height, width], RGB in [0, 1]; output `logits`, float32 [batch, classes, height, width]: the label of a
pixel is the class of the highest. The network's normalisation is inside. Batch, height and width are free. The metadata has `labels` (names
by id, JSON), `colors` and `size_px`, the longer side of the pictures that it was trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from dnerf_core.downstream.images.augment import MEAN, STD
from dnerf_core.downstream.images.registry import logits
from dnerf_core.downstream.images.segmenter import Segmenter
from dnerf_core.downstream.onnx_writing import write_network

OPSET = 18


def write_onnx(path: Path, segmenter: Segmenter) -> None:
    """Writes the network on the CPU, whole or not at all; a file of that name is replaced.

    Raises:
        UsageError: the onnx package is not installed.
        OutputError: the file cannot be written.
    """
    facts = {
        "labels": json.dumps(list(segmenter.labels.names)),
        "colors": json.dumps([list(label.color) for label in segmenter.labels.labels]),
        "size_px": str(segmenter.size_px),
    }
    network = _WithNormalisation(segmenter.network)
    write_network(path, network, torch.rand(2, 3, 64, 96), "image", {0: "batch", 2: "height", 3: "width"}, facts, OPSET)


class _WithNormalisation(nn.Module):
    """RGB in [0, 1] to class scores."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return logits(self.network, (image - self.mean) / self.std)
