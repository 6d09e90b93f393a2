"""What the worker says of itself: versions, device and memory."""

from __future__ import annotations

import platform
from typing import Any

from dnerf_core import __version__
from dnerf_core.work.cores import usable_cores
from headless import models
from headless.work.machine import available_memory, total_memory


def worker_facts(device_option: str) -> dict[str, Any]:
    """Versions, and the device that `device_option` means ("auto", "cpu" or "cuda").

    Raises:
        UsageError: the device is not there.
    """
    import torch

    device = models.pick_device(device_option)
    return {
        "version": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else f"CPU with {usable_cores()} cores",
        "cores": usable_cores(),
        **memory_facts(device),
    }


def memory_facts(device: str) -> dict[str, Any]:
    """The device's memory in bytes; None where the system does not tell."""
    if device == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info()
        return {"memory_total_bytes": total, "memory_free_bytes": free}
    return {"memory_total_bytes": total_memory(), "memory_free_bytes": available_memory()}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the device or on the CPU, whose allocator raises a RuntimeError that only its text tells apart."""
    import torch

    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
