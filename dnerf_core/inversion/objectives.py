"""What a descent makes small: the distance of a view to a picture, or of its class scores to a mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.inversion.view import SeenView
from dnerf_core.labels import IGNORE_ID

Perceptual = Callable[[Tensor], Tensor]
"""Images [B, 3, S, S] in about [-1, 1] -> their distances [B] to the picture aimed at."""


class Objective(Protocol):
    """A distance of views to what is aimed at."""

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        """Losses [B]; `full`: at full size, through the super-resolutions."""
        ...


@dataclass(frozen=True, eq=False)
class PictureObjective:
    """Mean squared error of the image in [-1, 1] (paper section 5.4), plus a perceptual distance.

    Attributes:
        target: [3, S, S] in [-1, 1], S the generator's image size.
        perceptual: at full size only; None: none.
        perceptual_weight: its weight.
    """

    target: Tensor
    perceptual: Perceptual | None = None
    perceptual_weight: float = 0.0
    _at_side: dict[int, Tensor] = field(default_factory=dict)

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        """See `Objective`."""
        image = seen.image() if full else seen.raw_image
        loss = (image - self._target(image.shape[-1])).square().mean(dim=(1, 2, 3))
        if full and self.perceptual is not None:
            loss = loss + self.perceptual_weight * self.perceptual(image)
        return loss

    def _target(self, side_px: int) -> Tensor:
        """The target's area means at a side."""
        if side_px not in self._at_side:
            self._at_side[side_px] = F.interpolate(self.target[None], size=(side_px, side_px), mode="area")
        return self._at_side[side_px]


@dataclass(frozen=True, eq=False)
class MaskObjective:
    """Cross-entropy of the class scores (paper section 5.4), weighted by class; pixels of `IGNORE_ID` do not count.

    At a coarse side a pixel's target is the share of each class in it.

    Attributes:
        mask: int64 [S, S] of class ids, S the generator's image size.
        weights: [C], of each class.
        pixels: [S, S], weight of each pixel; None: all alike.
    """

    mask: Tensor
    weights: Tensor
    pixels: Tensor | None = None
    _at_side: dict[int, Tensor] = field(default_factory=dict)

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        """See `Objective`."""
        return self.loss_from_scores(seen.scores() if full else seen.maps().scores)

    def loss_from_scores(self, scores: Tensor) -> Tensor:
        """Losses [B] of class scores [B, C, R, R]."""
        share = self._target(scores.shape[-1])
        return -(scores.log_softmax(dim=1) * share).sum(dim=(1, 2, 3)) / share.sum()

    def _target(self, side_px: int) -> Tensor:
        """Weighted shares [1, C, R, R] of the classes."""
        if side_px not in self._at_side:
            counted = (self.mask != IGNORE_ID).float() if self.pixels is None else (self.mask != IGNORE_ID) * self.pixels
            ids = torch.where(self.mask != IGNORE_ID, self.mask, 0)
            share = F.one_hot(ids, len(self.weights)).permute(2, 0, 1) * counted
            share = F.interpolate(share[None], size=(side_px, side_px), mode="area")
            self._at_side[side_px] = share * self.weights[None, :, None, None]
        return self._at_side[side_px]
