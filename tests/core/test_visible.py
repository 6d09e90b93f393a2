"""The rendering that follows gradients only where something is seen: by hand, and against the full one."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from dnerf_core.camera import Camera, look_at
from dnerf_core.embedded import model_path
from dnerf_core.inversion.view import SeenView, see
from dnerf_core.model import Model
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle, render_view
from dnerf_core.rendering.visible import EPSILON, render_visible
from dnerf_core.rendering.volume import RayBundle, composite, sample_rays
from tests.core.inversion_cases import front, seen_of, tiny_model
from tests.core.semantic_cases import camera_tensors

pytestmark = pytest.mark.usefixtures("one_thread")


def one_ray(count: int = 1) -> RayBundle:
    """Along +x from the origin; at 3 samples these lie at 1.5, 2.5 and 3.5."""
    origins = torch.zeros(count, 3, dtype=torch.float64)
    directions = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).expand(count, 3)
    return RayBundle(origins, directions, origins[:, 0] + 1, origins[:, 0] + 3)


def test_a_ray_by_hand() -> None:
    """Raw density 2 everywhere, the value is x: both intervals have softplus(1) over length 1."""

    def density(points: Tensor, subject: Tensor | None) -> Tensor:
        return torch.full_like(points[:, 0], 2.0)

    seen = render_visible(density, lambda p, s: (density(p, s), p[:, :1]), one_ray(), 3, 0)
    alpha = 1 - math.exp(-math.log1p(math.e))
    first, second = alpha, (1 - alpha) * alpha
    assert seen.values.item() == pytest.approx(first * (1.5 + 2.5) / 2 + second * (2.5 + 3.5) / 2, abs=1e-9)
    assert seen.opacity.item() == pytest.approx(first + second, abs=1e-9)
    assert seen.weight.tolist() == pytest.approx([first / 2, (first + second) / 2, second / 2], abs=1e-9)
    assert seen.ray.tolist() == [0, 0, 0]
    torch.testing.assert_close(seen.points[:, 0], torch.tensor([1.5, 2.5, 3.5], dtype=torch.float64))


def test_only_seen_samples_and_their_neighbours_are_read() -> None:
    """Solid from x = 5 on, of 9 samples at 1.5, 2.5 .. 9.5: those from 4.5 to 6.5 are seen, 3.5 and 7.5 are beside them."""
    read = []

    def density(points: Tensor, subject: Tensor | None) -> Tensor:
        return torch.where(points[:, 0] > 5, 200.0, -200.0)

    def both(points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        read.append(points[:, 0])
        return density(points, subject), points[:, :1]

    rays = dataclasses.replace(one_ray(2), end=torch.full((2,), 9.0, dtype=torch.float64))
    seen = render_visible(density, both, rays, 9, 0)
    assert read[0].tolist() == [3.5, 4.5, 5.5, 6.5, 7.5] * 2
    assert seen.ray.tolist() == [0] * 5 + [1] * 5
    # the interval from 4.5 to 5.5 has softplus(-1) and lets exp(-0.31) through; the next one takes all
    thin = 1 - math.exp(-math.log1p(math.exp(-1)))
    assert seen.values[0].item() == pytest.approx(thin * 5 + (1 - thin) * 6, abs=1e-6)


def test_gradients_hold_where_all_is_seen() -> None:
    """float64, to a field's parameters and to the rays' origins."""
    parameters = torch.tensor([0.7, -0.3, 1.1], dtype=torch.float64, requires_grad=True)
    origins = torch.tensor([[0.1, 0.2, -0.1], [-0.2, 0.0, 0.3]], dtype=torch.float64, requires_grad=True)

    def render(parameters: Tensor, origins: Tensor) -> tuple[Tensor, Tensor]:
        def density(points: Tensor, subject: Tensor | None) -> Tensor:
            return (points * parameters).sum(dim=1).sin() * 2

        def both(points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
            return density(points, subject), (points * parameters).cos()

        seen = render_visible(density, both, dataclasses.replace(one_ray(2), origins=origins), 5, 0, epsilon=0.0)
        return seen.values, seen.opacity

    assert torch.autograd.gradcheck(render, (parameters, origins))


def test_equal_to_composite_where_nothing_is_left_out() -> None:
    """Both passes, epsilon 0; more rays than a piece holds."""
    rng = torch.Generator().manual_seed(0)
    origins = torch.rand(5000, 3, generator=rng, dtype=torch.float64) - 0.5
    rays = dataclasses.replace(one_ray(5000), origins=origins)

    def density(points: Tensor, subject: Tensor | None) -> Tensor:
        return (3 * points).sin().sum(dim=1) * 3

    seen = render_visible(density, lambda p, s: (density(p, s), p.cos()), rays, 6, 6, epsilon=0.0)
    samples = sample_rays(density, rays, 6, 6)
    torch.testing.assert_close(seen.values, composite(lambda p, s: p.cos(), rays, samples))
    torch.testing.assert_close(seen.opacity, samples.opacity)


def test_no_rays() -> None:
    def both(points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        return points[:, 0], points

    seen = render_visible(lambda p, s: p[:, 0], both, one_ray(0), 4, 4)
    assert seen.values.shape == (0, 3) and seen.opacity.shape == (0,) and len(seen.ray) == 0


@pytest.fixture(scope="module")
def demo() -> Model:
    if not model_path("demo-cars").is_file():
        pytest.skip("the embedded model is not here")
    return Model.load("demo-cars")


def with_back(model: Model, white: bool) -> Model:
    """The model over another background; the weights are shared."""
    other = model.with_generator_tensors({})
    other.generator.config = dataclasses.replace(model.config, rays=dataclasses.replace(model.config.rays, white_back=white))
    return other


@pytest.mark.parametrize("white", [True, False])
def test_the_demo_is_rendered_as_in_full_and_so_are_its_gradients(demo: Model, white: bool) -> None:
    """32 px. Colours in [0, 1] differ by at most 1.4 epsilon, gradients' cosines are above 0.999 for this view."""
    model = with_back(demo, white)
    cam2world, intrinsics = camera_tensors(front(model, 0.6))
    cam2world.requires_grad_()
    ws = model.subject(1).ws.clone().requires_grad_()
    seen = see(model, ws, cam2world, intrinsics, 32)
    texels, pose = seen.planes.triplane.detach().requires_grad_(), cam2world.detach().clone().requires_grad_()
    full = render_view(model.generator, dataclasses.replace(seen.planes, triplane=texels), pose, intrinsics, 32)
    assert 0.1 < float(full.opacity.detach().mean()) < 0.9
    assert float((seen.picture.features - full.raw.features).detach().abs().max()) / 2 <= 2 * EPSILON
    # every interval counts in the opacity, read again or not
    weights = torch.zeros(32 * 32).index_add(0, seen.visible.ray, seen.visible.weight)
    assert float((weights - full.opacity.flatten()).detach().abs().max()) <= 3 * EPSILON
    assert len(seen.visible.ray) < 3 * 32 * 32
    toward = torch.randn(full.raw.features.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((seen.picture.features * toward).sum(), [seen.planes.triplane, cam2world])
    theirs = torch.autograd.grad((full.raw.features * toward).sum(), [texels, pose])
    for found, expected in zip(ours, theirs, strict=True):
        assert float(torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0)) > 0.98
        assert float(found.norm() / expected.norm()) == pytest.approx(1, abs=0.05)


