"""torchvision at its one door: imported whatever builds it and torch are of, or refused in one line."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dnerf_core.downstream import vision
from dnerf_core.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]


def test_networks_and_transforms_are_there() -> None:
    package = vision.torchvision()
    vision.require_installed()
    assert callable(package.models.segmentation.deeplabv3_resnet101) and callable(package.transforms.v2.ColorJitter)


def test_the_door_is_one() -> None:
    importing = re.compile(r"^\s*(import|from) torchvision", re.MULTILINE)
    paths = [path for package in ("dnerf_core", "headless") for path in (ROOT / package).rglob("*.py")]
    found = [path.relative_to(ROOT).as_posix() for path in paths if importing.search(path.read_text("utf-8"))]
    assert found == ["dnerf_core/downstream/vision.py"]


def test_without_it_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    vision.torchvision.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"expected the package, found none installed; .*datasetnerf\[downstream\]"):
            vision.torchvision()
    finally:
        monkeypatch.undo()
        vision.torchvision.cache_clear()


@pytest.mark.parametrize("declared", [False, True])
def test_schemas_are_declared_only_where_they_are_missing(declared: bool) -> None:
    """In a process of its own, since a declaration lasts."""
    program = [
        "import torch",
        "from dnerf_core.downstream import vision",
        *(["theirs = torch.library.Library('torchvision', 'DEF')", "theirs.define('nms' + vision._SCHEMA)"] if declared else []),
        "vision._declare_missing()",
        f"assert len(vision._declared) == {1 if declared else 2}",
        "vision._declare_missing()",
        f"assert len(vision._declared) == {1 if declared else 2}",
        "assert torch.ops.torchvision.nms and torch.ops.torchvision.qnms",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(program)], cwd=ROOT, check=True)
