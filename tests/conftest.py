"""Shared fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# as the command line does, before torch is loaded: its idle threads sleep soon, so that tests share a machine with other work
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


@pytest.fixture(scope="session")
def parity_dir() -> Path:
    """Folder of reference numbers of the published generator; DNERF_REQUIRE_PARITY=1 turns its absence into a failure."""
    default = Path(__file__).resolve().parents[2] / "shared" / "parity"
    folder = Path(os.environ.get("DNERF_PARITY", default))
    if not folder.is_dir():
        message = f"parity data not found at {folder}; set DNERF_PARITY to the folder that holds it"
        if os.environ.get("DNERF_REQUIRE_PARITY") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder
