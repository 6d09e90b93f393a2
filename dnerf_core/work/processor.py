"""The processor by the system's account: its name for people, and what tells it from other processors."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

_TELLING = {
    *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
    *("Features", "CPU implementer", "CPU architecture", "CPU variant", "CPU part"),
}
"""Lines of Linux's account that are the same at every start of a machine: who made it, which one it is, and what it can do."""


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """What the system calls the processor."""
    named = [line.partition(":")[2].strip() for line in _lines(cpuinfo) if line.partition(":")[0].strip() == "model name"]
    return named[0] if named and named[0] else platform.processor() or platform.machine()


def processor_sha256(cpuinfo: Path = CPUINFO) -> str:
    """Of all that tells the processor from others, what it can do among it: two of one name may be allowed different instructions."""
    first: dict[str, str] = {}
    for line in _lines(cpuinfo):
        name, _, value = (part.strip() for part in line.partition(":"))
        if name in _TELLING:
            first.setdefault(name, value)
    known = sorted(first.items()) if first else [platform.machine(), platform.processor()]
    return hashlib.sha256(repr(known).encode()).hexdigest()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
