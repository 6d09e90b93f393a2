"""Which number format convolutions run in: the super-resolutions' are chosen here, everything else is float32."""

from __future__ import annotations

import torch

_AMPERE = 8
"""Major compute capability from which NVIDIA's matrix units take bfloat16."""


def convolution_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device has matrix units for it (a CPU with AMX, a GPU from Ampere on), else float32.

    A CPU with bfloat16 instructions but no matrix units stays at float32: what it would gain there has not been measured.
    """
    if device.type == "cuda":
        # torch.cuda.is_bf16_supported() would answer for the current device, and yes where bfloat16 is only emulated
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= _AMPERE else torch.float32
    if device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.cpu._is_amx_tile_supported():
        return torch.bfloat16
    return torch.float32
