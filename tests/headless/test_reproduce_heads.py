"""Heads on frozen networks in `reproduce`: table 1's transfer learning, and what their steps share with s13."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dnerf_core.downstream.images.registry import build_network
from dnerf_core.errors import UsageError
from headless import cli
from headless.reproducing.call import ReproduceCall
from headless.reproducing.steps import in_order
from headless.runs.downstream.reproduce import CACHE_NAME, reproduce
from headless.work.reporting import Quiet
from tests.headless.test_render import error_line
from tests.headless.test_reproduce import TINY, rows_of


@pytest.fixture(scope="module")
def resnet101(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a backbone, by torchvision's names."""
    torch.manual_seed(0)
    state = build_network("deeplabv3-resnet101", 2).state_dict()
    path = tmp_path_factory.mktemp("weights") / "resnet101.pth"
    torch.save(
        {name.removeprefix("backbone."): value for name, value in state.items() if name.startswith("backbone.")},
        path,
    )
    return path


def test_the_papers_transfer_learning_is_of_a_named_file(resnet101: Path, tmp_path: Path) -> None:
    call = ReproduceCall(
        experiment="table1", only=("transfer-resnet101",), resnet=resnet101, output=tmp_path / "report", device="cpu"
    )
    reproduce(call, Quiet(), TINY)
    (row,) = json.loads((call.output / "table1.json").read_text())["experiments"][0]["rows"]
    assert row["row"] == "transfer-resnet101" and all(0 <= score < 0.9 for score in row["scores"].values())
    (folder,) = (call.output / CACHE_NAME).glob("frozen-*")
    assert len(list(folder.glob("predicted-0-*.png"))) == 2
    # weights decide the row, their place does not
    other = tmp_path / "other.pth"
    shutil.copy(resnet101, other)
    assert rows_of(replace(call, resnet=other))[0].key == rows_of(call)[0].key


def test_other_weights_are_refused_before_anything_is_made(
    resnet101: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.load(resnet101, weights_only=True)
    del state["layer4.2.conv3.weight"]
    other, output = tmp_path / "other.pth", tmp_path / "report"
    torch.save(state, other)
    assert cli.run(["reproduce", "table1", "--resnet", str(other), "-o", str(output)]) != 0
    assert "backbone.layer4.2.conv3.weight" in error_line(capsys)
    assert cli.run(["reproduce", "s12", "--resnet", str(resnet101), "-o", str(output)]) == 2
    assert "--resnet: expected table1 or all, found s12" in error_line(capsys)
    assert not output.exists()


def test_s13_takes_the_head_of_table_1() -> None:
    table1, s13 = (
        {step.key for step in in_order(rows_of(ReproduceCall(experiment=name))) if step.kind == "frozen"}
        for name in ("table1", "s13")
    )
    assert len(table1) == 2 and len(s13) == 1 and s13 < table1


def test_labels_of_one_side_are_refused_before_anything_is_made(painted_folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "painted"
    shutil.copytree(painted_folder, folder)
    path = folder / "labels.json"
    path.write_text(path.read_text().replace('"right"', '"front"'))
    own = ReproduceCall(
        experiment="table1", model_name=str(tiny_model), annotated=folder, test=folder, output=tmp_path / "report"
    )
    words = (
        "painted: label 'left': expected a label 'right' that it becomes in a mirrored picture, found none; name parts of both"
    )
    with pytest.raises(UsageError, match=words):
        rows_of(own)
    assert rows_of(replace(own, experiment="table4", test=None))  # branches see no mirrored pictures
