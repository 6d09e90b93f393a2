"""Views with gradients: every kind of branch, guide and size agrees with what the model renders without them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dnerf_core.inversion.view import intrinsics_of
from dnerf_core.model import Model
from dnerf_core.semantic.config import RefinerConfig, SemanticConfig
from tests.core.inversion_cases import FIVE_CLASSES, front, seen_by_angles, seen_of, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

BRANCHES = {
    "plain": FIVE_CLASSES,
    "own density": SemanticConfig(density_prior=False, density_samples=12),
    "guide rendered": SemanticConfig(refiner=RefinerConfig(guide="rendered")),
    "guide rgb": SemanticConfig(refiner=RefinerConfig(guide="rgb")),
    "own density, guide rgb": SemanticConfig(density_prior=False, refiner=RefinerConfig(guide="rgb")),
    "bilinear": SemanticConfig(refiner=RefinerConfig(kind="bilinear")),
}


@pytest.mark.parametrize("c_dim", [0, 25])
@pytest.mark.parametrize("branch", list(BRANCHES))
def test_views_are_the_models_exact_ones(branch: str, c_dim: int) -> None:
    """Image and labels, and gradients that reach the latent through each of them. 99.9 % of labels and 1 of 255 found."""
    model = tiny_model(BRANCHES[branch], c_dim)
    camera, ws = front(model), model.subject(1).ws.clone().requires_grad_()
    seen = seen_of(model, ws, camera, 32)
    exact = model.subject(1).render(camera, exact=True)
    assert exact.mask is not None and len(np.unique(exact.mask)) > 2
    image, scores = seen.image(), seen.scores()
    pixels = (image.detach()[0].permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255).numpy()
    assert np.abs(pixels - exact.rgb).max() <= 3
    assert np.mean(scores[0].argmax(dim=0).numpy() == exact.mask) > 0.995
    assert torch.equal(seen.scores(image), scores)
    assert seen.maps().scores.shape == (1, 5, 32, 32) and seen.raw_image.shape == (1, 3, 32, 32)
    for what in (image, scores, seen.maps().scores, seen.raw_image):
        (gradient,) = torch.autograd.grad(what.square().sum(), [ws], retain_graph=True)
        assert bool(gradient.isfinite().all()) and bool(gradient.any())


@pytest.mark.parametrize("branch", ["plain", "own density", "guide rgb"])
@torch.no_grad()
def test_one_subject_from_several_cameras(branch: str) -> None:
    model = tiny_model(BRANCHES[branch])
    ws, angles = model.subject(1).ws, torch.tensor([[0.0, 0.1], [1.0, 0.2], [2.0, -0.3]])
    together = seen_by_angles(model, ws, angles, 32)
    for view in range(3):
        alone = seen_by_angles(model, ws, angles[view : view + 1], 32)
        for found, expected in (
            (together.raw_image, alone.raw_image),
            (together.maps().scores, alone.maps().scores),
            (together.image(), alone.image()),
            (together.scores(), alone.scores()),
        ):
            torch.testing.assert_close(found[view], expected[0], rtol=0, atol=2e-3)


@pytest.mark.parametrize("neural_resolution", [40, 48])
@torch.no_grad()
def test_a_neural_size_that_does_not_divide_the_picture(neural_resolution: int) -> None:
    model = tiny_model(neural_resolution=neural_resolution)
    seen = seen_of(model, model.subject(1).ws, front(model), neural_resolution)
    exact = model.subject(1).render(front(model), exact=True)
    assert seen.side_px == neural_resolution and seen.image().shape == (1, 3, 128, 128)
    assert np.mean(seen.scores()[0].argmax(dim=0).numpy() == exact.mask) > 0.995


def test_intrinsics_are_the_generators() -> None:
    model: Model = tiny_model(None)
    found = intrinsics_of(model)[0].double().numpy()
    np.testing.assert_allclose(found, front(model).intrinsics, atol=1e-6)
    assert math.isclose(found[0, 0], 1.4, abs_tol=1e-6)
