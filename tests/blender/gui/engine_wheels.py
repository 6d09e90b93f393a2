"""The engine of this repository and all it needs as a folder of wheels, by the command that docs/blender.md gives."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.blender.gui.window import REPOSITORY

_BUILT_OF = ("pyproject.toml", "README.md", "LICENSE", "constraints.txt")


def engine_wheels(folder: Path) -> Path:
    """Make the wheels; what this computer has downloaded before is not downloaded again."""
    source, wheels = folder / "source", folder / "wheels"
    unwanted = shutil.ignore_patterns("__pycache__")
    for package in ("blender_addon", "dnerf_core", "headless"):
        shutil.copytree(REPOSITORY / package, source / package, ignore=unwanted)
    for name in _BUILT_OF:
        shutil.copy(REPOSITORY / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "-c", "constraints.txt", "--wheel-dir", str(wheels), "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return wheels
