"""The tests with a window, as `.ci/windows` runs them: what fails beside other windows runs once more alone, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = """
import os, pathlib, pytest
pytestmark = pytest.mark.gui
begun = []
def test_first():
    begun.append(1)
def test_second():
    assert begun, "it goes on from the first"
    assert {passes}
"""
ALONE = "'PYTEST_XDIST_WORKER' not in os.environ"


def run_windows(folder: Path, **passes: str) -> subprocess.CompletedProcess[str]:
    """Run files whose second test passes where its expression is true."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = gui: needs a real window\n")
    for name, expression in passes.items():
        (folder / f"test_{name}.py").write_text(FILE.format(passes=expression))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }  # these tests have workers, too
    command = [str(ROOT / ".ci" / "windows"), sys.executable, "."]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_what_fails_beside_others_runs_once_more_alone(tmp_path: Path) -> None:
    done = run_windows(tmp_path, crowded=ALONE, calm="True")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ failed with other windows open, once more alone: test_crowded.py\n" in done.stdout
    assert "2 passed" in done.stdout, "the whole file, for its tests go on from one another"


def test_what_fails_again_has_failed(tmp_path: Path) -> None:
    done = run_windows(tmp_path, broken="False", crowded=ALONE)
    assert done.returncode == 1
    assert "once more alone: test_broken.py test_crowded.py\n" in done.stdout


def test_what_passes_runs_once(tmp_path: Path) -> None:
    done = run_windows(tmp_path, calm="True")
    assert done.returncode == 0 and "once more" not in done.stdout
