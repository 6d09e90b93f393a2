"""Wall time and peak memory of a call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def timed(call: Callable[[], T], device: torch.device) -> tuple[T, float]:
    """What a call returns and the seconds it took, the device's queue emptied before and after."""
    _finish(device)
    started = time.perf_counter()
    result = call()
    _finish(device)
    return result, time.perf_counter() - started


def start_peak(device: torch.device) -> None:
    """Forget the highest memory use so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif _CLEAR.exists():
        _CLEAR.write_text("5")


def peak_mb(device: torch.device) -> float | None:
    """Highest memory use since `start_peak`, MiB: CUDA's allocations, else the process's resident set; None where it is not told."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if not _STATUS.exists():
        return None
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1024


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def machine_seconds(stat: Path = Path("/proc/stat")) -> float | None:
    """Processor seconds that all cores together have been at work for since the system's start; None where it is not told."""
    if not stat.exists():
        return None
    user, nice, system, _idle, _waiting, hard, soft, stolen = map(int, stat.read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + hard + soft + stolen) / os.sysconf("SC_CLK_TCK")
