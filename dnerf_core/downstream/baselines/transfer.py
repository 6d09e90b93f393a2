"""Transfer learning: an ImageNet-pretrained network, of which the last layer alone is trained on the painted pictures.

Deviation from the baseline of DatasetGAN and DatasetNeRF: the layer is the same, but the features of changed pictures are worked out once
and kept (see `frozen`) instead of anew in each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from dnerf_core.downstream.baselines.efficientnet import HEAD_CHANNELS, TAPPED_CHANNELS, load_efficientnet
from dnerf_core.downstream.baselines.frozen import FrozenFeatures, FrozenSegmenter, HeadTraining, train_head
from dnerf_core.downstream.baselines.scoring import TestScores, score
from dnerf_core.downstream.images.augment import normalized
from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.images.weights import fill_from
from dnerf_core.errors import UsageError

TransferKind = Literal["efficientnet-last", "efficientnet-stages", "resnet101-last"]
KINDS: tuple[TransferKind, ...] = ("efficientnet-last", "efficientnet-stages", "resnet101-last")

_RESNET = "deeplabv3-resnet101"
_BACKBONE_CHANNELS, _BEFORE_LAST_CHANNELS = 2048, 256


@dataclass(frozen=True)
class TransferConfig:
    """What is transferred.

    Attributes:
        kind: the last layer of EfficientNet-Lite0 on its last features; a linear layer on the features of all its strides; or the last
            layer of DeepLabV3 with ResNet101, of a file of the backbone alone a linear layer on the backbone.
        weights: the file; None: that of the package, of EfficientNet alone.
        training: of the layer.
        device: "cpu" or "cuda".
    """

    kind: TransferKind = "efficientnet-last"
    weights: Path | None = None
    training: HeadTraining = field(default_factory=HeadTraining)
    device: str = "cpu"


def run(
    painted: Path, test: Path, config: TransferConfig, advance: Callable[[], None] = lambda: None
) -> tuple[FrozenSegmenter, TestScores]:
    """Train on a folder of `sample` with painted masks, and score on a test set.

    Args:
        advance: called after each picture that the network has seen.

    Raises:
        DNeRFError: weights or folders that cannot be used.
    """
    segmenter = train_head(painted, transferred(config), config.training, advance)
    return segmenter, score(segmenter, test, advance)


def transferred(config: TransferConfig) -> FrozenFeatures:
    """The network of a call, frozen.

    Raises:
        UsageError: a package is missing, or no file is named where there must be one.
        CheckpointError: a file of another network, or one that cannot be used.
    """
    if config.kind not in KINDS:
        raise UsageError(f"transfer: expected one of {', '.join(KINDS)}, found {config.kind!r}; name one of them")
    if config.kind == "resnet101-last":
        return _resnet101(config.weights, config.device)
    network = load_efficientnet(config.weights).to(config.device)
    if config.kind == "efficientnet-last":
        return FrozenFeatures(config.kind, network, (HEAD_CHANNELS,), lambda images: network.stages(images)[-1:])
    return FrozenFeatures(config.kind, network, (*TAPPED_CHANNELS, HEAD_CHANNELS), network.stages)


def _resnet101(weights: Path | None, device: str) -> FrozenFeatures:
    if weights is None:
        raise UsageError(
            "transfer: resnet101-last: expected a file of its weights, found none named; name what torchvision publishes"
        )
    with torch.random.fork_rng(devices=[]):  # first weights, which are replaced or not read
        network = build_network(_RESNET, num_classes=2)
    start = fill_from(network, _RESNET, weights)
    network.eval().requires_grad_(False).to(device)
    backbone, classifier = network.get_submodule("backbone"), network.get_submodule("classifier")
    # of a file of the backbone alone the layers between it and the last one are as they were drawn: nothing could be told by them
    layers = nn.Sequential() if start.part == "backbone" else nn.Sequential(*list(classifier.children())[:-1])

    def read(images: Tensor) -> list[Tensor]:
        return [layers(backbone(normalized(images))["out"])]

    channels = _BACKBONE_CHANNELS if start.part == "backbone" else _BEFORE_LAST_CHANNELS
    return FrozenFeatures("resnet101-last", network, (channels,), read)
