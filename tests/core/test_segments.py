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


def test_sums_equal_a_loop() -> None:
    """Runs of 0 to 6 rows, empty ones first, last and in between; float64, so that the order of additions does not show."""
    rng = torch.Generator().manual_seed(3)
    sizes = [0, 3, 0, 0, 6, 1, 2, 0]
    segment = torch.tensor([index for index, size in enumerate(sizes) for _ in range(size)])
    values = torch.randn(len(segment), 4, generator=rng, dtype=torch.float64)
    weights = torch.rand(len(segment), generator=rng, dtype=torch.float64)
    expected = [[0.0] * 4 for _ in sizes]
    for row, index in enumerate(segment.tolist()):
        for channel in range(4):
            expected[index][channel] += float(weights[row]) * float(values[row, channel])
    found = segment_sum(values, weights, segment, len(sizes))
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-14)
    totals = [sum(float(w) for w, s in zip(weights, segment, strict=True) if s == index) for index in range(len(sizes))]
    torch.testing.assert_close(
        segment_total(weights, segment, len(sizes)), torch.tensor(totals, dtype=torch.float64), rtol=0, atol=1e-14
    )
    assert run_starts(segment, len(sizes)).tolist() == [0, 0, 3, 3, 3, 9, 10, 12, 12]


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