def check_same(found: SeenView, expected: SeenView, view: int) -> None:
    torch.testing.assert_close(found.picture.features[view], expected.picture.features[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(found.maps().scores[view], expected.maps().scores[0], rtol=0, atol=1e-3)
    torch.testing.assert_close(found.image()[view], expected.image()[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(found.scores()[view], expected.scores()[0], rtol=0, atol=1e-3)


@torch.no_grad()
def test_several_subjects_and_several_cameras_are_seen_as_each_alone() -> None:
    model = tiny_model()
    ws = torch.cat([model.subject(seed).ws for seed in (1, 2)])
    cameras = [front(model, 0.4), front(model, 1.4)]
    each = see(model, ws, *camera_tensors(*cameras), 32)
    both = see(model, ws[:1], *camera_tensors(*cameras), 32)
    for view in (0, 1):
        check_same(each, seen_of(model, ws[view : view + 1], cameras[view], 32), view)
        check_same(both, seen_of(model, ws[:1], cameras[view], 32), view)
    assert not torch.allclose(each.picture.features[1], both.picture.features[1], atol=0.1)


@pytest.mark.parametrize("white", [True, False])
def test_nothing_in_sight(white: bool) -> None:
    """A camera that looks away: the background alone, gradients of zero."""
    model = tiny_model(white_back=white)
    assert model.branch is not None
    away = Camera(look_at((0.0, 0.0, 3.0), (0.0, 0.0, 9.0)), front(model).intrinsics)
    ws = model.subject(1).ws.clone().requires_grad_()
    seen = seen_of(model, ws, away, 32)
    assert torch.equal(seen.picture.features, torch.full_like(seen.picture.features, 1.0 if white else -1.0))
    assert torch.equal(seen.maps().scores, model.branch.background[:5, None, None].expand(1, 5, 32, 32))
    (seen.picture.features.sum() + seen.maps().scores.sum()).backward()
    assert ws.grad is not None and not ws.grad.any()


@pytest.mark.parametrize("white", [True, False])
@torch.no_grad()
def test_rays_that_miss_the_box_show_the_background(white: bool) -> None:
    """A long lens turned aside: part of the picture is beside the box, and is not sampled."""
    model = tiny_model(white_back=white)
    aside = Camera(look_at((0.0, 0.0, 2.6), (1.0, 0.0, 0.0)), front(model).intrinsics)
    ws = model.subject(1).ws
    seen = seen_of(model, ws, aside, 16)
    tensors = camera_tensors(aside)
    _, hit = ray_bundle(model.generator, seen.planes, ViewRays.from_cameras(*tensors, 16))
    assert 0.1 < float(hit.float().mean()) < 0.9
    missed = seen.picture.features[0].flatten(1)[:, ~hit]
    assert torch.equal(missed, torch.full_like(missed, 1.0 if white else -1.0))
    assert bool(hit[seen.visible.ray].all())
    full = render_view(model.generator, model.generator.planes(ws), *tensors, 16)
    assert float((seen.picture.features - full.raw.features).abs().max()) / 2 <= 8 * EPSILON  # a rough cloud: 5 found


@torch.no_grad()
def test_fixed_limits_and_one_pass() -> None:
    for rays in ({"ray_start": 1.5, "ray_end": 3.7}, {"samples_coarse": 32, "samples_fine": 0}):
        model = tiny_model(**rays)
        ws, camera = model.subject(1).ws, front(model)
        seen = seen_of(model, ws, camera, 24)
        full = render_view(model.generator, model.generator.planes(ws), *camera_tensors(camera), 24)
        assert float(full.opacity.mean()) > 0.1
        assert float((seen.picture.features - full.raw.features).abs().max()) / 2 <= 8 * EPSILON
