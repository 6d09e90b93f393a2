"""A segmenter at work: any picture, a network file, and ONNX that another program runs with the same labels."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dnerf_core.camera import arc_cameras
from dnerf_core.downstream import onnx_writing
from dnerf_core.downstream.images import onnx_file
from dnerf_core.downstream.images.mini import enlarged_scores
from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.images.segmenter import Segmenter, predict, settings_of
from dnerf_core.downstream.network_file import save_network
from dnerf_core.embedded import model_path
from dnerf_core.errors import CheckpointError, OutputError, UsageError
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from dnerf_core.model import Model
from tests.core.downstream.small_sets import LABELS, small_view


def random_network(name: str, num_classes: int) -> nn.Module:
    """With statistics of its own, so that nothing cancels."""
    torch.manual_seed(4)
    network = build_network(name, num_classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def save_random(path: Path, name: str = "mini", size_px: int = 32, **settings: Any) -> Path:
    network = random_network(name, LABELS.num_classes)
    given = settings_of(size_px) | settings
    save_network(path, kind="image", network=name, labels=LABELS, settings=given, state=network.state_dict(), training={})
    return path


@pytest.mark.parametrize("shape", [(32, 32), (20, 57), (1, 1), (300, 11)])
def test_pictures_of_any_size_are_labelled(tmp_path: Path, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    labels, confidence = predict(save_random(tmp_path / "net.safetensors"), image)
    assert labels.shape == confidence.shape == shape and (labels.dtype, confidence.dtype) == (np.uint8, np.float32)
    assert labels.max() < 3 and confidence.min() >= 1 / 3 - 1e-6 and confidence.max() <= 1


def test_a_larger_picture_is_seen_at_the_trained_size(tmp_path: Path) -> None:
    segmenter = Segmenter.load(save_random(tmp_path / "net.safetensors"))
    image, _ = small_view(1)
    twice = image.repeat(2, axis=0).repeat(2, axis=1)
    once, labels = segmenter.predict(image)[0], segmenter.predict(twice)[0]
    assert (labels[::2, ::2] == once).mean() > 0.9
    assert not np.array_equal(segmenter.predict(twice, size_px=64)[0], labels)


def test_mirror_images_are_looked_at_too(tmp_path: Path) -> None:
    """The mirror image of a picture gets the mirror image of its labels, left and right parts changed; one look alone gives others."""
    path, sides = tmp_path / "net.safetensors", LabelSet.from_names(["left door", "right door"])
    state = random_network("mini", sides.num_classes).state_dict()
    save_network(path, kind="image", network="mini", labels=sides, settings=settings_of(32), state=state, training={})
    once = Segmenter.load(path)
    both = dataclasses.replace(once, mirrored=True)
    image = np.random.default_rng(0).integers(0, 256, (20, 57, 3), np.uint8)
    labels, confidence = both.predict(image)
    other, other_confidence = both.predict(image[:, ::-1].copy())
    np.testing.assert_allclose(other_confidence, confidence[:, ::-1], atol=1e-5)
    sure = confidence > np.partition(both.scores(torch.from_numpy(image).permute(2, 0, 1)[None]).numpy()[0], 1, axis=0)[1] + 1e-4
    assert np.array_equal(other[:, ::-1][sure], np.array([0, 2, 1], np.uint8)[labels][sure])
    assert not np.array_equal(once.predict(image)[0], labels)


def test_another_file_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    path, image = save_random(tmp_path / "net.safetensors"), small_view(1)[0]
    before = predict(path, image)[1]
    save_random(path, size_px=16)
    assert not np.array_equal(predict(path, image)[1], before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size_px": 0}, "size_px: expected a number from 1 to 4096, found 0"),
        ({"size_px": "large"}, "size_px: expected"),
        ({"mean": [0.5]}, "mean: expected"),
    ],
)
def test_strange_settings_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Segmenter.load(save_random(tmp_path / "net.safetensors", **settings))


def test_a_network_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    state = {"weight": torch.zeros(1)}
    save_network(path, kind="image", network="huge", labels=LABELS, settings=settings_of(32), state=state, training={})
    with pytest.raises(CheckpointError, match=r"network: expected one of mini, .*, found 'huge'"):
        Segmenter.load(path)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(tmp_path: Path, image: Any) -> None:
    segmenter = Segmenter.load(save_random(tmp_path / "net.safetensors"))
    with pytest.raises(UsageError, match="image"):
        segmenter.predict(image)


@pytest.mark.parametrize("name", ["mini", "deeplabv3-mobilenet"])
def test_onnx_runtime_finds_the_same_labels(tmp_path: Path, name: str) -> None:
    """On a car of the embedded model, at two sizes and batches; pixels whose two best classes lie within 1e-3 may fall either way."""
    onnxruntime = pytest.importorskip("onnxruntime")
    network = random_network(name, SHAPENET_CAR_LABELS.num_classes)
    segmenter, path = Segmenter(network, SHAPENET_CAR_LABELS, 64), tmp_path / "net.onnx"
    onnx_file.write_onnx(path, segmenter)
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"]) == list(SHAPENET_CAR_LABELS.names) and metadata["size_px"] == "64"
    model = Model.load(model_path("demo-cars"))
    subject, camera = model.subject(3), arc_cameras(model.config.cameras, (30.0, 30.0), count=1)[0]
    for size_px, count in ((64, 1), (48, 3)):
        picture = subject.render(camera, size_px).rgb
        images = np.repeat(picture[None], count, axis=0)
        given = (images.transpose(0, 3, 1, 2) / 255).astype(np.float32)
        [theirs] = session.run(None, {"image": given})
        ours = segmenter.scores(torch.from_numpy(images).permute(0, 3, 1, 2), size_px).numpy()
        assert theirs.shape == ours.shape == (count, 5, size_px, size_px)
        ordered = np.sort(ours, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > 1e-3
        assert clear.mean() > 0.5 and np.array_equal(theirs.argmax(axis=1)[clear], ours.argmax(axis=1)[clear])


def test_without_onnx_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr(onnx_writing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--onnx: expected the package onnx, found none installed; .*\[downstream\]"):
        onnx_writing.require_onnx()


def test_onnx_goes_nowhere_whole_or_not_at_all(tmp_path: Path) -> None:
    segmenter = Segmenter(random_network("mini", 3), LABELS, 32)
    with pytest.raises(OutputError):
        onnx_file.write_onnx(tmp_path / "missing" / "net.onnx", segmenter)


@pytest.mark.parametrize("size", [(16, 24), (33, 21), (5, 7)])
def test_scores_are_enlarged_as_interpolate_does(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    scores = torch.randn(2, 3, 8, 12, requires_grad=True)
    other = scores.detach().clone().requires_grad_()
    found = enlarged_scores(scores, *size)
    wanted = F.interpolate(other, size=size, mode="bilinear", align_corners=False)
    assert torch.allclose(found, wanted, atol=1e-5)
    weight = torch.randn_like(wanted)
    (found * weight).sum().backward()
    (wanted * weight).sum().backward()
    assert scores.grad is not None
    assert other.grad is not None
    assert torch.allclose(scores.grad, other.grad, atol=1e-4)
