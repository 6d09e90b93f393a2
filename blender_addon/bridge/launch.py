"""How the worker is started: its command line and its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def worker_command(python: Path | str, device: str = "auto") -> list[str]:
    """The command line of a worker. -P: a folder that happens to be the current one is not searched for modules."""
    return [str(python), "-P", "-m", "headless.cli", "worker", "--device", device]


def worker_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a worker: that of this process without Python's own settings, which are meant for Blender's Python."""
    return {name: value for name, value in (os.environ if base is None else base).items() if not name.startswith("PYTHON")}
