"""A segmenter of under a million parameters in the manner of DeepLabV3+ (Chen et al. 2018, arXiv 1802.02611), for two cores.

A stem and three stages of basic residual blocks (He et al. 2016, arXiv 1512.03385) at strides 2, 4 and 8, atrous spatial pyramid pooling at
stride 8, and a decoder that takes the features of strides 4 and 2 back in. The paper's decoder takes stride 4 alone: thin parts of small
pictures need the finer one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (24, 48, 96)
"""Channels at strides 2, 4 and 8."""
ATROUS_RATES = (2, 4, 8)
_BRANCH, _DEEP, _FINE = 48, 48, 24
"""Channels of each branch of the pyramid, and of the decoder at strides 4 and 2."""
_SKIPS = (24, 12)
"""Channels that skips of strides 4 and 2 are brought to."""


class MiniDeepLab(nn.Module):
    """The network: normalised images [B, 3, H, W] to class scores [B, C, H, W]; H and W are any from 1 up.

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        fine, middle, deep = WIDTHS
        self.stem = _convolution(3, fine, stride=2)
        self.fine = _Block(fine, fine)
        self.middle = nn.Sequential(_Block(fine, middle, stride=2), _Block(middle, middle))
        self.deep = nn.Sequential(_Block(middle, deep, stride=2), _Block(deep, deep, dilation=2))
        self.pyramid = _Pyramid(deep, _BRANCH)
        self.skip_middle = _convolution(middle, _SKIPS[0], kernel=1)
        self.skip_fine = _convolution(fine, _SKIPS[1], kernel=1)
        self.join_middle = _convolution(deep + _SKIPS[0], _DEEP)
        self.join_fine = _convolution(_DEEP + _SKIPS[1], _FINE)
        self.classifier = nn.Conv2d(_FINE, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.fine(self.stem(images))
        middle = self.middle(fine)
        x = self.pyramid(self.deep(middle))
        x = self.join_middle(_joined([_resized(x, middle), self.skip_middle(middle)]))
        x = self.join_fine(_joined([_resized(x, fine), self.skip_fine(fine)]))
        return enlarged_scores(self.classifier(x), images.shape[-2], images.shape[-1])


class _Block(nn.Module):
    """Two 3 x 3 convolutions with a way round them."""

    def __init__(self, before: int, after: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = _convolution(before, after, stride=stride, dilation=dilation)
        self.second = _convolution(after, after, dilation=dilation, activation=False)
        same = stride == 1 and before == after
        self.around = nn.Identity() if same else _convolution(before, after, kernel=1, stride=stride, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.around(x))


class _Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: what is near, farther and all over the picture, brought together."""

    def __init__(self, width: int, branch: int) -> None:
        super().__init__()
        self.near = _convolution(width, branch, kernel=1)
        self.atrous = nn.ModuleList(_convolution(width, branch, dilation=rate) for rate in ATROUS_RATES)
        self.overall = nn.Conv2d(width, branch, 1)  # of one value a picture, which batches of one could not normalise
        self.project = _convolution(branch * (2 + len(ATROUS_RATES)), width, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        overall = F.relu(self.overall(x.mean(dim=(2, 3), keepdim=True))).expand(-1, -1, *x.shape[-2:])
        projected: Tensor = self.project(_joined([self.near(x), *(branch(x) for branch in self.atrous), overall]))
        return projected


def _convolution(
    before: int, after: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1, activation: bool = True
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    parts: list[nn.Module] = [
        nn.Conv2d(before, after, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(after),
    ]
    return nn.Sequential(*parts, *([nn.ReLU(inplace=True)] if activation else []))


def _joined(features: list[Tensor]) -> Tensor:
    """Channels of all of them. A part of the joined gradient has gaps between its pixels, of which the layers before take a slow way, in
    upsampling four times as slow: it is copied first."""
    for x in features:
        if x.requires_grad:
            x.register_hook(_channels_last)
    return torch.cat(features, dim=1)


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def enlarged_scores(scores: Tensor, height: int, width: int) -> Tensor:
    """Scores [B, C, h, w] brought to a picture's size (bilinear), float32.

    Along each side that is one small matrix: two products take half the time of `interpolate` and its gradient, which sum in float32 by
    single numbers.
    """
    rows, columns = (_enlarging(scores.shape[side], size, scores) for side, size in ((-2, height), (-1, width)))
    with torch.autocast(scores.device.type, enabled=False):
        return rows.t() @ (scores.float().contiguous() @ columns)


def _enlarging(before: int, after: int, like: Tensor) -> Tensor:
    """What `interpolate` multiplies a line of so many values with, float32 [before, after]."""
    unit = torch.eye(before, device=like.device)
    return F.interpolate(unit[None], size=after, mode="linear", align_corners=False)[0]


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
