"""How different subjects of one mask are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnerf_core.inversion.diversity import RANDOM_SUBJECTS, YAWS_DEG, diversity
from dnerf_core.subject import Subject
from tests.core.inversion_cases import front, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_subject_does_not_differ_from_itself() -> None:
    model = tiny_model()
    found = diversity([model.subject(1), model.subject(1)])
    assert (found.latent, found.color, found.labels) == (0, 0, 0)
    alone = diversity([model.subject(1)])
    assert (alone.latent, alone.color, alone.labels) == (0, 0, 0)


def test_two_subjects_by_hand() -> None:
    """Over the pixels that show either, in each of the four views; every view counts alike."""
    model = tiny_model()
    one, other = model.subject(1), model.subject(2)
    color, labels = [], []
    for yaw_deg in YAWS_DEG:
        camera = front(model, np.radians(yaw_deg), np.radians(model.config.cameras.pitch_deg))
        a, b = one.render(camera), other.render(camera)
        shown = [(y, x) for y in range(128) for x in range(128) if a.mask[y, x] or b.mask[y, x]]  # type: ignore[index]
        color.append(np.mean([np.abs(a.rgb[p].astype(float) - b.rgb[p]) for p in shown]))
        labels.append(np.mean([a.mask[p] != b.mask[p] for p in shown]))  # type: ignore[index]
    found = diversity([one, other])
    assert found.color == pytest.approx(np.mean(color)) and found.color > 5
    z = torch.randn(RANDOM_SUBJECTS, 16, generator=torch.Generator().manual_seed(0))
    ws = model.ws(z).detach().double()
    squares = [(a - b).square().mean() for i, a in enumerate(ws) for b in ws[:i]]
    apart = (one.ws - other.ws).square().mean().sqrt()
    assert found.latent == pytest.approx(float(apart / torch.stack(squares).mean().sqrt()), rel=1e-5)
    assert found.latent != pytest.approx(float(apart), rel=0.02)
    assert found.labels == pytest.approx(np.mean(labels)) and found.labels > 0.05


def test_random_subjects_are_about_1_apart() -> None:
    model = tiny_model()
    found = diversity([model.subject(seed) for seed in range(100, 106)])
    assert found.latent == pytest.approx(1, abs=0.2)
    near = [Subject(model, torch.lerp(model.subject(1).ws, model.subject(seed).ws, 0.1)) for seed in (2, 3)]
    assert diversity(near).latent < 0.2
