"""A frozen network and a head trained on painted pictures: what transfer learning and foundation features have in common.

The network sees each changed picture once. Its features are kept, and the head learns from them, so that hundreds of steps cost little more
than the one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dnerf_core.downstream.baselines.heads import FeatureHead
from dnerf_core.downstream.images.augment import Augmentation, Augmenter
from dnerf_core.downstream.images.mirror_images import with_mirror_image
from dnerf_core.downstream.images.sets.folders import PaintedSet
from dnerf_core.downstream.images.sets.joined import JoinedSets, Place
from dnerf_core.downstream.images.sides import mirrored_ids
from dnerf_core.downstream.images.stream import ChangedViews, drawn_number
from dnerf_core.downstream.images.training import WEIGHT_DECAY, SegmenterTraining, learning_rate_at
from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID, LabelSet
from dnerf_core.shapes import check_shapes


@dataclass(frozen=True, eq=False)
class FrozenFeatures:
    """A frozen network as what it makes of pictures.

    Attributes:
        name: for tables.
        network: in evaluation mode.
        channels: of each stride's features.
        read: pictures float32 [B, 3, H, W], RGB from 0 to 255, to features [B, c, h, w] of each stride.
        multiple_px: what sides of pictures must be multiples of.
    """

    name: str
    network: nn.Module
    channels: tuple[int, ...]
    read: Callable[[Tensor], list[Tensor]]
    multiple_px: int = 1


@dataclass(frozen=True)
class HeadTraining:
    """How a head is trained.

    Attributes:
        size_px: side of the squares that the network sees; smaller pictures are enlarged to it.
        inputs: changed pictures whose features are kept, at least one a view.
        hidden: see `FeatureHead`.
        scale: see `Augmentation`.
        flip: whether every second picture is mirrored.
        seed: of first weights, of the changes and of the order.
    """

    size_px: int = 256
    inputs: int = 360
    steps: int = 600
    batch: int = 16
    learning_rate: float = 2e-2
    hidden: int | None = None
    scale: float = 1.5
    flip: bool = True
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FrozenSegmenter:
    """A frozen network with a trained head; it labels as `dnerf_core.downstream.images.segmenter.Segmenter` does.

    Attributes:
        losses: of each step of the head's training.
        mirrored: as in `Segmenter`.
    """

    features: FrozenFeatures
    head: FeatureHead
    labels: LabelSet
    size_px: int
    losses: tuple[float, ...] = ()
    mirrored: bool = False

    @torch.inference_mode()
    def predict(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The labels uint8 [H, W] of a picture uint8 [H, W, 3], RGB, and the probability of each, float32 [H, W].

        Raises:
            UsageError: a picture of another shape or type.
        """
        check_shapes(UsageError, image=(image, "uint8 H W 3"))
        device = next(self.head.parameters()).device
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float().to(device)
        height, width = image.shape[:2]
        step, factor = self.features.multiple_px, self.size_px / max(height, width)
        size = [max(1, round(side * factor / step)) * step for side in (height, width)]
        if size != [height, width]:
            pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)
        probabilities = self._probabilities(pixels, (height, width))
        if self.mirrored:
            probabilities = with_mirror_image(probabilities, self._probabilities(pixels.flip(3), (height, width)), self.labels)
        confidence, labels = probabilities[0].max(dim=0)
        return labels.to(torch.uint8).cpu().numpy(), confidence.cpu().numpy()

    def _probabilities(self, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        return self.head(self.features.read(pixels), size).softmax(dim=1)


def train_head(
    painted: Path, features: FrozenFeatures, training: HeadTraining, advance: Callable[[], None] = lambda: None
) -> FrozenSegmenter:
    """Train a head on the painted pictures of a folder of `sample`; on one thread equal arguments give equal heads.

    Args:
        advance: called after each changed picture that the network has seen.

    Raises:
        DNeRFError: the folder cannot be used, or a size that the network does not take.
    """
    if training.size_px % features.multiple_px or training.size_px < features.multiple_px:
        raise UsageError(
            f"size {training.size_px} px: {features.name} expected a multiple of {features.multiple_px}; use another size"
        )
    joined = JoinedSets([PaintedSet(painted, skip_unpainted=True)])
    places = [Place(0, view) for view in range(len(joined.sets[0].views))]
    ids = mirrored_ids(joined.labels) if training.flip else np.arange(256, dtype=np.uint8)
    augmenter = Augmenter(Augmentation(training.size_px, training.scale, training.flip), ids)
    views = ChangedViews(joined, places, augmenter, training.seed)
    kept, truth = _kept_features(views, max(len(places), training.inputs), features, advance)
    device = next(features.network.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(drawn_number(training.seed, "head"))
        head = FeatureHead(features.channels, joined.labels.num_classes, training.hidden)
    head.measure(kept)
    losses = _train(head.to(device), kept, truth, training)
    return FrozenSegmenter(features, head.eval().requires_grad_(False), joined.labels, training.size_px, losses)


@torch.no_grad()
def _kept_features(
    views: ChangedViews, count: int, features: FrozenFeatures, advance: Callable[[], None]
) -> tuple[list[Tensor], Tensor]:
    """Features [N, c, h, w] of each stride on the CPU, as float16 since they are many, and truths uint8 [N, S, S]."""
    device = next(features.network.parameters()).device
    stages: list[Tensor] = []
    truths: list[Any] = []
    for number in range(count):
        image, truth = views[number]
        found = [stage.half().cpu() for stage in features.read(image[None].float().to(device))]
        if not stages:
            stages = [stage.new_empty(count, *stage.shape[1:]) for stage in found]
        for stage, one in zip(stages, found, strict=True):
            stage[number] = one[0]
        truths.append(truth)
        advance()
    return stages, torch.stack(truths)


def _train(head: FeatureHead, kept: list[Tensor], truth: Tensor, training: HeadTraining) -> tuple[float, ...]:
    """AdamW on the cross-entropy, as segmenters are trained."""
    schedule = SegmenterTraining(training.steps, training.batch, training.learning_rate)
    optimizer = torch.optim.AdamW(head.parameters(), lr=training.learning_rate, weight_decay=WEIGHT_DECAY)
    rng = torch.Generator().manual_seed(drawn_number(training.seed, "order"))
    device = next(head.parameters()).device
    losses = []
    for step in range(training.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(schedule, step)
        chosen = torch.randint(len(truth), (training.batch,), generator=rng)
        scores = head([stage[chosen].to(device) for stage in kept], tuple(truth.shape[-2:]))
        masks = truth[chosen].to(device).long()
        counted = (masks != IGNORE_ID).sum().clamp_min(1)
        loss = F.cross_entropy(scores, masks, ignore_index=IGNORE_ID, reduction="sum") / counted
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return tuple(losses)
