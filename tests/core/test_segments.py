"""Sums over runs of rows that belong together."""

from __future__ import annotations

import torch

from dnerf_core.rendering.segments import run_starts, segment_sum, segment_total

SEGMENT = torch.tensor([1, 1, 1, 3, 4])
WEIGHTS = torch.tensor([0.5, 0.25, 1.0, 2.0, 3.0])
VALUES = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0], [5.0, 50.0]])


def test_sums_by_hand() -> None:
    assert run_starts(SEGMENT, 6).tolist() == [0, 0, 3, 3, 4, 5, 5]
    one = 0.5 * 1 + 0.25 * 2 + 1.0 * 3
    assert segment_sum(VALUES, WEIGHTS, SEGMENT, 6).tolist() == [[0, 0], [one, 10 * one], [0, 0], [8, 80], [15, 150], [0, 0]]
    assert segment_total(WEIGHTS, SEGMENT, 6).tolist() == [0, 1.75, 0, 2, 3, 0]


def test_nothing_sums_to_zero() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert run_starts(none, 2).tolist() == [0, 0, 0]
    assert segment_sum(torch.zeros(0, 3), torch.zeros(0), none, 2).tolist() == [[0, 0, 0]] * 2
    assert segment_total(torch.zeros(0), none, 2).tolist() == [0, 0]


def test_the_ways_of_a_cuda_device_agree() -> None:
    # what `run_starts` and `segment_total` do there, on this device
    assert torch.equal(torch.searchsorted(SEGMENT, torch.arange(7)), run_starts(SEGMENT, 6))
    ones = torch.ones(5, 1)
    assert torch.equal(segment_sum(ones, WEIGHTS, SEGMENT, 6)[:, 0], segment_total(WEIGHTS, SEGMENT, 6))
