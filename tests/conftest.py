"""Shared fixtures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# as the command line does, before torch is loaded: its idle threads sleep soon, so that tests share a machine with other work
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


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
