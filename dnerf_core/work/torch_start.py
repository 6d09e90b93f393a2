"""What torch reads from the environment once, while it is loaded: how its idle threads wait, how many there are, and its memory's pages."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from dnerf_core.errors import UsageError
from dnerf_core.work.cores import Cores, machine_cores

SPINS = 1000
"""How often an idle thread of torch looks for work before it sleeps, 20 microseconds on the processor measured.

A view of the demo is 430 parallel regions, three quarters of them 4 to 64 microseconds apart. A thread that sleeps at once is woken late
each time; one that spins for long burns what another program on its core, or the thread that it waits for, would use. See
docs/performance.md.
"""
BLOCK_MS = 0
"""The same for the OpenMP of Intel and LLVM, which torch brings on Windows and macOS, in whole milliseconds: it sleeps at once."""

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables that say how threads wait. Where a user has set one of them, the others are left alone."""
COUNTING = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that say how many threads there are, likewise."""
PAGES = "THP_MEM_ALLOC_ENABLE"
"""Large pages for torch's memory: a view's arrays come and go, and each fresh page of 4 kB costs a fault."""


def torch_environment(environment: Mapping[str, str], cores: Cores) -> dict[str, str]:
    """What an environment lacks for torch to be loaded in it; what is set there wins.

    The number of threads is said only where control groups allow less time than there are cores: torch counts cores, and leaves the two
    threads of one core to one, but knows no such limit.
    """
    lacking = {PAGES: "1"} if PAGES not in environment else {}
    if not any(name in environment for name in WAITING):
        lacking |= {"GOMP_SPINCOUNT": str(SPINS), "KMP_BLOCKTIME": str(BLOCK_MS)}
    if cores.usable < cores.affinity and not any(name in environment for name in COUNTING):
        lacking["OMP_NUM_THREADS"] = str(cores.usable)
    return lacking


def prepare_torch() -> None:
    """Choose how torch's threads wait, as the command line does: call it before torch is imported.

    It sets variables in this process's environment, which processes started by this one inherit. What is set there already wins.

    Raises:
        UsageError: torch has been imported, and has not found these variables.
    """
    lacking = torch_environment(os.environ, machine_cores())
    if lacking and "torch" in sys.modules:
        raise UsageError(
            f"prepare_torch: expected to be called before torch is imported, found it imported without {', '.join(lacking)}; "
            "call it first, or set them where the program is started"
        )
    os.environ.update(lacking)


def waiting_text(environment: Mapping[str, str]) -> str:
    """How torch's threads wait for work in such an environment, in words."""
    chosen = [f"{name}={environment[name]}" for name in WAITING if name in environment]
    return ", ".join(chosen) or "as torch's OpenMP does by itself, spinning for long"
