"""The programs of docs/blender-scripting.md, run as `blender -b -P` runs them: in a Blender of their own, with the extension enabled."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.addon import REPOSITORY, interpreter_script

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
TEXT = (REPOSITORY / "docs" / "blender-scripting.md").read_text(encoding="utf-8")
ENABLED = """
import bpy, sys
import addon_utils
assert addon_utils.enable("blender_addon", default_set=True) is not None
preferences = bpy.context.preferences.addons["blender_addon"].preferences
preferences.interpreter, preferences.device = sys.argv[1], "cpu"
exec(compile(open(sys.argv[2], encoding="utf-8").read(), sys.argv[2], "exec"), {"__name__": "__main__"})
addon_utils.disable("blender_addon", default_set=True)
"""
"""What Blender has done by the time it runs a program."""


def programs() -> dict[str, str]:
    """The fenced programs by the title that they stand under."""
    sections = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)[1:]
    found = {}
    for title, section in zip(sections[::2], sections[1::2], strict=True):
        for program in re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL):
            assert title not in found
            found[title] = program
    return found


def run(title: str, folder: Path) -> str:
    """Run a program with a folder as its argument; returns what it prints."""
    path = folder / "program.py"
    path.write_text(programs()[title], encoding="utf-8")
    command = [sys.executable, "-c", ENABLED, str(interpreter_script(folder)), str(path), "--", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_program_is_run_here() -> None:
    assert set(programs()) == {"A data set"}


def test_a_data_set(tmp_path: Path) -> None:
    said = run("A data set", tmp_path)
    scenes = json.loads((tmp_path / "cars" / "nerfstudio" / "scenes.json").read_text())["scenes"]
    assert [(scene["seed"], scene["views"]) for scene in scenes] == [(seed, 6) for seed in range(4)]
    assert "the range '3-0' runs backwards; write 0-3" in said and not (tmp_path / "none").exists()
