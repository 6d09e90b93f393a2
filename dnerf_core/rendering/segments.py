"""Sums over runs of rows that belong together: what compositing a ragged set of samples comes to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def run_starts(segment: Tensor, count: int) -> Tensor:
    """Where each segment's run starts, int64 [count + 1]; the last entry is K, so that run i is entries [i] to [i + 1].

    Args:
        segment: int64 [K], not decreasing, each in 0 .. count - 1.
    """
    if segment.is_cuda:  # bincount would wait for the device twice, to look at the least and the greatest
        return searched_starts(segment, count)
    return F.pad(torch.bincount(segment, minlength=count).cumsum(0), (1, 0))


def searched_starts(segment: Tensor, count: int) -> Tensor:
    """`run_starts` of a CUDA device, without a wait."""
    return torch.searchsorted(segment, torch.arange(count + 1, device=segment.device))


def segment_sum(values: Tensor, weights: Tensor, segment: Tensor, count: int) -> Tensor:
    """Weighted sums [count, C] of values [K, C] and weights [K] over runs of the same segment.

    Each run is summed by one thread in its own order, so the result is the same on every run and for any number of threads.

    Args:
        segment: int64 [K], not decreasing, each in 0 .. count - 1; a segment without values sums to 0.
    """
    every = torch.arange(len(segment), device=segment.device)
    return F.embedding_bag(every, values, run_starts(segment, count)[:-1], per_sample_weights=weights, mode="sum")


def segment_total(weights: Tensor, segment: Tensor, count: int) -> Tensor:
    """Sums [count] of weights [K] over runs of the same segment (as `segment_sum`), each in its own order."""
    if weights.is_cuda:  # index_add_ adds by atomics there, in an order that changes from run to run
        return summed_total(weights, segment, count)
    return weights.new_zeros(count).index_add_(0, segment, weights)


def summed_total(weights: Tensor, segment: Tensor, count: int) -> Tensor:
    """`segment_total` of a CUDA device, the same on every run."""
    return segment_sum(torch.ones_like(weights)[:, None], weights, segment, count)[:, 0]
