"""The perceptual loss: how far apart two images are to a network that was trained to recognise things.

Zhang et al. 2018 (arXiv 1801.03924), equation 1, with all channel weights 1: LPIPS without what it learned from people's judgements.
The paper's edits use such a loss (DatasetNeRF, section 5.4, L_vgg).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.checkpoints.vgg16 import STAGES, read_vgg16
from dnerf_core.errors import UsageError
from dnerf_core.shapes import check_shapes

MIN_SIZE_PX = 16
"""A smaller image has no pixel left where the last stage begins."""

_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's images in [0, 1], per channel: what the network's inputs are normalised by."""

_EPSILON = 1e-10
"""Added under the root of a feature's squared length; a feature of zeros stays zeros, with a gradient of zeros."""


@dataclass(frozen=True, eq=False)
class Features:
    """What the network sees in an image.

    Attributes:
        layers: of unit length over the channels, float32 [B, C, h, w], after each stage's last convolution.
        region: [B, 1, H, W] as it was given.
    """

    layers: tuple[Tensor, ...]
    region: Tensor | None


class PerceptualLoss:
    """VGG16 up to relu5_3, frozen, and the distance of what it sees in two images.

    Args:
        weights: by torchvision's names, see `dnerf_core.checkpoints.vgg16.read_vgg16`.
        device: where it computes.
        dtype: of the convolutions; the rest is float32, or float64 if they are. Not bfloat16 unless asked for: its gradient's
            direction is off, and it is hardly twice as fast (docs/performance.md).
    """

    def __init__(self, weights: Mapping[str, np.ndarray], device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = device, dtype
        self._stages = [[self._convolution(weights, place) for place, _, _ in stage] for stage in STAGES]
        self._wide = torch.promote_types(self.dtype, torch.float32)
        mean, spread = (torch.tensor(values, device=device, dtype=self._wide).reshape(1, 3, 1, 1) for values in (_MEAN, _SPREAD))
        # (x + 1) / 2 takes [-1, 1] to [0, 1]
        self._scale, self._shift = 0.5 / spread, (0.5 - mean) / spread

    @classmethod
    def load(cls, path: str | Path, device: torch.device) -> PerceptualLoss:
        """With the weights in a file.

        Raises:
            CheckpointError: they cannot be used, see `dnerf_core.checkpoints.vgg16.read_vgg16`.
        """
        return cls(read_vgg16(Path(path)), device)

    def features(self, image: Tensor, region: Tensor | None = None) -> Features:
        """What the network sees in an image; differentiable in it.

        Args:
            image: [B, 3, H, W], RGB in [-1, 1], at least 16 px a side.
            region: [B or 1, 1, H, W] in {0, 1}, where the image counts: the rest becomes mid gray, as in the paper's product of
                image and region. None: everywhere.

        Raises:
            UsageError: an image or region of another shape, or a smaller image.
        """
        self._check(image, region)
        shown = image.to(self._wide) if region is None else image.to(self._wide) * region
        x = (shown * self._scale + self._shift).to(self.dtype, memory_format=torch.channels_last)
        layers = []
        for index, stage in enumerate(self._stages):
            x = F.max_pool2d(x, 2) if index else x
            for weight, bias in stage:
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
            wide = x.to(self._wide)
            layers.append(wide * torch.rsqrt(wide.square().sum(dim=1, keepdim=True) + _EPSILON))
        return Features(tuple(layers), region)

    def __call__(self, image: Tensor, target: Features) -> Tensor:
        """The distance of each image from its target, float32 [B]: 0 where they are the same.

        d = sum over layers of the mean over positions of |f - g|^2, where f and g are features of unit length. With a region, the
        target's, the mean is weighted by the share of the region in each position; an empty region gives 0. Each layer
        brings at most 2, as features are not negative.

        Args:
            image: [B, 3, H, W], RGB in [-1, 1].
            target: of [B or 1] images of that size.
        """
        region = target.region
        seen = self.features(image, region).layers
        total = image.new_zeros(image.shape[0], dtype=self._wide)
        for layer, goal in zip(seen, target.layers, strict=True):
            if layer.shape[2:] != goal.shape[2:] or goal.shape[0] not in (1, layer.shape[0]):
                raise UsageError(
                    f"image: expected the target's size, found features {list(layer.shape)} against {list(goal.shape)}; "
                    "make both of images of one size"
                )
            apart = (layer - goal).square().sum(dim=1)
            if region is None:
                total = total + apart.mean(dim=(1, 2))
                continue
            weight = F.adaptive_avg_pool2d(region.to(self._wide), (layer.shape[2], layer.shape[3]))[:, 0]
            covered = weight.sum(dim=(1, 2)).clamp_min(torch.finfo(self._wide).tiny)
            total = total + (weight * apart).sum(dim=(1, 2)) / covered
        return total

    def _convolution(self, weights: Mapping[str, np.ndarray], place: int) -> tuple[Tensor, Tensor]:
        weight, bias = (torch.from_numpy(weights[f"features.{place}.{kind}"]) for kind in ("weight", "bias"))
        return (
            weight.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last),
            bias.to(self.device, self.dtype),
        )

    def _check(self, image: Tensor, region: Tensor | None) -> None:
        check_shapes(image=(image, "B 3 H W", "pass RGB images"), region=(region, "B|1 1 H W", "make it of the image's size"))
        if min(image.shape[2:]) < MIN_SIZE_PX:
            raise UsageError(f"image: expected at least {MIN_SIZE_PX} px a side, found {list(image.shape)}; pass larger images")
