"""What a descent makes small, worked out by hand on views that are made up."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.inversion.objectives import MaskObjective, PictureObjective
from dnerf_core.labels import IGNORE_ID
from tests.core.inversion_cases import MadeUpView


def made_up(coarse: int = 2, full: int = 4, classes: int = 3, views: int = 2) -> MadeUpView:
    rng = torch.Generator().manual_seed(0)
    shapes = [(views, 3, coarse, coarse), (views, 3, full, full), (views, classes, coarse, coarse), (views, classes, full, full)]
    return MadeUpView(*(torch.randn(shape, generator=rng) for shape in shapes))


def test_a_picture_is_compared_at_the_views_side() -> None:
    """At half its side by the means of its 2 x 2 pixels."""
    target = torch.arange(48, dtype=torch.float32).reshape(3, 4, 4) / 48
    seen = made_up()
    objective = PictureObjective(target)
    for _ in range(2):  # the second time from what was kept
        full = ((seen.full_image - target) ** 2).sum(dim=(1, 2, 3)) / 48
        torch.testing.assert_close(objective.loss(seen, full=True), full)  # type: ignore[arg-type]
        means = (target[:, ::2, ::2] + target[:, 1::2, ::2] + target[:, ::2, 1::2] + target[:, 1::2, 1::2]) / 4
        coarse = ((seen.raw_image - means) ** 2).sum(dim=(1, 2, 3)) / 12
        torch.testing.assert_close(objective.loss(seen, full=False), coarse)  # type: ignore[arg-type]


def test_the_perceptual_distance_counts_at_full_size_only() -> None:
    seen, target = made_up(), torch.zeros(3, 4, 4)
    shown = []

    def distance(image: Tensor) -> Tensor:
        shown.append(image)
        return torch.tensor([1.0, 3.0])

    plain, both = PictureObjective(target), PictureObjective(target, distance, 0.5)
    assert torch.equal(both.loss(seen, full=False), plain.loss(seen, full=False)) and not shown  # type: ignore[arg-type]
    torch.testing.assert_close(
        both.loss(seen, full=True),  # type: ignore[arg-type]
        plain.loss(seen, full=True) + torch.tensor([0.5, 1.5]),  # type: ignore[arg-type]
    )
    assert shown[0] is seen.full_image


MASK = torch.tensor([[0, 0, 1, 1], [0, 1, 1, IGNORE_ID], [2, 2, IGNORE_ID, IGNORE_ID], [2, 2, IGNORE_ID, IGNORE_ID]])


def test_a_mask_at_its_own_size_is_torchs_weighted_cross_entropy() -> None:
    scores, weights = made_up().full_scores, torch.tensor([1.0, 2.0, 0.5])
    found = MaskObjective(MASK, weights).loss_from_scores(scores)
    for view in (0, 1):
        expected = F.cross_entropy(scores[view][None], MASK[None], weight=weights, ignore_index=IGNORE_ID)
        torch.testing.assert_close(found[view], expected)
    assert not torch.allclose(found, MaskObjective(MASK, torch.ones(3)).loss_from_scores(scores), atol=1e-2)


def test_a_mask_at_half_its_size_by_hand() -> None:
    """Shares of each 2 x 2 block: (3/4, 1/4, 0), (0, 3/4, 0) with a pixel ignored, (0, 0, 1), and nothing."""
    weights = torch.tensor([1.0, 2.0, 0.5])
    scores = torch.zeros(1, 3, 2, 2)
    scores[0, 1, 0, 0] = math.log(2.0)  # class probabilities 1/4, 1/2, 1/4 there; 1/3 each elsewhere
    first = 1 * 0.75 * math.log(4) + 2 * 0.25 * math.log(2)
    second, third = 2 * 0.75 * math.log(3), 0.5 * 1 * math.log(3)
    expected = (first + second + third) / (0.75 + 0.5 + 1.5 + 0.5)
    assert MaskObjective(MASK, weights).loss_from_scores(scores).item() == pytest.approx(expected, rel=1e-6)
    scores[0, :, 1, 1] = torch.tensor([50.0, 0.0, -50.0])  # where the mask says nothing
    assert MaskObjective(MASK, weights).loss_from_scores(scores).item() == pytest.approx(expected, rel=1e-6)


def test_pixels_count_by_their_weight() -> None:
    """One pixel of class 1 counts three times, those of class 2 not at all."""
    pixels = torch.ones(4, 4)
    pixels[0, 2], pixels[2:] = 3.0, 0.0
    scores = made_up(views=1).full_scores
    each = F.cross_entropy(scores, MASK[None], reduction="none", ignore_index=IGNORE_ID)[0]
    counted = pixels * (MASK != IGNORE_ID)
    found = MaskObjective(MASK, torch.ones(3), pixels).loss_from_scores(scores)
    assert counted.sum() == 3 + 6
    torch.testing.assert_close(found[0], (each * counted).sum() / 9)


def test_a_mask_is_compared_at_the_views_side() -> None:
    seen = made_up()
    objective = MaskObjective(MASK, torch.ones(3))
    assert torch.equal(objective.loss(seen, full=True), objective.loss_from_scores(seen.full_scores))  # type: ignore[arg-type]
    assert torch.equal(objective.loss(seen, full=False), objective.loss_from_scores(seen.raw_scores))  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [3, 5])
def test_a_side_that_does_not_divide_the_mask(side: int) -> None:
    """The weight of a class's shares stays about its share of the mask."""
    whole = torch.zeros(8, 8, dtype=torch.int64)
    whole[:, 4:] = 1
    scores = torch.zeros(1, 2, side, side)
    scores[:, 0] = 1.0
    by_class = F.cross_entropy(torch.tensor([[1.0, 0.0]] * 2), torch.tensor([0, 1]))
    found = MaskObjective(whole, torch.ones(2)).loss_from_scores(scores)
    assert found.item() == pytest.approx(by_class.item(), rel=0.01)
