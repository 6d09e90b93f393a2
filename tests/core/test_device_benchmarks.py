"""`benchmarks/gpu.py` and `benchmarks/roofline.py`: what was not measured is said, and what is counted can be worked out by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from dnerf_core.embedded import model_path
from dnerf_core.model import Model

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_rows_without_a_measurement_say_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    gpu = loaded("gpu", monkeypatch)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--quick", "--minutes", "0"])
    assert gpu.main() == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert "no GPU's figures" in lines[0] and len(lines) == 1 + len(gpu.sections())
    assert all("not measured: " in line for line in lines[1:])


def test_what_needs_a_device_is_not_judged_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = loaded("gpu", monkeypatch)
    run = gpu.Run(torch.device("cpu"), quick=True)
    assert run.judged(True) is None and run.judged(False) is None
    for rows in (gpu.waits(run, "demo"), gpu.kernels(run)):
        assert [row.found.startswith("not measured: ") for row in rows] == [True]


def test_a_missed_goal_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    gpu = loaded("gpu", monkeypatch)
    row = gpu.Row("something", "2", "1", met=False)
    monkeypatch.setattr(gpu, "sections", lambda: [("something", lambda run: iter([row]), False)])
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu"])
    assert gpu.main() == 1
    assert "| something | 2 | 1 | no |" in capsys.readouterr().out


def test_costs_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two matrices in, one out: what lies between is torch's alone. A table is read as far as it is gathered."""
    roofline = loaded("roofline", monkeypatch)
    left, right, table = torch.ones(8, 16), torch.ones(16, 4), torch.ones(1000, 8)
    costs = roofline.Counting()
    with costs:
        with costs.stage("product"):
            product = (left @ right).mul(2.0).add(1.0)
        with costs.stage("gather"):
            rows = table[torch.tensor([3, 4, 5])]
    assert len(product) == 8 and len(rows) == 3
    made, gathered = costs.costs["product"], costs.costs["gather"]
    assert made.flops == {torch.float32: 2 * 8 * 16 * 4} and made.kernels == 3
    assert made.least == 4 * (8 * 16 + 16 * 4 + 8 * 4)
    assert made.by_torch == 4 * (8 * 16 + 16 * 4 + 5 * 8 * 4)
    assert gathered.least <= 4 * (3 * 8 + 3 * 8) + 3 * 8
    card = roofline.Card("slow", 100.0, 1000.0, 1e9)
    assert made.seconds(card) == pytest.approx(max(1024 / 1000, made.least / 100))


def test_a_demo_view_is_counted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    roofline = loaded("roofline", monkeypatch)
    if not model_path("demo-cars").is_file():
        pytest.skip("the embedded model is not here")
    model = Model.load("demo-cars")
    costs = roofline.counted(model, 0).costs
    assert sum(name.startswith("subject: ") for name in costs) == 6 and len(costs) == 15
    for name, cost in costs.items():
        assert 0 < cost.least <= cost.by_torch, name
    assert costs["super-resolution"].flops and costs["samples: read and decode density"].flops
