"""Rendering functions against arithmetic by hand, slow references and float64 gradients."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dnerf_core.camera import Camera, intrinsics_from_focal, look_at
from dnerf_core.rendering.compositing import composite_distance, interval_weights, sample_weights
from dnerf_core.rendering.depth import ray_cosines, resample_depth
from dnerf_core.rendering.rays import box_limits, camera_rays
from dnerf_core.rendering.sampling import importance_distances, midpoints, stratified_distances
from dnerf_core.rendering.triplane import plane_table, sample_planes
from dnerf_core.rendering.volume import RayBundle, RaySamples, composite, sample_rays


def test_rays_equal_the_camera_modules_rays() -> None:
    camera = Camera(look_at((1.0, 0.5, 2.0), (0, 0, 0)), intrinsics_from_focal(1.7))
    origins, directions = camera_rays(torch.tensor(camera.cam2world)[None], torch.tensor(camera.intrinsics)[None], 5)
    rays = camera.rays(5)
    np.testing.assert_allclose(directions[0].numpy(), rays.directions.reshape(-1, 3), atol=1e-12)
    np.testing.assert_allclose(origins[0].numpy(), rays.origins.reshape(-1, 3), atol=1e-12)


def test_box_limits_by_hand() -> None:
    origins = torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 2.0, 3.0], [0.1, 0.0, 0.0]])
    directions = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    entry, leave, hit = box_limits(origins, directions, side=2.0)
    assert hit.tolist() == [True, False, False, True]
    torch.testing.assert_close(entry, torch.tensor([2.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(leave, torch.tensor([4.0, 0.0, 0.0, 0.9]))


def test_stratified_distances_by_hand() -> None:
    found = stratified_distances(torch.tensor([1.0]), torch.tensor([3.0]), 3, 0.5)
    torch.testing.assert_close(found, torch.tensor([[1.5, 2.5, 3.5]]))


def slow_importance(distances: list[float], weights: list[float], u: list[float]) -> list[float]:
    """Plain Python over one ray, from the definition."""
    padded = [-math.inf, *weights, -math.inf]
    pooled = [max(padded[i], padded[i + 1]) for i in range(len(weights) + 1)]
    smooth = [0.5 * (pooled[i] + pooled[i + 1]) + 0.01 for i in range(len(pooled) - 1)]
    bins = [0.5 * (a + b) for a, b in itertools.pairwise(distances)]
    pdf = [w + 1e-5 for w in smooth[1:-1]]
    cdf = [0.0]
    for p in pdf:
        cdf.append(cdf[-1] + p / sum(pdf))
    out = []
    for x in u:
        above = sum(1 for c in cdf if c <= x)
        below, above = max(above - 1, 0), min(above, len(cdf) - 1)
        step = cdf[above] - cdf[below]
        step = 1.0 if step < 1e-5 else step
        out.append(bins[below] + (x - cdf[below]) / step * (bins[above] - bins[below]))
    return out


def test_importance_against_slow_reference() -> None:
    rng = torch.Generator().manual_seed(3)
    distances = torch.rand(4, 9, generator=rng, dtype=torch.float64).cumsum(1)
    weights = torch.rand(4, 8, generator=rng, dtype=torch.float64) ** 4
    u = midpoints(6, distances)
    found = importance_distances(distances, weights, u)
    for ray in range(4):
        expected = slow_importance(distances[ray].tolist(), weights[ray].tolist(), u.tolist())
        np.testing.assert_allclose(found[ray].numpy(), expected, atol=1e-10)


def test_interval_weights_by_hand() -> None:
    density = math.log1p(math.exp(2.0 - 1.0))
    alpha = 1 - math.exp(-density * 0.5)
    distances, raw = torch.tensor([[1.0, 1.5, 2.0]]), torch.tensor([[2.0, 2.0, 2.0]])
    weights = interval_weights(distances, raw)
    torch.testing.assert_close(weights, torch.tensor([[alpha, alpha * (1 - alpha)]]))
    torch.testing.assert_close(
        sample_weights(weights)[0], torch.tensor([alpha / 2, alpha * (2 - alpha) / 2, alpha * (1 - alpha) / 2])
    )
    expected = (alpha * 1.25 + alpha * (1 - alpha) * 1.75) / (alpha + alpha * (1 - alpha))
    assert composite_distance(weights, distances).item() == pytest.approx(expected, abs=1e-6)


def test_weights_sum_to_at_most_one_and_gradients_hold() -> None:
    rng = torch.Generator().manual_seed(0)
    distances = torch.rand(3, 7, generator=rng, dtype=torch.float64).cumsum(1)
    raw = (torch.randn(3, 7, generator=rng, dtype=torch.float64) * 5).requires_grad_()
    assert bool((interval_weights(distances, raw).sum(1) <= 1 + 1e-9).all())
    assert torch.autograd.gradcheck(lambda r: interval_weights(distances, r), (raw,))


def test_empty_ray_has_no_distance_and_no_gradient_that_is_not_a_number() -> None:
    weights = torch.zeros(2, 2)
    weights[1] = 0.25
    weights.requires_grad_()
    distance = composite_distance(weights, torch.tensor([[1.0, 2.0, 3.0]]).expand(2, 3))
    assert distance[0].item() == math.inf and distance[1].item() == 2.0
    distance[1].backward()
    assert bool(weights.grad.isfinite().all())


AXES = ("xy", "xz", "zx")


def grid_sample_reference(planes: torch.Tensor, points: torch.Tensor, side: float) -> torch.Tensor:
    """torch's own sampler, plane by plane."""
    index = {"x": 0, "y": 1, "z": 2}
    total = 0
    for plane, axes in enumerate(AXES):
        uv = points[..., [index[axes[0]], index[axes[1]]]] * 2 / side
        read = F.grid_sample(planes[:, plane], uv[:, :, None], align_corners=False, padding_mode="zeros")
        total = total + read[..., 0].transpose(1, 2)
    return total


