"""Compile the fused kernels for NVIDIA devices, no device needed, with the arguments of real calls; prints what came of each as JSON.

A program of its own, `python -m tests.core.compiled_kernels 80 90`, because it tells Triton of a device that is not there.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from dnerf_core.embedded import model_path
from dnerf_core.kernels.fused import TritonSamples
from dnerf_core.model import Model
from dnerf_core.rendering.sample_reading import Samples


class AbsentDevice:
    """As much of a Triton driver as compiling asks for."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return self.capability

    def get_current_stream(self, device: int) -> int:
        return 0


def main(capabilities: list[int]) -> None:
    compiled: list[tuple[str, int, Any]] = []
    run = JITFunction.run

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        kernel = run(self, *args, grid=grid, warmup=True, **options)
        compiled.append((self.__name__, triton.runtime.driver.active.get_current_device(), kernel))

    JITFunction.run = compile_only
    subject = Model.load(model_path("demo-cars")).subject(0)
    for capability in capabilities:
        triton.runtime.driver.set_active(AbsentDevice(capability))
        for place in (None, torch.arange(300)):
            samples = Samples(torch.zeros(3, 40), torch.zeros(3, 40), torch.zeros(40, 13), place)
            keep = torch.arange(50)
            read = TritonSamples(subject.field, subject.semantics, samples)
            read.raw_density()
            read.color_sums(keep, torch.zeros(50), samples.ray_of(keep))
            read.hidden_sums(keep, torch.zeros(50), samples.ray_of(keep))
    found = [
        {"kernel": name, "capability": capability, "ptx": kernel.asm["ptx"], "shared_bytes": kernel.metadata.shared}
        for name, capability, kernel in compiled
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
