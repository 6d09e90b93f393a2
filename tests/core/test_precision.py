"""Convolutions on a CUDA device: the switches that make them repeat."""

from __future__ import annotations

import pytest
import torch

from dnerf_core.work.precision import reproducible_convolutions


def cudnn_switches() -> tuple[bool, str | bool]:
    cudnn = torch.backends.cudnn
    return cudnn.deterministic, cudnn.conv.fp32_precision if hasattr(cudnn, "conv") else cudnn.allow_tf32


def test_convolutions_on_a_gpu_are_reproducible_and_the_switches_are_put_back() -> None:
    before = cudnn_switches()
    assert before[1] in ("tf32", True)  # torch's default, which is why this exists
    with pytest.raises(KeyError), reproducible_convolutions(torch.device("cuda")):
        assert cudnn_switches() in [(True, "ieee"), (True, False)]
        raise KeyError
    assert cudnn_switches() == before
    with reproducible_convolutions(torch.device("cpu")):
        assert cudnn_switches() == before
