"""The perceptual loss: the network against torch's own modules, the loss by hand, and every way to give it wrong weights."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from dnerf_core.checkpoints.inert.torch_state import read_torch_state
from dnerf_core.checkpoints.vgg16 import read_vgg16, vgg16_shapes
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.inversion.perceptual import PerceptualLoss
from tests.core import hostile as h

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    """Random, of the size that keeps the signal's from layer to layer (He et al. 2015)."""
    rng = np.random.default_rng(0)

    def tensor(shape: tuple[int, ...]) -> np.ndarray:
        return (rng.standard_normal(shape) * np.sqrt(2 / max(1, np.prod(shape[1:]))) * (1 if len(shape) > 1 else 0.05)).astype(
            "f4"
        )

    return {name: tensor(shape) for name, shape in vgg16_shapes().items()}


@pytest.fixture(scope="module")
def loss(weights: dict[str, np.ndarray]) -> PerceptualLoss:
    return PerceptualLoss(weights, CPU)


def images(count: int = 2, size_px: int = 32, seed: int = 1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, size_px, size_px, generator=rng) * 2 - 1


def torch_modules() -> nn.Sequential:
    """The network in torch's own modules, written from the paper's table: column D up to its last convolution."""
    modules: list[nn.Module] = []
    channels = 3
    for wide in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512):
        if wide == "M":
            modules.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            modules += [nn.Conv2d(channels, int(wide), kernel_size=3, padding=1), nn.ReLU()]
            channels = int(wide)
    return nn.Sequential(*modules)


def test_the_network_is_vgg16(loss: PerceptualLoss, weights: dict[str, np.ndarray]) -> None:
    network = torch_modules()
    network.load_state_dict({name.removeprefix("features."): torch.from_numpy(value) for name, value in weights.items()})
    image = images()
    x = ((image + 1) / 2 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    expected = []
    for index, module in enumerate(network):
        x = module(x)
        if index in (3, 8, 15, 22, 29):  # relu1_2, 2_2, 3_3, 4_3, 5_3
            expected.append(x / x.norm(dim=1, keepdim=True))
    layers = loss.features(image).layers
    assert [list(layer.shape[1:]) for layer in layers] == [[64, 32, 32], [128, 16, 16], [256, 8, 8], [512, 4, 4], [512, 2, 2]]
    for layer, wanted in zip(layers, expected, strict=True):
        torch.testing.assert_close(layer, wanted.detach(), rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_mean_squared_distance_summed_over_layers(loss: PerceptualLoss) -> None:
    a, b = images(2), images(2, seed=2)
    pairs = zip(loss.features(a).layers, loss.features(b).layers, strict=True)
    expected = sum((2 - 2 * (f * g).sum(dim=1)).mean(dim=(1, 2)) for f, g in pairs)  # |f - g|^2 of unit vectors
    found = loss(a, loss.features(b))
    assert found.shape == (2,) and found.min() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert loss(a, loss.features(a)).tolist() == [0, 0]
    alone = loss(a, loss.features(b[:1]))
    assert alone[0].item() == pytest.approx(found[0].item(), rel=1e-5)


def test_the_gradient_is_that_of_the_differences(weights: dict[str, np.ndarray]) -> None:
    """In float64, along a random direction."""
    double = PerceptualLoss(weights, CPU, torch.float64)
    image, target = images(1, 16).double(), double.features(images(1, 16, seed=3))
    direction = images(1, 16, seed=4).double()
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(double(image, target).sum(), image)
    step = 1e-7  # so small that no rectifier changes its side
    with torch.no_grad():
        change = (double(image + step * direction, target) - double(image - step * direction, target)) / (2 * step)
    assert change.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-5)
    assert gradient.abs().max() > 0


def test_following_the_gradient_brings_the_image_nearer(loss: PerceptualLoss) -> None:
    image, target = images(1).requires_grad_(), loss.features(images(1, seed=2))
    before = loss(image, target)
    (gradient,) = torch.autograd.grad(before.sum(), image)
    after = loss(image.detach() - 0.02 * gradient / gradient.abs().max(), target)
    assert after.item() < before.item()


def test_nothing_outside_the_region_counts(loss: PerceptualLoss) -> None:
    region = torch.zeros(1, 1, 32, 32)
    region[..., :16] = 1
    a, b = images(1), images(1, seed=2)
    target = loss.features(a, region)
    same_inside = torch.where(region == 1, a, b)
    assert loss(same_inside, target).item() == 0
    assert loss(b, target).item() > 0.01
    b.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(b, target).sum(), b)
    assert gradient[..., :16].abs().max() > 0 and gradient[..., 16:].abs().max() == 0
    everywhere = torch.ones(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loss(b, loss.features(a, everywhere)), loss(b, loss.features(a)))
        assert loss(b, loss.features(a, 0 * everywhere)).item() == 0


