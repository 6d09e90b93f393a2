"""Features of a foundation model (DatasetNeRF's figure S13): a frozen DINOv2 with a linear or a small head on the painted pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dnerf_core.downstream.baselines.frozen import FrozenFeatures, FrozenSegmenter, HeadTraining, train_head
from dnerf_core.downstream.baselines.scoring import TestScores, score
from dnerf_core.downstream.baselines.vision_transformer import PATCH_PX, load_transformer

SIZE_PX = 18 * PATCH_PX
"""Side of the pictures that it sees, 252: 324 patches."""
SMALL_HEAD_CHANNELS = 64


@dataclass(frozen=True)
class FoundationConfig:
    """Which features.

    Attributes:
        weights: DINOv2 in timm's layout.
        training: of the head, whose `hidden` tells whether it is linear (None) or small (`SMALL_HEAD_CHANNELS`).
        device: "cpu" or "cuda".
    """

    weights: Path
    training: HeadTraining = field(default_factory=lambda: HeadTraining(size_px=SIZE_PX))
    device: str = "cpu"


def run(
    painted: Path, test: Path, config: FoundationConfig, advance: Callable[[], None] = lambda: None
) -> tuple[FrozenSegmenter, TestScores]:
    """Train on a folder of `sample` with painted masks, and score on a test set.

    Args:
        advance: called after each picture that the network has seen.

    Raises:
        DNeRFError: weights or folders that cannot be used.
    """
    segmenter = train_head(painted, foundation(config), config.training, advance)
    return segmenter, score(segmenter, test, advance)


def foundation(config: FoundationConfig) -> FrozenFeatures:
    """The network of a file, frozen.

    Raises:
        CheckpointError: a file of another network, or one that cannot be used.
    """
    network = load_transformer(config.weights).to(config.device)
    name = f"DINOv2 of {network.config.depth} blocks"
    return FrozenFeatures(name, network, (network.config.width,), lambda images: [network(images)], PATCH_PX)
