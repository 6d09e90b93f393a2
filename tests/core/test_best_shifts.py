"""By which shift one picture comes nearest to another, against trying all up to half a side."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dnerf_core.inversion.search import best_shifts

SIDE, REACH = 9, 4


def tried(picture: Tensor, behind: Tensor, aim: Tensor, counts: Tensor) -> dict[tuple[int, int], float]:
    """Mean squared differences of a picture [C, R, R], surrounded by what is behind [C], by shift."""
    wide = behind[:, None, None].repeat(1, 3 * SIDE, 3 * SIDE)
    wide[:, SIDE : 2 * SIDE, SIDE : 2 * SIDE] = picture
    around = behind[:, None, None].repeat(1, 3 * SIDE, 3 * SIDE)
    around[:, SIDE : 2 * SIDE, SIDE : 2 * SIDE] = aim
    weights = counts.mean().repeat(1, 3 * SIDE, 3 * SIDE)
    weights[:, SIDE : 2 * SIDE, SIDE : 2 * SIDE] = counts
    losses = {}
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            shown = wide.roll((down, right), (1, 2))
            losses[right, down] = float((weights * (shown - around).square()).sum() / (counts.sum() * len(aim)))
    return losses


@pytest.mark.parametrize("some_ignored", [False, True])
def test_it_is_the_best_of_all_shifts(some_ignored: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    pictures, aim = torch.rand(5, 2, SIDE, SIDE, generator=generator), torch.rand(1, 2, SIDE, SIDE, generator=generator)
    behind = torch.rand(5, 2, generator=generator)
    pictures[0] = behind[0, :, None, None]
    pictures[0, :, 2:5, 1:4] = torch.rand(2, 3, 3, generator=generator)
    aim[0] = behind[0, :, None, None]
    aim[0, :, 4:7, 0:3] = pictures[0, :, 2:5, 1:4]
    counts = torch.ones(1, 1, SIDE, SIDE)
    if some_ignored:
        counts = torch.rand(1, 1, SIDE, SIDE, generator=generator)
        counts[..., :4] = 0
    left, shifts = best_shifts(pictures, behind, aim, counts)
    for picture, back, loss, shift in zip(pictures, behind, left.tolist(), shifts.tolist(), strict=True):
        losses = tried(picture, back, aim[0], counts[0])
        assert loss == pytest.approx(min(losses.values()), abs=1e-5)
        assert losses[round(shift[0]), round(shift[1])] == pytest.approx(loss, abs=1e-5)
    if not some_ignored:
        assert shifts[0].round().tolist() == [-1.0, 2.0]


def test_shifts_are_found_to_a_part_of_a_pixel() -> None:
    at = torch.arange(16.0)

    def blob(x: float, y: float) -> Tensor:
        return (-((at[:, None] - y).square() + (at - x).square()) / 6).exp()[None, None]

    _, shift = best_shifts(blob(6.0, 7.0), torch.zeros(1, 1), blob(9.3, 5.4), torch.ones(1, 1, 16, 16))
    torch.testing.assert_close(shift, torch.tensor([[3.3, -1.6]]), atol=0.05, rtol=0)


def test_scipy_finds_the_same_match() -> None:
    """Before nothing, with all pixels counting alike, the best shift is where SciPy's correlation of the two is highest."""
    signal = pytest.importorskip("scipy.signal")
    generator = torch.Generator().manual_seed(5)
    picture, aim = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    shape = torch.rand(6, 5, generator=generator)
    picture[0, 0, 2:8, 3:8], aim[0, 0, 7:13, 6:11] = shape, shape + 0.1 * torch.rand(6, 5, generator=generator)
    match = signal.correlate(aim[0, 0].numpy(), picture[0, 0].numpy(), mode="full", method="direct")
    row, column = divmod(int(match.argmax()), match.shape[1])
    _, shift = best_shifts(picture, torch.zeros(1, 1), aim, torch.ones(1, 1, 16, 16))
    assert shift[0].round().tolist() == [column - 15, row - 15] == [3.0, 5.0]
