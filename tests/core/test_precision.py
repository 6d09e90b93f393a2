"""Number formats of convolutions by device; what a CUDA device would answer is put in its place."""

from __future__ import annotations

import pytest
import torch

from dnerf_core.work.precision import convolution_dtype, reproducible_convolutions


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_a_gpu_takes_bfloat16_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: asked.append(device) or capability)
    # torch's own answer, which counts emulation in, is not to be taken
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert convolution_dtype(torch.device("cuda:1")) == expected
    assert asked == [torch.device("cuda:1")]


@pytest.mark.parametrize(
    ("mkldnn", "matrix_units", "expected"),
    [(True, True, torch.bfloat16), (True, False, torch.float32), (False, True, torch.float32)],
)
def test_a_cpu_takes_bfloat16_only_with_matrix_units(
    mkldnn: bool, matrix_units: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: mkldnn)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: matrix_units)
    assert convolution_dtype(torch.device("cpu")) == expected
    assert convolution_dtype(torch.device("mps")) == torch.float32


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
