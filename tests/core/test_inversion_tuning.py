"""Pivotal tuning by itself; as the last part of an inversion see `test_inversion_invert`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from dnerf_core.backbone.registry import family_of
from dnerf_core.inversion.objectives import PictureObjective
from dnerf_core.inversion.tuning import tune
from dnerf_core.inversion.view import SeenView
from tests.core.inversion_cases import check_untouched, front, seen_of, tiny_model, weights_of

pytestmark = pytest.mark.usefixtures("one_thread")


class Risen:
    """An objective that adds 1000 with every look."""

    def __init__(self, inner: PictureObjective) -> None:
        self.inner, self.looks = inner, 0

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        self.looks += 1
        return self.inner.loss(seen, full=full) + 1000.0 * self.looks


def test_the_weights_of_the_lowest_loss_are_kept() -> None:
    """Of losses that fall the last, of losses that rise the first: the model's own."""
    model = tiny_model(None, samples_coarse=12, samples_fine=12)
    before, camera, ws = weights_of(model), front(model), model.subject(2).ws
    with torch.no_grad():
        objective = PictureObjective(seen_of(model, model.subject(1).ws, camera, 32).image()[0])
    told: list[tuple[int, float]] = []

    def report(step: int, lowest: float, image: Tensor) -> bool:
        assert image.shape == (3, 32, 32) and not image.requires_grad
        told.append((step, lowest))
        return True

    tuned, losses = tune(model, ws, camera, objective, 6, report)
    assert min(losses) < losses[0] and told == [(step + 1, min(losses[: step + 1])) for step in range(6)]
    with torch.no_grad():
        seen = seen_of(model.with_generator_tensors(tuned), ws, camera, 32)
        assert float(objective.loss(seen, full=True)) == pytest.approx(min(losses), rel=1e-4)
    risen: Any = Risen(objective)
    kept, losses = tune(model, ws, camera, risen, 4, report)
    assert losses == sorted(losses)
    assert all(torch.equal(before[f"generator.{name}"], tensor) for name, tensor in kept.items())
    assert kept.keys() == tuned.keys() and not any(name.startswith(family_of(model.config).unseen_by_views) for name in kept)
    check_untouched(model, before)
