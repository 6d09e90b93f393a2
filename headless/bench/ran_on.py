"""What a measurement ran on, which its figures hold for."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import torch

from dnerf_core.convolutions.choice import chosen_form
from dnerf_core.errors import counted
from dnerf_core.work.cores import usable_cores
from dnerf_core.work.processor import processor_name
from dnerf_core.work.torch_start import waiting_text
from headless.work.machine import cpu_bfloat16


@dataclass(frozen=True)
class RanOn:
    """A machine and how torch uses it.

    Attributes:
        processor: its name.
        bfloat16: whether it computes in bfloat16, and by which instructions.
        convolutions: the form that super-resolutions run in there.
        cores: that this process may use.
        gpu: the CUDA device's name; None where the CPU renders.
        torch: its version.
        threads: torch's.
        waiting: how these wait for work, by the environment's variables.
    """

    processor: str
    bfloat16: str
    convolutions: str
    cores: int
    gpu: str | None
    torch: str
    threads: int
    waiting: str

    @classmethod
    def here(cls, device: str) -> RanOn:
        """This process, on a device "cpu" or "cuda"."""
        gpu = torch.cuda.get_device_name() if device == "cuda" else None
        threads, waiting = torch.get_num_threads(), waiting_text(os.environ)
        form = chosen_form(torch.device(device)).name
        return cls(processor_name(), cpu_bfloat16(), form, usable_cores(), gpu, torch.__version__, threads, waiting)

    @property
    def line(self) -> str:
        """For people."""
        gpu = "" if self.gpu is None else f"{self.gpu}; "
        cores, threads = counted(self.cores, "core"), counted(self.threads, "thread")
        formats = f"bfloat16: {self.bfloat16}; convolutions in {self.convolutions}"
        return f"on {gpu}{self.processor}, {cores}, {formats}; torch {self.torch} with {threads}, {self.waiting}"

    def to_json(self) -> dict[str, Any]:
        """As events have it."""
        return asdict(self)
