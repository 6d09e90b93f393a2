"""Which number format a network trains in: on a CPU the faster of two, by a measurement; on a GPU what its matrix units take."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dnerf_core.work.precision import has_bfloat16_units

PrecisionName = Literal["float32", "bfloat16", "float16"]
_DTYPES: dict[str, torch.dtype] = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_STEPS = 2
"""Measured, after one that is not."""


@dataclass(frozen=True)
class Precision:
    """The format of a network's activations; its weights are float32 always.

    Attributes:
        seconds: of a step in each format, where they were measured.
    """

    name: PrecisionName
    seconds: tuple[tuple[PrecisionName, float], ...] = ()

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Meanwhile torch computes in it."""
        dtype = _DTYPES.get(self.name)
        return nullcontext() if dtype is None else torch.autocast(device.type, dtype)

    @property
    def scales_loss(self) -> bool:
        """Whether gradients need a scale so as not to vanish."""
        return self.name == "float16"


def gpu_precision(device: torch.device) -> Precision:
    """bfloat16 from Ampere on, else float16."""
    return Precision("bfloat16" if has_bfloat16_units(device) else "float16")


def measured_precision(network: nn.Module, step: Callable[[nn.Module, Tensor], Tensor], inputs: Tensor) -> Precision:
    """float32 or bfloat16, whichever takes a step on this CPU the sooner; the network and torch's generator are left as they are.

    Args:
        step: a loss of the network and the inputs.
        inputs: as training has them.
    """
    seconds: list[tuple[PrecisionName, float]] = []
    with torch.random.fork_rng(devices=[]):
        for name in ("float32", "bfloat16"):
            trial, times = copy.deepcopy(network), []
            for _ in range(1 + _STEPS):
                begun = time.perf_counter()
                with Precision(name).autocast(inputs.device):
                    loss = step(trial, inputs)
                loss.backward()
                times.append(time.perf_counter() - begun)
            seconds.append((name, min(times[1:])))
    return Precision(min(seconds, key=lambda row: row[1])[0], tuple(seconds))
