"""What a descent makes small: the distance of a view to a picture, or of its class scores to a mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.inversion.splats import blurred
from dnerf_core.inversion.view import SeenView
from dnerf_core.labels import IGNORE_ID

Perceptual = Callable[[Tensor], Tensor]
"""Images [B, 3, S, S] in about [-1, 1] -> their distances [B] to the picture aimed at."""


_LEAST_SHARE = 0.02
"""A stand-in's shares of the classes count as at least this: it is never quite right."""


_LEAST_COUNT = 1e-6
"""Pixels that count less are not looked at."""


class Objective(Protocol):
    """A distance of views to what is aimed at."""

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        """Losses [B]; `full`: at full size, through the super-resolutions."""
        ...


class SoughtObjective(Objective, Protocol):
    """One by which subjects are searched for, so that stand-ins are judged by it, too."""

    by_labels: ClassVar[bool]
    """Whether it compares labels."""

    def stand_in_loss(self, looks: Tensor, blur_px: float) -> Tensor:
        """Losses [B] of a stand-in's pictures [B, C, R, R], see `stand_in.StandIn`, that are blurred by so much already."""
        ...

    def sought(self, side_px: int, blur_px: float) -> tuple[Tensor, Tensor]:
        """What is aimed at shows of colours or of classes, [1, C, R, R], and how much each pixel counts, [1, 1, R, R]."""
        ...

    def compared(self, looks: Tensor, behind: Tensor) -> tuple[Tensor, Tensor]:
        """That of a stand-in's pictures [B, C, R, R] and of what is behind its bodies [B, C]."""
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
    by_labels: ClassVar[bool] = False
    _at_side: dict[tuple[int, float], Tensor] = field(default_factory=dict)

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        """See `Objective`."""
        image = seen.image() if full else seen.raw_image
        loss = (image - self._target(image.shape[-1])).square().mean(dim=(1, 2, 3))
        if full and self.perceptual is not None:
            loss = loss + self.perceptual_weight * self.perceptual(image)
        return loss

    def sought(self, side_px: int, blur_px: float) -> tuple[Tensor, Tensor]:
        """See `SoughtObjective`."""
        aim = self._target(side_px, blur_px)
        return aim, torch.ones_like(aim[:, :1])

    def compared(self, looks: Tensor, behind: Tensor) -> tuple[Tensor, Tensor]:
        """See `SoughtObjective`."""
        return looks[:, :3], behind[:, :3]

    def stand_in_loss(self, looks: Tensor, blur_px: float) -> Tensor:
        """See `SoughtObjective`."""
        return (looks[:, :3] - self._target(looks.shape[-1], blur_px)).square().mean(dim=(1, 2, 3))

    def _target(self, side_px: int, blur_px: float = 0.0) -> Tensor:
        """The target's area means at a side, blurred."""
        if (side_px, blur_px) not in self._at_side:
            means = F.interpolate(self.target[None], size=(side_px, side_px), mode="area")
            self._at_side[side_px, blur_px] = blurred(means, blur_px) if blur_px else means
        return self._at_side[side_px, blur_px]


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
    by_labels: ClassVar[bool] = True
    _at_side: dict[tuple[int, float], Tensor] = field(default_factory=dict)

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        """See `Objective`."""
        return self.loss_from_scores(seen.scores() if full else seen.maps().scores)

    def loss_from_scores(self, scores: Tensor) -> Tensor:
        """Losses [B] of class scores [B, C, R, R]."""
        share = self._target(scores.shape[-1])
        return -(scores.log_softmax(dim=1) * share).sum(dim=(1, 2, 3)) / share.sum()

    def sought(self, side_px: int, blur_px: float) -> tuple[Tensor, Tensor]:
        """See `SoughtObjective`."""
        share = self._target(side_px, blur_px)
        counts = share.sum(dim=1, keepdim=True)
        return share / counts.clamp_min(_LEAST_COUNT), counts

    def compared(self, looks: Tensor, behind: Tensor) -> tuple[Tensor, Tensor]:
        """See `SoughtObjective`."""
        return looks[:, 3:], behind[:, 3:]

    def stand_in_loss(self, looks: Tensor, blur_px: float) -> Tensor:
        """See `SoughtObjective`."""
        share = self._target(looks.shape[-1], blur_px)
        return -(looks[:, 3:].clamp_min(_LEAST_SHARE).log() * share).sum(dim=(1, 2, 3)) / share.sum()

    def _target(self, side_px: int, blur_px: float = 0.0) -> Tensor:
        """Weighted shares [1, C, R, R] of the classes, blurred."""
        if (side_px, blur_px) not in self._at_side:
            counted = (self.mask != IGNORE_ID).float() if self.pixels is None else (self.mask != IGNORE_ID) * self.pixels
            ids = torch.where(self.mask != IGNORE_ID, self.mask, 0)
            share = F.one_hot(ids, len(self.weights)).permute(2, 0, 1) * counted
            share = F.interpolate(share[None], size=(side_px, side_px), mode="area")
            share = share * self.weights[None, :, None, None]
            self._at_side[side_px, blur_px] = blurred(share, blur_px) if blur_px else share
        return self._at_side[side_px, blur_px]