def test_plane_sampling_against_grid_sample_and_gradients() -> None:
    rng = torch.Generator().manual_seed(1)
    planes = torch.randn(2, 3, 4, 5, 6, generator=rng, dtype=torch.float64, requires_grad=True)
    points = (3 * torch.rand(2, 50, 3, generator=rng, dtype=torch.float64) - 1.5).requires_grad_()
    subject = torch.arange(2).repeat_interleave(50)

    def ours(planes: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return sample_planes(plane_table(planes), points.reshape(-1, 3), subject, AXES, 2.0, (5, 6))

    torch.testing.assert_close(ours(planes, points).reshape(2, 50, 4), grid_sample_reference(planes, points, 2.0))
    wrong_axes = sample_planes(plane_table(planes), points.reshape(-1, 3), subject, ("xy", "xz", "yz"), 2.0, (5, 6))
    assert not torch.allclose(wrong_axes.reshape(2, 50, 4), grid_sample_reference(planes, points, 2.0), atol=1e-2)
    # float32 tables only carry gradients to the weights on the CPU, so the gradient is compared with torch's sampler
    weight = torch.randn(100, 4, generator=rng, dtype=torch.float64)
    ours_grad = torch.autograd.grad((ours(planes, points) * weight).sum(), [planes, points])
    reference_grad = torch.autograd.grad(
        (grid_sample_reference(planes, points, 2.0).reshape(-1, 4) * weight).sum(), [planes, points]
    )
    for a, b in zip(ours_grad, reference_grad, strict=True):
        torch.testing.assert_close(a, b)


def ball(points: torch.Tensor, subject: torch.Tensor | None) -> torch.Tensor:
    return 400 * (0.5 - points.norm(dim=-1))


def bundle(count: int) -> RayBundle:
    heights = torch.linspace(-0.9, 0.9, count)
    origins = torch.stack([torch.zeros(count), heights, torch.full((count,), 3.0)], dim=1)
    directions = torch.tensor([0.0, 0.0, -1.0]).expand(count, 3)
    return RayBundle(origins, directions, torch.full((count,), 2.0), torch.full((count,), 4.0))


def test_a_ball_is_found_where_it_is() -> None:
    rays = bundle(31)
    samples = sample_rays(ball, rays, 48, 48)
    heights = rays.origins[:, 1]
    inside = heights.abs() < 0.45
    exact = 3 - (0.25 - heights.square()).clamp_min(0).sqrt()
    assert bool((samples.opacity[inside] > 0.99).all())
    assert bool((samples.opacity[heights.abs() > 0.55] < 0.01).all())
    # density rises by 400 a unit behind the surface: light goes sqrt(pi / 800) further in the mean, after softplus's shift of 1 / 400
    middle = len(rays) // 2
    assert float((samples.distance - exact)[middle]) == pytest.approx(math.sqrt(math.pi / 800) + 1 / 400, abs=2e-3)


def test_composite_epsilon_is_bounded_and_none_is_exact() -> None:
    rays = bundle(9)
    samples = sample_rays(ball, rays, 24, 24)

    def height(points: torch.Tensor, subject: torch.Tensor | None) -> torch.Tensor:
        return points[:, 1:2]

    exact = composite(height, rays, samples)
    slow = (sample_weights(samples.weights)[..., None] * rays.points(samples.distances)[..., 1:2]).sum(1)
    torch.testing.assert_close(exact, slow)
    for epsilon in (0.0, 1e-3):
        assert float((composite(height, rays, samples, epsilon) - exact).abs().max()) <= 48 * epsilon + 1e-6


def test_random_sampling_uses_only_its_generator() -> None:
    rays = bundle(5)
    before = torch.random.get_rng_state()
    a = sample_rays(ball, rays, 8, 8, torch.Generator().manual_seed(5))
    b = sample_rays(ball, rays, 8, 8, torch.Generator().manual_seed(5))
    c = sample_rays(ball, rays, 8, 8, torch.Generator().manual_seed(6))
    assert torch.equal(a.distances, b.distances) and not torch.equal(a.distances, c.distances)
    assert torch.equal(before, torch.random.get_rng_state())
    assert bool((a.distances[:, 1:] >= a.distances[:, :-1]).all())


def test_samples_report_their_sums() -> None:
    samples = RaySamples(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.25, 0.5]]))
    assert samples.opacity.item() == 0.75
    assert samples.distance.item() == pytest.approx((0.25 * 1.5 + 0.5 * 2.5) / 0.75)


