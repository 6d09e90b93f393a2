"""The benchmark of stages: every function that it watches is there, and each stage of a view is booked."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dnerf_core.model import Model


@pytest.fixture(scope="module")
def stages() -> ModuleType:
    """`benchmarks/stages.py`."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "stages.py"
    spec = importlib.util.spec_from_file_location("stages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setitem(sys.modules, "stages", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    monkeypatch.undo()
    return module


def test_every_stage_of_a_demo_view_is_booked(stages: ModuleType) -> None:
    timed = stages.Stages()
    with stages.watched(timed), stages.Counting(timed):
        stages.work(Model.load("demo-cars"), 0, 1)
    costs = {name: timed.costs[name] for _, _, name, _ in stages.STAGES}
    assert [name for name, cost in costs.items() if cost.seconds == 0 or cost.bytes == 0] == []
    assert timed.stack == [stages.REST]
