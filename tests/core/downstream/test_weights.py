"""Weights to begin from: what torchvision publishes is taken by its names, everything else is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.images.weights import fill_from
from dnerf_core.downstream.network_file import save_network
from dnerf_core.downstream.vision import torchvision
from dnerf_core.errors import CheckpointError
from dnerf_core.labels import LabelSet

MOBILE = "deeplabv3-mobilenet"


@pytest.fixture(scope="module")
def coco() -> dict[str, Tensor]:
    """As torchvision publishes a segmenter of COCO: 21 classes, and a second classifier that helps training."""
    torch.manual_seed(1)
    builder = torchvision().models.segmentation.deeplabv3_mobilenet_v3_large
    state: dict[str, Tensor] = builder(weights=None, weights_backbone=None, num_classes=21, aux_loss=True).state_dict()
    return state


def filled(path: Path, num_classes: int = 5, name: str = MOBILE) -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    network = build_network(name, num_classes)
    return network, fill_from(network, name, path)


@pytest.mark.parametrize("form", ["pth", "nested", "parallel", "safetensors"])
def test_a_segmenter_of_coco_is_taken_but_for_its_last_layer(tmp_path: Path, coco: dict[str, Tensor], form: str) -> None:
    path = tmp_path / f"coco.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        safetensors.torch.save_file(coco, path)
    else:
        state = {f"module.{key}": value for key, value in coco.items()} if form == "parallel" else coco
        torch.save({"model": state} if form == "nested" else state, path)
    network, start = filled(path)
    state = network.state_dict()
    assert start.part == "all but the last layer" and start.new == ("classifier.4.weight", "classifier.4.bias")
    assert torch.equal(state["backbone.0.0.weight"], coco["backbone.0.0.weight"])
    assert torch.equal(state["classifier.1.weight"], coco["classifier.1.weight"])
    assert state["classifier.4.weight"].shape[0] == 5


def test_as_many_classes_take_the_last_layer_too(tmp_path: Path, coco: dict[str, Tensor]) -> None:
    path = tmp_path / "coco.pth"
    torch.save(coco, path)
    network, start = filled(path, 21)
    assert start.part == "whole" and not start.new
    assert torch.equal(network.state_dict()["classifier.4.bias"], coco["classifier.4.bias"])


@pytest.mark.parametrize(
    ("name", "builder", "ours", "theirs"),
    [
        (MOBILE, "mobilenet_v3_large", "backbone.4.block.0.0.weight", "features.4.block.0.0.weight"),
        ("deeplabv3-resnet50", "resnet50", "backbone.layer3.2.conv2.weight", "layer3.2.conv2.weight"),
    ],
)
def test_a_backbone_of_imagenet_is_taken(tmp_path: Path, name: str, builder: str, ours: str, theirs: str) -> None:
    torch.manual_seed(2)
    state = getattr(torchvision().models, builder)(weights=None).state_dict()
    path = tmp_path / "imagenet.pth"
    torch.save(state, path)
    network, start = filled(path, name=name)
    assert start.part == "backbone" and all(key.startswith("classifier.") for key in start.new)
    assert torch.equal(network.state_dict()[ours], state[theirs])


def test_a_network_file_is_begun_from(tmp_path: Path) -> None:
    path, network = tmp_path / "cars.safetensors", build_network("mini", 5)
    labels = LabelSet.from_names(["hood", "roof", "wheels", "other"])
    save_network(path, kind="image", network="mini", labels=labels, settings={}, state=network.state_dict(), training={})
    again, start = filled(path, name="mini")
    assert start.part == "whole" and all(
        torch.equal(value, again.state_dict()[key]) for key, value in network.state_dict().items()
    )
    _, start = filled(path, 3, "mini")
    assert start.part == "all but the last layer"
    with pytest.raises(CheckpointError, match="expected weights for deeplabv3-mobilenet, found those of 'mini'"):
        filled(path)


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "backbone.0.0.weight"), "found no backbone.0.0.weight"),
        (lambda s: s | {"classifier.9.weight": torch.zeros(1)}, "found a tensor 'classifier.9.weight'"),
        (lambda s: s | {"backbone.0.0.weight": torch.zeros(1)}, r"expected \[16, 3, 3, 3\], found \[1\]"),
        (lambda s: s | {"backbone.0.0.weight": torch.full((16, 3, 3, 3), torch.nan)}, "expected finite values"),
        (lambda s: {"epoch": 3}, "found no dictionary of tensors alone"),
        (lambda s: [1, 2], "found no dictionary of tensors alone"),
    ],
)
def test_others_are_refused(tmp_path: Path, coco: dict[str, Tensor], change: Callable[[Any], Any], message: str) -> None:
    path = tmp_path / "x.pth"
    torch.save(change(dict(coco)), path)
    with pytest.raises(CheckpointError, match=message) as caught:
        filled(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "text", "module", "model"])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.pth"
    if kind == "text":
        path.write_text("weights")
    elif kind == "module":
        torch.save(nn.Linear(2, 2), path)
    elif kind == "model":
        safetensors.torch.save_file({"generator.x": torch.zeros(1)}, path, {"datasetnerf": "{}"})
    with pytest.raises(CheckpointError) as caught:
        filled(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
