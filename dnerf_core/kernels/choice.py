"""Which kernels read and composite samples, and whether this machine has what they need. Triton is imported only where it is chosen."""

from __future__ import annotations

import importlib.util
from typing import Literal, get_args

import torch

from dnerf_core.backbone.family import Family
from dnerf_core.errors import UsageError
from dnerf_core.rendering.sample_reading import SampleReader, TorchSamples

KernelChoice = Literal["torch", "triton"]
"""What reads and composites samples: plain torch, or the fused kernels of `dnerf_core.kernels`."""


def check_kernels(kernels: str, device: torch.device) -> None:
    """See that `kernels` can run on `device`; nothing else takes their place where they cannot.

    Triton's own interpreter (its TRITON_INTERPRET) runs the kernels on a CPU, for the tests.

    Raises:
        UsageError: no such kernels, no Triton, or no CUDA device.
    """
    if kernels not in get_args(KernelChoice):
        raise UsageError(f'kernels: expected "torch" or "triton", found {kernels!r}; name one of them')
    if kernels == "torch":
        return
    if importlib.util.find_spec("triton") is None:
        raise UsageError(
            'kernels "triton": expected the package triton, found none; '
            'install it with `pip install "datasetnerf[gpu]"`, or use kernels "torch"'
        )
    if device.type == "cuda":
        return
    import triton

    if not triton.knobs.runtime.interpret:
        raise UsageError(
            f'kernels "triton": expected a CUDA device, found {device}; load the model on one, or use kernels "torch"'
        )


def check_family_kernels(kernels: KernelChoice, family: Family) -> None:
    """See that `kernels` read the fields of a family.

    Raises:
        UsageError: they do not.
    """
    if kernels not in family.kernels:
        known = " or ".join(f'"{name}"' for name in family.kernels)
        raise UsageError(f'kernels "{kernels}": expected {known} for a generator of the family {family.name}; name one of them')


def sample_reader(kernels: KernelChoice) -> type[SampleReader]:
    """What reads a view's samples, of kernels that went through `check_kernels`."""
    if kernels == "torch":
        return TorchSamples
    from dnerf_core.kernels.fused import TritonSamples

    return TritonSamples
