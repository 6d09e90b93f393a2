"""The demo's training: what it learns from, that it resumes exactly, and what it writes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dnerf_core.demo.budget import resume, save_state, train
from dnerf_core.demo.config import DEMO_CARS
from dnerf_core.demo.losses import (
    OFFSET,
    SHARPNESS,
    TRUNCATION,
    ScaledDensityField,
    fold_density_scale,
    patch_losses,
    point_batch,
    truth_patch,
)
from dnerf_core.demo.refine import RefineRecipe, RefineViews, keep_views, refine_superresolution
from dnerf_core.demo.train import Recipe, Training
from dnerf_core.demo.world import Z_DIM, Cars
from dnerf_core.generator.eg3d import Generator

SMALL = Recipe(
    cars_per_step=2,
    near_points=64,
    box_points=16,
    colored_points=32,
    patch_cars=1,
    patch_px=16,
    patch_every=1,
)


def cars(count: int) -> Cars:
    return Cars.from_latent(torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(1)))


def test_points_carry_the_worlds_truth() -> None:
    world = cars(2)
    batch = point_batch(world, 1.8, torch.Generator().manual_seed(0), near=200, box=50, colored=100)
    assert batch.points.shape == (2, 250, 3) and float(batch.points.abs().max()) <= 0.92
    distance = world.signed_distance(batch.points)
    torch.testing.assert_close(batch.f, (-distance / TRUNCATION).clamp(-1, 1))
    assert bool((batch.f.abs() < 1).any()) and bool((batch.f == 1).any()) and bool((batch.f == -1).any())
    assert batch.color.shape == (2, 100, 3) and bool(batch.color_valid.any()) and not bool(batch.color_valid.all())


def test_patches_show_the_car_and_their_rays_meet_it_there() -> None:
    with torch.random.fork_rng(devices=[]):
        generator = Generator(DEMO_CARS)
    world = cars(1)
    patch = truth_patch(world, generator, torch.Generator().manual_seed(3), 16)
    assert patch.rgb.shape == (1, 32, 32, 3) and patch.origins.shape == (1, 256, 3)
    depth = patch.depth_planar[:, 1::2, 1::2].reshape(1, -1)
    met = depth.isfinite()
    assert bool(met.any())
    points = patch.origins + patch.directions * (depth / patch.cosine)[..., None]
    away = world.signed_distance(torch.where(met[..., None], points, torch.zeros_like(points))).abs()
    # a truth pixel lies up to 3/4 of an output pixel beside the neural ray: 0.006 world units there, more on slanted surfaces
    assert float(away[met].median()) < 0.01


@pytest.mark.parametrize("progress", [0.1, 0.7])
def test_training_resumes_exactly(tmp_path: Path, progress: float) -> None:
    whole = Training(SMALL, "cpu")
    whole.one_step(progress)
    save_state(whole, tmp_path)
    expected = whole.one_step(progress)
    resumed = Training(SMALL, "cpu")
    resumed.load(torch.load(tmp_path / "training-state.pt", weights_only=True))
    assert resumed.one_step(progress) == expected
    for name, value in whole.generator.state_dict().items():
        assert torch.equal(value, resumed.generator.state_dict()[name]), name
    assert [path.name for path in tmp_path.iterdir()] == ["training-state.pt"]


def test_a_run_ends_with_its_budget_and_goes_on_from_its_folder(tmp_path: Path) -> None:
    seconds = itertools.count()
    run = Training(SMALL, "cpu")
    assert not resume(run, tmp_path)
    train(run, tmp_path, 3 / 60, lambda: float(next(seconds)))  # a second a step
    assert (run.step, run.seconds) == (3, 3.0)
    again = Training(SMALL, "cpu")
    assert resume(again, tmp_path) and (again.step, again.seconds) == (3, 3.0)
    train(again, tmp_path, 3 / 60, lambda: float(next(seconds)))
    assert again.step == 3
    assert run.rate(0.0) < run.rate(0.3) * 1.01 and run.rate(1.0) < run.rate(0.5) < run.rate(0.35)


def test_pictures_leave_geometry_to_the_points() -> None:
    generator = Training(SMALL, "cpu").generator
    z = torch.randn(1, Z_DIM, generator=torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(3)
    patch = truth_patch(Cars.from_latent(z), generator, rng, 16)
    ws = generator.mapping(z)
    losses = patch_losses(generator, generator.planes(ws, noise_mode="none").triplane, ws, patch, rng, join=True)
    last = generator.decoder.net[2].weight
    (grad,) = torch.autograd.grad(losses.raw + losses.final, last)
    assert bool((grad[0] == 0).all()) and bool((grad[1:4] != 0).any())


def test_the_released_state_is_the_trained_function() -> None:
    training = Training(SMALL, "cpu")
    training.one_step(0.1)
    training.average["backbone.synthesis.b16.conv1.noise_strength"].fill_(0.5)
    state = training.released_state()
    assert all(bool((value == 0).all()) for name, value in state.items() if name.endswith("noise_strength"))
    assert float(state["backbone.mapping.w_avg"].abs().max()) > 0
    with torch.random.fork_rng(devices=[]):
        trained, released = Generator(DEMO_CARS), Generator(DEMO_CARS)
    trained.load_state_dict(training.average)
    released.load_published(state)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(2)) - 0.5
    with torch.no_grad():
        planes = trained.planes(trained.mapping(torch.ones(1, Z_DIM)), noise_mode="none").triplane
        expected = ScaledDensityField(planes, trained.decoder, DEMO_CARS.triplane).raw_density(points, None)
        found = released.field(released.planes(released.mapping(torch.ones(1, Z_DIM)))).raw_density(points, None)
    torch.testing.assert_close(found, expected, atol=0.05, rtol=1e-3)


def test_density_scale_is_one_affine_map() -> None:
    state = {"decoder.net.2.weight": torch.ones(3, 2), "decoder.net.2.bias": torch.ones(3)}
    folded = fold_density_scale(state)
    assert folded["decoder.net.2.weight"].tolist() == [[SHARPNESS] * 2, [1, 1], [1, 1]]
    assert folded["decoder.net.2.bias"].tolist() == [SHARPNESS + OFFSET, 1, 1]
    assert state["decoder.net.2.bias"].tolist() == [1, 1, 1]


def test_refining_teaches_the_super_resolution_and_nothing_else() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(DEMO_CARS)
    generator.eval().requires_grad_(False)
    size = DEMO_CARS.rays.neural_resolution
    rng = torch.Generator().manual_seed(0)
    features = torch.rand(2, 32, size, size, generator=rng).half()
    truth = torch.full((2, 3, 2 * size, 2 * size), 200, dtype=torch.uint8)
    views = RefineViews(features, generator.mapping(torch.randn(2, Z_DIM, generator=rng)), truth)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    errors: list[float] = []
    recipe = RefineRecipe(steps=6, views_per_step=1)
    refine_superresolution(generator, views, recipe, lambda step, error: errors.append(error))
    assert len(errors) == 6 and errors[-1] < errors[0]
    changed = {name for name, value in generator.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("superresolution.") for name in changed)


def test_kept_views_pair_a_rendering_with_its_truth() -> None:
    with torch.random.fork_rng(devices=[]):
        generator = Generator(replace(DEMO_CARS, rays=replace(DEMO_CARS.rays, neural_resolution=16)))
    views = keep_views(generator.eval().requires_grad_(False), RefineRecipe(views=2))
    assert views.features.shape == (2, 32, 16, 16) and views.features.dtype == torch.float16
    assert views.truth.shape == (2, 3, 256, 256) and views.truth.dtype == torch.uint8
    assert views.ws.shape == (2, generator.config.backbone.num_ws, 128)
    assert (views.truth == 255).float().mean() > 0.3 and (views.truth < 255).any()
    assert torch.equal(views.truth, keep_views(generator, RefineRecipe(views=2)).truth)