def test_the_regions_share_weighs_each_position(loss: PerceptualLoss) -> None:
    """The deepest layer of 32 px has 4 positions; the region covers 1, 1/2, 0 and 0 of them."""
    region = torch.zeros(1, 1, 32, 32)
    region[..., :16, :16] = 1
    region[..., :8, 16:] = 1
    a, b = images(1), images(1, seed=2)
    f, g = loss.features(a, region), loss.features(b, region)
    expected = 0.0
    for layer, goal in zip(f.layers, g.layers, strict=True):
        apart = (layer - goal).square().sum(dim=1)[0]
        scale = 32 // apart.shape[0]
        weight = region[0, 0].reshape(apart.shape[0], scale, apart.shape[1], scale).mean(dim=(1, 3))
        expected += ((apart * weight).sum() / weight.sum()).item()
    assert loss(a, g).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size_px", [16, 17, 33, 48])
def test_small_and_odd_images_work(size_px: int, loss: PerceptualLoss) -> None:
    image = images(1, size_px)
    region = torch.ones(1, 1, size_px, size_px)
    assert loss(image, loss.features(image.flip(3), region)).item() > 0


def test_wrong_images_and_regions_are_named(loss: PerceptualLoss) -> None:
    with pytest.raises(UsageError, match=re.escape("image: expected at least 16 px a side, found [1, 3, 15, 15]")):
        loss.features(images(1, 15))
    with pytest.raises(UsageError, match=re.escape("region: expected shape [B or 1, 1, H, W], found [2, 32, 32]")):
        loss.features(images(), torch.ones(2, 32, 32))
    with pytest.raises(UsageError, match="expected the target's size"):
        loss(images(), loss.features(images(size_px=64)))


def test_bfloat16_gives_nearly_the_same_loss_and_gradient(weights: dict[str, np.ndarray], loss: PerceptualLoss) -> None:
    half = PerceptualLoss(weights, CPU, torch.bfloat16)
    found = []
    for one in (loss, half):
        image = images(1, 64).requires_grad_()
        value = one(image, one.features(images(1, 64, seed=2)))
        (gradient,) = torch.autograd.grad(value.sum(), image)
        found.append((value.item(), gradient.flatten()))
    assert found[1][0] == pytest.approx(found[0][0], rel=0.02)
    assert torch.cosine_similarity(found[0][1], found[1][1], dim=0).item() > 0.8
    assert half.features(images()).layers[0].dtype == torch.float32


# Files of weights


def as_state(weights: dict[str, np.ndarray]) -> OrderedDict[str, Tensor]:
    return OrderedDict((name, torch.from_numpy(value)) for name, value in weights.items())


