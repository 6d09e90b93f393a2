"""DINOv2's vision transformer (Oquab et al. 2023, arXiv 2304.07193; with registers Darcet et al. 2023, arXiv 2309.16588) in plain torch.

Its tensors have timm's names, so that `vit_small_patch14_dinov2.lvd142m` and its kin load from a .safetensors that the user names: the
small, the base and the large one, each with or without four registers. Nothing is downloaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.backbone.specs import Shape
from dnerf_core.downstream.baselines.published import Published, open_published
from dnerf_core.downstream.images.augment import normalized
from dnerf_core.errors import CheckpointError

PATCH_PX = 14
HEAD_WIDTH = 64
"""Of each attention head, in all sizes."""
MAX_DEPTH, MAX_WIDTH, MAX_GRID, MAX_REGISTERS = 48, 2048, 128, 16
"""What a file may claim; the large one has 24 blocks of 1,024 channels, and a grid of 37."""

_WHAT = "DINOv2's weights in timm's layout (such as vit_small_patch14_dinov2.lvd142m, model.safetensors)"
_REMEDY = "name timm's file of a small, base or large DINOv2 with patches of 14 px"
_EPSILON = 1e-6
_BLOCK = re.compile(r"blocks\.(0|[1-9][0-9]{0,2})\.")


@dataclass(frozen=True)
class TransformerConfig:
    """The sizes of a transformer.

    Attributes:
        width: channels of a token.
        depth: blocks.
        grid: patches a side of the pictures that it was trained on.
        registers: tokens besides those of patches and the class; 0: none.
        class_is_placed: whether the position embedding has a row for the class token, as the plain ones have and those with registers lack.
        mlp_width: hidden channels of a block's two layers.
    """

    width: int
    depth: int
    grid: int
    registers: int
    class_is_placed: bool
    mlp_width: int

    @property
    def heads(self) -> int:
        """Attention heads."""
        return self.width // HEAD_WIDTH


class VisionTransformer(nn.Module):
    """The network: pictures to a token for each patch of 14 x 14 pixels."""

    reg_token: Tensor | None

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.reg_token = nn.Parameter(torch.zeros(1, config.registers, config.width)) if config.registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, config.grid**2 + config.class_is_placed, config.width))
        self.patch_embed = _Patches(config.width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=_EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised patch tokens [B, width, H / 14, W / 14] of pictures [B, 3, H, W], RGB, 0 to 255; 14 divides H and W."""
        height, width = (side // PATCH_PX for side in images.shape[-2:])
        x = self.patch_embed(normalized(images))
        lead = [token.expand(len(x), -1, -1) for token in (self.cls_token, self.reg_token) if token is not None]
        if self.config.class_is_placed:
            x = torch.cat([lead[0], x], dim=1) + self.positions(height, width)
            x = torch.cat([x[:, :1], *lead[1:], x[:, 1:]], dim=1)
        else:
            x = torch.cat([*lead, x + self.positions(height, width)], dim=1)
        for block in self.blocks:
            x = block(x)
        patches = self.norm(x)[:, 1 + self.config.registers :]
        tokens: Tensor = patches.transpose(1, 2).reshape(len(x), -1, height, width)
        return tokens

    def positions(self, height: int, width: int) -> Tensor:
        """The position embedding [1, N, width] of a grid of patches, interpolated where it is another than the trained one."""
        side, own = self.config.grid, self.pos_embed
        if (height, width) == (side, side):
            return own
        lead, places = own[:, : int(self.config.class_is_placed)], own[:, int(self.config.class_is_placed) :]
        square = places.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        resized = F.interpolate(square, size=(height, width), mode="bicubic", antialias=True, align_corners=False)
        return torch.cat([lead, resized.permute(0, 2, 3, 1).reshape(1, height * width, -1)], dim=1)


class _Patches(nn.Module):
    """Pictures to a token [B, N, width] for each patch, rows first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH_PX, stride=PATCH_PX)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.proj(images)
        return tokens.flatten(2).transpose(1, 2)


class _Layers(nn.Module):
    """Two layers with GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class _Attention(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self._heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, count, 3, self._heads, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(seen.transpose(1, 2).reshape(batch, count, width))
        return out


class _LayerScale(nn.Module):
    """What a block adds, each channel times a factor of its own (Touvron et al. 2021, arXiv 2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Block(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.norm1, self.attn, self.ls1 = nn.LayerNorm(width, eps=_EPSILON), _Attention(config), _LayerScale(width)
        self.norm2, self.mlp, self.ls2 = nn.LayerNorm(width, eps=_EPSILON), _Layers(width, config.mlp_width), _LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


def load_transformer(path: Path) -> VisionTransformer:
    """The network of a file, in evaluation mode.

    Raises:
        CheckpointError: a file of another network, or one that cannot be used.
    """
    published = open_published(path, _WHAT, _REMEDY)
    network = _empty(published)
    values = published.values({name: tuple(value.shape) for name, value in network.state_dict().items()})
    network.load_state_dict(values, assign=True)
    return network.eval().requires_grad_(False)


def check_transformer(path: Path) -> None:
    """Refuse a file that is none of `load_transformer`'s, by the names and shapes of its tensors; their values are not read.

    Raises:
        CheckpointError: a file of another network, or one that cannot be used.
    """
    published = open_published(path, _WHAT, _REMEDY)
    published.check({name: tuple(value.shape) for name, value in _empty(published).state_dict().items()})


def _empty(published: Published) -> VisionTransformer:
    """The network of a file, without values."""
    with torch.device("meta"):  # no first weights are drawn
        return VisionTransformer(transformer_config(published))


def transformer_config(published: Published) -> TransformerConfig:
    """The sizes that a file's tensors tell.

    Raises:
        CheckpointError: they are those of another architecture.
    """
    where = f"{published.path}: expected {_WHAT}"
    width, depth = _sides(published, "cls_token", 3)[2], _depth(published.tensors)
    patch = _sides(published, "patch_embed.proj.weight", 4)
    if patch != (width, 3, PATCH_PX, PATCH_PX):
        expected = [width, 3, PATCH_PX, PATCH_PX]
        raise CheckpointError(f"{where}, found patch_embed.proj.weight of {list(patch)}, not {expected}; {_REMEDY}")
    if not 0 < width <= MAX_WIDTH or width % HEAD_WIDTH:
        found = f"tokens of {width} channels, no multiple of {HEAD_WIDTH} up to {MAX_WIDTH}"
        raise CheckpointError(f"{where}, found {found}; {_REMEDY}")
    registers = _sides(published, "reg_token", 3)[1] if "reg_token" in published.tensors else 0
    if not 0 < depth <= MAX_DEPTH or registers > MAX_REGISTERS:
        raise CheckpointError(f"{where}, found {depth} blocks and {registers} registers; {_REMEDY}")
    hidden = _sides(published, "blocks.0.mlp.fc1.weight", 2)[0]
    if _sides(published, "blocks.0.mlp.fc2.weight", 2)[1] != hidden:
        raise CheckpointError(f"{where}, found gated layers, as the giant one has; {_REMEDY}")
    if hidden > 4 * MAX_WIDTH:
        raise CheckpointError(f"{where}, found layers of {hidden} channels; {_REMEDY}")
    count = _sides(published, "pos_embed", 3)[1]
    for class_is_placed in (False, True):
        grid = math.isqrt(max(0, count - class_is_placed))
        if 0 < grid <= MAX_GRID and grid**2 + class_is_placed == count:
            return TransformerConfig(width, depth, grid, registers, class_is_placed, hidden)
    raise CheckpointError(f"{where}, found a position embedding of {count} places, of no square of patches; {_REMEDY}")


def _sides(published: Published, name: str, count: int) -> Shape:
    """The shape of a tensor of so many axes."""
    shape = published.shape(name)
    if len(shape) != count:
        raise CheckpointError(
            f"{published.path}: expected {_WHAT}, found {name} of {list(shape)}, not of {count} axes; {_REMEDY}"
        )
    return shape


def _depth(names: Mapping[str, object]) -> int:
    """Blocks, of which the last is told by the names."""
    return 1 + max((int(match[1]) for name in names if (match := _BLOCK.match(name))), default=-1)