def test_ray_cosines_turn_ray_distance_into_planar_depth() -> None:
    camera = Camera(look_at((0.0, 0.0, 2.0), (0, 0, 0)), intrinsics_from_focal(1.2))
    cosines = ray_cosines(torch.tensor(camera.intrinsics)[None], 4)[0].numpy()
    np.testing.assert_allclose(camera.planar_from_ray_distance(np.full((4, 4), 2.0)), 2.0 * cosines, atol=1e-12)


def test_resampled_depth_never_lies_between_two_surfaces() -> None:
    depth = torch.full((1, 4, 4), math.inf)
    depth[:, :, :2], depth[:, :3, 2] = 1.0, 2.0
    opacity = depth.isfinite().float()
    fine = resample_depth(depth, opacity, 16, same_surface=0.1)
    seen = fine[fine.isfinite()]
    assert set(np.unique(seen.numpy()).round(5).tolist()) == {1.0, 2.0}
    # a plain bilinear mean would show 1.5 there
    assert bool(fine[0, :8, 14:].isinf().all()) and bool((fine[0, 4, :6] == 1.0).all())


@pytest.mark.parametrize("size_px", [16, 23, 41, 7])
def test_depth_of_a_small_object_is_what_it_is_among_large_ones(size_px: int) -> None:
    """Where little is object its pixels are found first, elsewhere all are worked out: both give the same bits."""
    drawn = torch.Generator().manual_seed(size_px)
    depth, opacity = 1 + torch.rand(2, 16, 16, generator=drawn), torch.rand(2, 16, 16, generator=drawn)
    depth[0, 5:], depth[1, 9, 9] = math.inf, math.inf
    opacity[1] = opacity[1] / 2 + 0.5
    depth[0, 2, 2], opacity[0, 3, :4] = math.inf, 0.2
    together = resample_depth(depth, opacity, size_px, same_surface=0.3)
    alone = resample_depth(depth[:1], opacity[:1], size_px, same_surface=0.3)
    assert 0 < int(alone.isfinite().sum()) < size_px**2 / 2 < int(together.isfinite().sum()) / 2
    assert torch.equal(alone[0], together[0])
    assert resample_depth(torch.full_like(depth, math.inf), opacity, size_px, 0.3).isinf().all()


def test_resampled_depth_of_a_slope_is_bilinear_and_identity_at_its_own_size() -> None:
    slope = torch.arange(8, dtype=torch.float32).expand(1, 8, 8) * 0.01
    opacity = torch.ones(1, 8, 8)
    torch.testing.assert_close(resample_depth(slope, opacity, 8, 0.1), slope)
    expected = F.interpolate(slope[None], size=(16, 16), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(resample_depth(slope, opacity, 16, 0.1), expected, atol=1e-6, rtol=0)