@pytest.mark.parametrize("kind", ["legacy", "zip", "parameters", "safetensors", "half"])
def test_every_format_is_read_and_the_classifier_passed_over(kind: str, weights: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "weights"
    state = as_state(weights) | {"classifier.0.weight": torch.ones(4, 5)}
    if kind in ("legacy", "zip"):
        state["features.0.weight"] = torch.stack([torch.zeros(64, 3, 3, 3), state["features.0.weight"]], dim=-1)[
            ..., 1
        ]  # strided
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    elif kind == "parameters":
        torch.save(OrderedDict((name, nn.Parameter(value)) for name, value in state.items()), path)
    else:
        save_file({n: v.numpy().astype("f2" if kind == "half" else "f4") for n, v in state.items()}, path)
    found = read_vgg16(path)
    assert set(found) == set(weights)
    for name, value in weights.items():
        np.testing.assert_array_equal(found[name], value if kind != "half" else value.astype("f2").astype("f4"))
    loss = PerceptualLoss.load(path, CPU)
    assert loss(images(1), loss.features(images(1))).item() == 0


def legacy_file(state: bytes, storages: dict[str, bytes]) -> bytes:
    """A file in torch's legacy format, its state dict given as opcodes."""
    head = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    system = {"protocol_version": 1001, "little_endian": True}
    body = head + b"\x80\x02M\xe9\x03." + b"\x80\x02" + h.dump(system) + b"." + b"\x80\x02" + state + b"."
    body += b"\x80\x02" + h.dump(list(storages)) + b"."
    return body + b"".join((len(raw) // 4).to_bytes(8, "little") + raw for raw in storages.values())


def python2_tensor(key: bytes, count: int) -> bytes:
    """A tensor as Python 2 and the first torch wrote it: byte strings, `_rebuild_tensor`, a Parameter around it."""
    name = (
        b"U\x07storage" + b"ctorch\nFloatStorage\n" + b"U" + bytes([len(key)]) + key + b"U\x03cpu" + b"K" + bytes([count]) + b"N"
    )
    shape, stride = b"K" + bytes([count]) + b"\x85", b"K\x01\x85"
    tensor = b"ctorch._utils\n_rebuild_tensor\n" + b"((" + name + b"tQ" + b"K\x00" + shape + stride + b"tR"
    return b"ctorch.nn.parameter\nParameter\n" + tensor + b"\x85\x81" + b"(\x88\x89ccollections\nOrderedDict\n)Rtb"


def test_the_oldest_files_are_read(tmp_path: Path) -> None:
    values = np.arange(3, dtype="<f4")
    pairs = b"ccollections\nOrderedDict\n(](](U\x01a" + python2_tensor(b"7", 3) + b"eetR"
    path = tmp_path / "old.pth"
    path.write_bytes(legacy_file(pairs, {"7": values.tobytes()}))
    assert {name: value.tolist() for name, value in read_torch_state(path, ["a", "b"]).items()} == {"a": [0, 1, 2]}
    assert {name: value.tolist() for name, value in torch.load(path, weights_only=True).items()} == {"a": [0, 1, 2]}


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_of_a_file_is_executed(zipped: bool, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "canary"),)

    path = tmp_path / "trap.pth"
    torch.save({"features.0.weight": Trap()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        CheckpointError, match=re.escape(f"{path}: expected weights that torch.save wrote (.pth), found a file that")
    ):
        read_vgg16(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["trap.pth"]
    torch.load(path, weights_only=False)
    assert (tmp_path / "canary").is_dir()  # the trap works


@pytest.mark.parametrize("zipped", [True, False])
def test_damage_ends_in_one_line(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.arange(6.0), "b": torch.ones(2, 2)}, path, _use_new_zipfile_serialization=zipped)
    good, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(400):
        data = bytearray(good)
        data[rng.integers(0, len(data))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
        try:
            assert set(read_torch_state(path, ["a", "b"])) <= {"a", "b"}
        except CheckpointError as error:
            refused += 1
            assert str(error).startswith(f"{path}: expected ") and "\n" not in str(error)
    assert refused > 150


def test_weights_that_do_not_fit_are_named(weights: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "a.pth"

    def refused(message: str) -> None:
        with pytest.raises(CheckpointError) as caught:
            PerceptualLoss.load(path, CPU)
        assert str(caught.value).startswith(f"{path}: {message}") and "\n" not in str(caught.value)

    refused(
        "expected VGG16's weights (torchvision's vgg16-397923af.pth, or a .safetensors with the same names), cannot read it: No such"
    )
    path.write_bytes(b"")
    refused(
        "expected VGG16's weights (torchvision's vgg16-397923af.pth, or a .safetensors with the same names), found an empty file"
    )
    path.write_text("<html>not found</html>")
    refused(
        "expected VGG16's weights (torchvision's vgg16-397923af.pth, or a .safetensors with the same names), found bytes that"
    )
    state = as_state(weights)
    torch.save(OrderedDict(list(state.items())[:-1]), path)
    refused(
        "expected VGG16's weights (torchvision's vgg16-397923af.pth, or a .safetensors with the same names), found no tensor fea"
    )
    torch.save(state | {"features.28.bias": torch.ones(511)}, path)
    refused("features.28.bias: expected [512], found [511]; name the file that torchvision publishes")
    torch.save(state | {"features.28.bias": torch.full((512,), float("nan"))}, path)
    refused("features.28.bias: expected finite values, found others")
    torch.save(state | {"features.28.bias": torch.ones(512, dtype=torch.complex64)}, path)
    refused(
        "expected weights that torch.save wrote (.pth), found a file that names the global 'torch.ComplexFloatStorage', which no"
    )
    save_file({name: value.astype("f8") for name, value in weights.items()}, path)
    refused("features.")
    save_file(weights, path)
    path.write_bytes(path.read_bytes()[:-4])
    refused("expected VGG16's weights (torchvision's vgg16-397923af.pth, or a .safetensors with the same names), found a damaged")
