"""Number formats of convolutions by device; what a CUDA device would answer is put in its place."""

from __future__ import annotations

import pytest
import torch

from dnerf_core.precision import convolution_dtype


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
