"""What the API reference describes. That it is built without a warning is looked at by `.ci/run`, since that takes its time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_it_describes_every_module_but_the_kernels_and_needs_neither_blender_nor_triton() -> None:
    code = "import importlib, sys\nsys.path.insert(0, 'docs')\nimport build_api\nnames = build_api.modules()\n"
    code += "for name in names: importlib.import_module(name)\n"
    code += "print(*names)\nprint(*({'bpy', 'triton', 'click'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    described, loaded = (set(line.split()) for line in done.stdout.split("\n")[:2])
    files = [path.relative_to(ROOT) for folder in ("dnerf_core", "headless/runs") for path in (ROOT / folder).rglob("*.py")]
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}
    left_out = {name for name in modules if name.startswith("dnerf_core.kernels") and name != "dnerf_core.kernels.choice"}
    assert described == modules - left_out
    assert loaded == set()
