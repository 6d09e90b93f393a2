"""The network file: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

from dnerf_core.checkpoints.safetensors_layout import MODEL, NETWORK, file_kind, is_as_written, read_layout
from dnerf_core.downstream.network_file import load_network_file, read_network_header, save_network
from dnerf_core.errors import CheckpointError
from dnerf_core.labels import SHAPENET_CAR_LABELS

ROOT = Path(__file__).resolve().parents[3]


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 1))


def written(path: Path, **changes: Any) -> Path:
    values: dict[str, Any] = {
        "kind": "image",
        "network": "mini",
        "labels": SHAPENET_CAR_LABELS,
        "settings": {"widths": [4, 5], "mean": [0.5]},
        "training": {"seed": 3, "sets": [{"folder": "Fähre"}]},
        "state": small_network().state_dict(),
    }
    save_network(path, **(values | changes))
    return path


def test_a_network_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, network = written(tmp_path / "cars.safetensors"), small_network()
    header = read_network_header(path, "image")
    assert (header.kind, header.network, header.labels) == ("image", "mini", SHAPENET_CAR_LABELS)
    assert header.settings == {"widths": [4, 5], "mean": [0.5]} and header.training["sets"] == [{"folder": "Fähre"}]
    assert header.parameters == 4 * 27 + 4 * 4 + 4 * 5 + 5
    other = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 1))
    load_network_file(path).fill(other)
    for name, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    assert file_kind(path) == NETWORK and is_as_written(path, NETWORK)
    raw = path.read_bytes()
    assert written(path).read_bytes() == raw
    # the library that others use reads the same
    theirs = safetensors.numpy.load_file(path)
    assert np.array_equal(theirs["network.2.bias"], network.state_dict()["2.bias"].numpy())


def test_half_precision_is_kept_as_float32(tmp_path: Path) -> None:
    path = written(tmp_path / "cars.safetensors", state={"weight": torch.tensor([0.5, -2.0], dtype=torch.bfloat16)})
    assert load_network_file(path).state["weight"].tolist() == [0.5, -2.0]


def test_a_network_is_no_model(tmp_path: Path) -> None:
    path = written(tmp_path / "cars.safetensors")
    with pytest.raises(
        CheckpointError, match="expected a model file, found a network file; give that with 'dnerf-headless segment"
    ):
        read_layout(path, MODEL)
    safetensors.numpy.save_file({"generator.x": np.zeros(3, np.float32)}, path, {"datasetnerf": "{}"})
    with pytest.raises(CheckpointError, match="expected a network file, found a model file"):
        read_network_header(path)


def test_a_network_of_images_labels_no_points(tmp_path: Path) -> None:
    path = written(tmp_path / "cars.safetensors")
    with pytest.raises(
        CheckpointError, match=r"expected a network of points, found one of images; train one with .*train-pointnet"
    ):
        read_network_header(path, "points")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "sounds"}, "kind: expected 'image' or 'points', found 'sounds'"),
        ({"network": ""}, "network: expected a name"),
        ({"network": 7}, "network: expected a name"),
        ({"settings": {"rate": float("nan")}}, "expected plain JSON values"),
        ({"settings": {"rate": object()}}, "expected plain JSON values"),
        ({"training": {"text": "x" * 2**21}}, "bytes of text"),
        ({"state": {"weight": torch.tensor([float("inf")])}}, "weight: expected finite values"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        written(tmp_path / "cars.safetensors", **changes)
    assert not list(tmp_path.iterdir())


def spoiled(path: Path, **changes: Any) -> Path:
    fields: dict[str, Any] = {
        "format_version": 1,
        "kind": "image",
        "network": "mini",
        "labels": SHAPENET_CAR_LABELS.to_json(),
        "settings": {},
        "training": {},
    }
    tensors = changes.pop("tensors", {"network.weight": np.zeros(3, np.float32)})
    safetensors.numpy.save_file(tensors, path, {NETWORK.key: json.dumps(fields | changes)})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "expected format version 1, found 2"),
        ({"kind": None}, "kind: expected"),
        ({"settings": []}, "settings: expected an object"),
        ({"labels": {"version": 1, "labels": [], "ignore": 255}}, "labels"),
        ({"more": 1}, "surplus"),
        ({"tensors": {"weight": np.zeros(3, np.float32)}}, r"expected network\.\* with its place"),
        ({"tensors": {"network.weight": np.zeros(3, np.int64)}}, "expected type F32 or F16, found 'I64'"),
        ({"tensors": {}}, "expected 1 to"),
    ],
)
def test_a_spoiled_header_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    read_network_header(spoiled(tmp_path / "whole.safetensors"))
    with pytest.raises(CheckpointError, match=message) as caught:
        read_network_header(spoiled(tmp_path / "x.safetensors", **changes))
    assert "\n" not in str(caught.value)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = spoiled(tmp_path / "x.safetensors", tensors={"network.weight": np.full(3, np.nan, np.float32)})
    with pytest.raises(CheckpointError, match="weight: expected 3 finite values"):
        load_network_file(path)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"0.weight": torch.zeros(4, 3, 3, 3)}, r"expected 7 tensors, missing \['1.bias', '1.running_mean'\]"),
        (small_network().state_dict() | {"3.weight": torch.zeros(1)}, r"surplus \['3.weight'\]"),
        (small_network().state_dict() | {"2.bias": torch.zeros(6)}, r"2.bias: expected \[5\], found \[6\]"),
    ],
)
def test_another_networks_tensors_are_refused(tmp_path: Path, state: dict[str, torch.Tensor], message: str) -> None:
    file = load_network_file(written(tmp_path / "cars.safetensors", state=state))
    with pytest.raises(CheckpointError, match=message):
        file.fill(small_network())


@pytest.mark.parametrize("make", ["missing", "folder", "pipe", "text"])
def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "x.safetensors"
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no pipes here")
        os.mkfifo(path)
    elif make == "text":
        path.write_text("network")
    with pytest.raises(CheckpointError, match="expected a network file"):
        read_network_header(path)


def test_a_header_is_read_without_torch(tmp_path: Path) -> None:
    path = written(tmp_path / "cars.safetensors")
    program = (
        "import sys; from dnerf_core.downstream.network_file import read_network_header as read\n"
        f"assert read({str(path)!r}).network == 'mini' and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
