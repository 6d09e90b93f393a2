"""What a piece of work costs in operations, which unlike its time is the same on every machine and every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


@dataclass
class Operations:
    """Counts of one kind of work each.

    Attributes:
        texels: rows gathered from tables of the given width by weighted sums (`embedding_bag`): a plane's read is 4 of them.
        rows: rows that went through a linear layer, by (width in, width out).
        convolved: multiplications and additions of convolutions.
        sampled: values that `grid_sample` made, channels counted apart.
    """

    texels: Counter[int] = field(default_factory=Counter)
    rows: Counter[tuple[int, int]] = field(default_factory=Counter)
    convolved: int = 0
    sampled: int = 0


class _Counting(TorchDispatchMode):
    def __init__(self, counts: Operations) -> None:
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.__name__.split(".")[0]
        if name in ("_embedding_bag", "_embedding_bag_forward_only"):
            self.counts.texels[args[0].shape[1]] += args[1].numel()
        elif name in ("mm", "addmm", "mv", "addmv"):
            left, right = args[-2:]
            self.counts.rows[right.shape[0], right.shape[1] if right.dim() == 2 else 1] += left.shape[0]
        elif name in ("convolution", "_convolution_pointwise"):
            picture, weight = args[:2]
            transposed = name == "convolution" and args[6]
            places = picture.shape[-1] * picture.shape[-2] if transposed else out.shape[-1] * out.shape[-2]
            self.counts.convolved += 2 * picture.shape[0] * weight.numel() * places
        elif name in ("grid_sampler_2d", "grid_sampler_3d"):
            self.counts.sampled += out.numel()
        return out


def count_operations(work: Callable[[], object]) -> Operations:
    """Run `work` and say what it cost."""
    counts = Operations()
    with _Counting(counts):
        work()
    return counts
