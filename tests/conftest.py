"""Shared fixtures."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnerf_core.work.torch_start import SPINS

# Before torch is loaded, for this process and those that tests start. Most models here are so small that a second thread is waited
# for longer than it helps; and idle threads sleep soon, as the command line has it, so that tests share a machine with other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))

MOST_PROCESSES = 4
"""Each holds torch, and some of them Blender: about a gigabyte."""
LONGEST = (
    "blender/test_operators.py",
    "blender/test_composing.py",
    "blender/test_scripting.py",
    "headless/test_worker.py",
    "headless/test_ray.py",
    "headless/test_kill.py",
    "headless/test_invert.py",
    "headless/test_worker_searches.py",
    "core/test_kernels.py",
    "core/test_inversion_invert.py",
    "core/test_inversion_posed.py",
    "core/test_editing.py",
    "headless/test_next_views.py",
    "headless/test_reproduce_clouds.py",
    "blender/test_editing.py",
    "blender/test_own_yaw.py",
    "test_docs_python.py",
)
"""Files that begin first, so that no process works on them alone in the end."""


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """With pytest-xdist, folders are tested by several processes, each file by one of them; `-n 0`: all in this process.

    In this process, too: single files, what is debugged or printed, and windows (DNERF_BLENDER_ROOTS), which want the time for themselves.
    """
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    option = config.option
    chosen = option.numprocesses is not None or option.dist != "no"
    alone = option.usepdb or option.capture == "no" or os.environ.get("DNERF_BLENDER_ROOTS")
    folders = any(Path(argument.split("::")[0]).is_dir() for argument in config.args)
    if folders and cores() > 1 and not chosen and not alone:
        option.numprocesses, option.dist, option.loadscopereorder = min(MOST_PROCESSES, cores()), "loadfile", False


def pytest_configure(config: pytest.Config) -> None:
    """Tests press Ctrl-C, which this process may have been told to ignore, as `nohup`, `&` and pytest-xdist do; so may those it starts."""
    if hasattr(config, "workerinput") or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    order = {f"tests/{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.split("::")[0], len(order)))


def _shared_folder(variable: str, name: str, what: str) -> Path:
    """A folder beside the repository that the variable may name; DNERF_REQUIRE_PARITY=1 turns its absence into a failure."""
    default = Path(__file__).resolve().parents[2] / "shared" / name
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        message = f"{what} not found at {folder}; set {variable} to the folder that holds it"
        if os.environ.get("DNERF_REQUIRE_PARITY") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def several_threads() -> Iterator[None]:
    """Torch with the threads that it has outside of tests, which round sums differently than one does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(2, cores()))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def parity_dir() -> Path:
    """Folder of reference numbers of the published generator."""
    return _shared_folder("DNERF_PARITY", "parity", "parity data")


@pytest.fixture(scope="session")
def inputs_dir() -> Path:
    """Folder of small files as other programs write them: annotations and cameras."""
    return _shared_folder("DNERF_INPUTS", "inputs", "inputs")


_status = 0


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keeps the exit code for `pytest_unconfigure`."""
    global _status  # noqa: PLW0603  the two hooks share nothing else
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends a process that has loaded Blender without Blender's own destructors, which can wait for ever on its GPU worker (bpy 4.5)."""
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status)
