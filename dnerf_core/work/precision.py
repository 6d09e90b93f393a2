"""Convolutions as the super-resolutions run them, in the form that `dnerf_core.convolutions` chooses; everything else is float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_AMPERE = 8
"""Major compute capability from which NVIDIA's matrix units take bfloat16."""


def has_bfloat16_units(device: torch.device) -> bool:
    """Whether a CUDA device has matrix units for bfloat16: from Ampere on."""
    # torch.cuda.is_bf16_supported() would answer for the current device, and yes where bfloat16 is only emulated
    return torch.cuda.get_device_capability(device)[0] >= _AMPERE


def conv_leaky_relu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """leaky_relu(conv2d(x, weight, bias), 0.2), same size.

    On a CPU in bfloat16 the activation alone costs a third of the convolution, so both go to oneDNN as one call where this torch
    offers it: the operator that torch.compile itself emits. It rounds once where the two calls round twice.
    """
    padding = weight.shape[-1] // 2
    if x.dtype == torch.bfloat16 and x.device.type == "cpu" and hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        pairs = ([padding, padding], [1, 1], [1, 1])
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *pairs, 1, "leaky_relu", [0.2], "")
        return out
    return F.leaky_relu_(F.conv2d(x, weight, bias, padding=padding), 0.2)


@contextmanager
def reproducible_convolutions(device: torch.device) -> Iterator[None]:
    """Convolutions on a CUDA device round to the format they are in and nothing coarser, and give the same on every run.

    cuDNN does neither by default: float32 convolutions take their inputs in TF32 (10 bits of mantissa), and transposed ones may add up
    by atomics. The switches are the whole process's; the last thread that leaves puts them back. Elsewhere this does nothing.
    """
    if device.type != "cuda":
        yield
        return
    _cudnn_switches.enter()
    try:
        yield
    finally:
        _cudnn_switches.leave()


class _CudnnSwitches:
    """cuDNN's settings while any thread renders."""

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._before: list[tuple[Any, str, Any]] = []

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            cudnn: Any = torch.backends.cudnn
            # torch 2.9 brought a switch for convolutions alone; once it is used, the old one raises where it is read
            format_switch = (cudnn.conv, "fp32_precision", "ieee") if hasattr(cudnn, "conv") else (cudnn, "allow_tf32", False)
            switches = [(cudnn, "deterministic", True), format_switch]
            self._before = [(owner, name, getattr(owner, name)) for owner, name, _ in switches]
            for owner, name, value in switches:
                setattr(owner, name, value)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                for owner, name, value in self._before:
                    setattr(owner, name, value)


_cudnn_switches = _CudnnSwitches()
