"""Sums over runs of rows that belong together: what compositing a ragged set of samples comes to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def segment_sum(values: Tensor, weights: Tensor, segment: Tensor, count: int) -> Tensor:
    """Weighted sums [count, C] of values [K, C] and weights [K] over runs of the same segment.

    Each run is summed by one thread in its own order, so the result is the same on every run and for any number of threads.

    Args:
        segment: int64 [K], not decreasing, each in 0 .. count - 1; a segment without values sums to 0.
    """
    starts = F.pad(torch.bincount(segment, minlength=count).cumsum(0)[:-1], (1, 0))
    every = torch.arange(len(segment), device=segment.device)
    return F.embedding_bag(every, values, starts, per_sample_weights=weights, mode="sum")
