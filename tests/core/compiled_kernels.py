"""Compile the fused kernels for NVIDIA devices, no device needed, with the arguments of real calls; prints what came of each as JSON.

A program of its own, `python -m tests.core.compiled_kernels 80 90`, because it tells Triton of a device that is not there.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from dnerf_core.embedded import model_path
from dnerf_core.generator.packed_field import PackedField
from dnerf_core.kernels.fused import TritonSamples
from dnerf_core.model import Model
from dnerf_core.panohead.config import PANOHEAD
from dnerf_core.panohead.packed_field import FoldedGridDecoder, PackedGridField
from dnerf_core.rendering.packed.grids import PackedGrids
from dnerf_core.rendering.sample_reading import Samples
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.subject import Subject

PTXAS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "ptxas"
WARPS_A_MULTIPROCESSOR = 64
REGISTERS_A_MULTIPROCESSOR = 65536
SHARED_A_MULTIPROCESSOR = {80: 164 * 1024, 90: 228 * 1024}
"""Of NVIDIA's A100 and H100; a program's shared memory counts a kilobyte more."""


@functools.cache
def resources(ptx: str, capability: int) -> dict[str, int]:
    """What NVIDIA's own assembler says that a thread takes: registers, and bytes of them that do not fit."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        name = f"sm_{capability}a" if capability == 90 else f"sm_{capability}"
        command = [str(PTXAS), "-v", "--gpu-name", name, str(source), "-o", str(Path(folder) / "kernel.cubin")]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    spilled = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", report)
    registers = re.search(r"Used (\d+) registers", report)
    assert spilled is not None and registers is not None, report
    return {"registers": int(registers[1]), "spilled_bytes": int(spilled[1]) + int(spilled[2])}


def resident_warps(registers: int, shared_bytes: int, warps: int, capability: int) -> int:
    """Warps of programs of `warps` that a multiprocessor holds at once, of at most `WARPS_A_MULTIPROCESSOR`."""
    by_registers = REGISTERS_A_MULTIPROCESSOR // (-(-registers // 8) * 8 * 32 * warps)
    by_shared = SHARED_A_MULTIPROCESSOR[capability] // (shared_bytes + 1024)
    return min(by_registers * warps, by_shared * warps, WARPS_A_MULTIPROCESSOR)


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


def grids_of(subject: Subject) -> tuple[PackedGridField, PackedSemantics]:
    """A published head's grids, of its widths and slices and a small side, with a decoder and a branch of the same widths."""
    field, grids = subject.field, PANOHEAD.triplane
    assert isinstance(field, PackedField)

    def packed(channels: int) -> PackedGrids:
        return PackedGrids.pack(torch.zeros(3 * grids.depth, 8, 8, channels), grids.plane_axes, grids.box_warp)

    decoder = FoldedGridDecoder(**vars(field.decoder), activation=grids.activation)
    branch = subject.semantics.branch
    return PackedGridField(packed(field.color_channels), decoder, 0.5), PackedSemantics(branch, packed(len(branch.hidden_bias)))


def main(capabilities: list[int]) -> None:
    compiled: list[tuple[str, int, Any]] = []
    run = JITFunction.run

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        kernel = run(self, *args, grid=grid, warmup=True, **options)
        compiled.append((self.__name__, triton.runtime.driver.active.get_current_device(), kernel))

    JITFunction.run = compile_only
    subject = Model.load(model_path("demo-cars")).subject(0)
    fields = {"planes": (subject.field, subject.semantics), "grids": grids_of(subject)}
    compiled_of: list[str] = []
    for capability in capabilities:
        triton.runtime.driver.set_active(AbsentDevice(capability))
        for kind, (field, semantics) in fields.items():
            for place in (None, torch.arange(300)):
                samples = Samples(torch.zeros(3, 40), torch.zeros(3, 40), torch.zeros(40, 13), place)
                keep = torch.arange(50)
                read = TritonSamples(field, semantics, samples)
                read.raw_density()
                read.color_sums(keep, torch.zeros(50), samples.ray_of(keep))
                read.hidden_sums(keep, torch.zeros(50), samples.ray_of(keep))
            compiled_of += [kind] * (len(compiled) - len(compiled_of))
    found: list[dict[str, Any]] = [
        {
            "kernel": name,
            "reads": kind,
            "capability": capability,
            "ptx": kernel.asm["ptx"],
            "shared_bytes": kernel.metadata.shared,
            **resources(kernel.asm["ptx"], capability),
        }
        for (name, capability, kernel), kind in zip(compiled, compiled_of, strict=True)
    ]
    for one, (_, capability, kernel) in zip(found, compiled, strict=True):
        one["warps"] = resident_warps(one["registers"], one["shared_bytes"], kernel.metadata.num_warps, capability)
    print(json.dumps(found))


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
