"""The segmenters by name, and how each is built and trained unless a call says otherwise. Importing this needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnerf_core.errors import CheckpointError, brief

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class NetworkSpec:
    """One segmenter.

    Attributes:
        title: what it is, for people.
        builder: torchvision's function that builds it, in `torchvision.models.segmentation`; None: it is our own.
        steps: of the optimiser, usually.
        learning_rate: of the optimiser at its highest, usually.
    """

    title: str
    builder: str | None
    steps: int
    learning_rate: float


NETWORKS: dict[str, NetworkSpec] = {
    "mini": NetworkSpec("a small DeepLabV3+", None, 1000, 8e-3),
    "deeplabv3-mobilenet": NetworkSpec("DeepLabV3 with MobileNetV3 (large)", "deeplabv3_mobilenet_v3_large", 4000, 1e-3),
    "deeplabv3-resnet50": NetworkSpec("DeepLabV3 with ResNet50", "deeplabv3_resnet50", 10_000, 2e-4),
    "deeplabv3-resnet101": NetworkSpec("DeepLabV3 with ResNet101", "deeplabv3_resnet101", 10_000, 2e-4),
}
NAMES: tuple[str, ...] = tuple(NETWORKS)


def build_network(name: str, num_classes: int) -> nn.Module:
    """A segmenter with weights drawn from torch's generator, in training mode; `logits` calls it.

    torchvision's have its own parameter names, so that the weights it publishes fit.

    Args:
        num_classes: background counted.

    Raises:
        CheckpointError: no network has this name.
        UsageError: torchvision is needed and not installed.
    """
    if name not in NETWORKS:
        raise CheckpointError(
            f"network: expected one of {', '.join(NETWORKS)}, found {brief(name)}; use the datasetnerf that wrote it"
        )
    builder = NETWORKS[name].builder
    if builder is None:
        from dnerf_core.downstream.images.mini import MiniDeepLab

        return MiniDeepLab(num_classes)
    from dnerf_core.downstream.vision import torchvision

    # both None: torchvision would download the published weights
    network: nn.Module = getattr(torchvision().models.segmentation, builder)(
        weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=None
    )
    return network


def logits(network: nn.Module, images: Tensor) -> Tensor:
    """Class scores float32 [B, C, H, W] before softmax.

    Args:
        network: of `build_network`, or one that wraps it.
        images: [B, 3, H, W], normalised as its settings say.
    """
    found = network(images)
    scores: Tensor = found["out"] if isinstance(found, dict) else found
    return scores.float()
