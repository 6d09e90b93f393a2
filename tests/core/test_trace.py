"""Sphere tracing of the demo cars against a brute-force march, and the pictures made from it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dnerf_core.demo.sphere_tracing import box_interval, trace_rays
from dnerf_core.demo.trace import grid_rays, render_truth
from dnerf_core.demo.world import Z_DIM, Cars
from dnerf_core.errors import UsageError

FOCAL = 1.7074


def camera(yaw_deg: float, elevation_deg: float, count: int, radius: float = 3.5) -> tuple[Tensor, Tensor]:
    yaw, elevation = math.radians(yaw_deg), math.radians(elevation_deg)
    back = torch.tensor([math.sin(yaw) * math.cos(elevation), math.sin(elevation), math.cos(yaw) * math.cos(elevation)]).double()
    right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]).double(), back)
    right /= right.norm()
    cam2world = torch.eye(4, dtype=torch.float64)
    cam2world[:3, :] = torch.stack([right, torch.linalg.cross(-back, right), -back, radius * back], dim=1)
    intrinsics = torch.tensor([[FOCAL, 0, 0.5], [0, FOCAL, 0.5], [0, 0, 1]], dtype=torch.float64)
    return cam2world.expand(count, 4, 4), intrinsics.expand(count, 3, 3)


@pytest.fixture(scope="module")
def cars() -> Cars:
    return Cars.from_latent(torch.randn(2, Z_DIM, generator=torch.Generator().manual_seed(0)))


def march(cars: Cars, origins: Tensor, directions: Tensor, *, near: float, far: float, steps: int) -> tuple[Tensor, Tensor]:
    """First sample inside on an even grid, refined by bisection; and the smallest distance seen."""
    grid = torch.linspace(near, far, steps)
    count = origins.shape[1]
    points = origins[:, :, None] + directions[:, :, None] * grid[:, None]
    distance = cars.signed_distance(points.reshape(len(cars), -1, 3)).reshape(len(cars), count, steps)
    inside = distance < 0
    first = inside.float().argmax(dim=2)
    high = grid[first]
    low = high - (grid[1] - grid[0])
    for _ in range(20):
        middle = (low + high) / 2
        hit = cars.signed_distance(origins + directions * middle[..., None]) < 0
        high, low = torch.where(hit, middle, high), torch.where(hit, low, middle)
    return torch.where(inside.any(dim=2), high, torch.inf), distance.amin(dim=2)


def test_box_interval_by_hand() -> None:
    half = torch.tensor([[1.0, 2.0, 3.0]])
    origins = torch.tensor([[[0.0, 0.0, 10.0], [0.0, 5.0, 10.0], [0.0, 0.0, 0.0]]])
    directions = torch.tensor([[[0.0, 0.0, -1.0], [0.0, 0.0, -1.0], [0.6, 0.8, 0.0]]])
    entry, leave = box_interval(half, origins, directions)
    assert entry[0, 0] == 7 and leave[0, 0] == 13
    assert entry[0, 1] > leave[0, 1]
    assert entry[0, 2] == 0 and leave[0, 2].item() == pytest.approx(min(1 / 0.6, 2 / 0.8))


def test_traced_distance_equals_a_dense_march(cars: Cars) -> None:
    generator = torch.Generator().manual_seed(1)
    outward = torch.nn.functional.normalize(torch.randn(2, 300, 3, generator=generator), dim=-1)
    targets = (torch.rand(2, 300, 3, generator=generator) * 2 - 1) * cars.half_extents[:, None]
    origins = 2.0 * outward
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    traced = trace_rays(cars, origins, directions)
    expected, closest = march(cars, origins, directions, near=0.8, far=3.2, steps=1000)
    both = traced.isfinite() & expected.isfinite()
    assert both.float().mean() > 0.4
    assert (~traced.isfinite()).float().mean() > 0.1
    # rays that pass within 2e-3 of the surface without a sample inside are beyond what the march can decide
    undecided = closest.abs() < 2e-3
    assert torch.equal(traced.isfinite() | undecided, expected.isfinite() | undecided)
    found = origins + directions * torch.where(both, traced, 0)[..., None]
    assert cars.signed_distance(found)[both].abs().max() < 1.1e-4
    # a surface met at 1.2 degrees turns the tolerance of 1e-4 into 5e-3 along the ray; most rays end far closer
    error = (traced - expected)[both & ~undecided].abs()
    assert error.max() < 5e-3
    assert error.quantile(0.9) < 2e-5


def test_grazing_rays_take_few_rounds_and_are_decided_as_a_dense_march_decides(
    cars: Cars, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rays that skim the roof from front to back creep along it: 200 single steps were not enough for some."""
    height = torch.linspace(-0.004, 0.02, 300)
    top = cars.half_extents[:1, 1]
    origins = torch.stack([torch.zeros(300), top + height, torch.full((300,), 3.0)], dim=1)[None]
    directions = torch.tensor([0.0, 0.0, -1.0]).expand(1, 300, 3)
    rounds = 0
    measure = Cars.signed_distance

    def counted(self: Cars, points: Tensor) -> Tensor:
        nonlocal rounds
        rounds += 1
        return measure(self, points)

    monkeypatch.setattr(Cars, "signed_distance", counted)
    found = trace_rays(cars[:1], origins, directions)
    assert rounds < 45
    expected, nearest = march(cars[:1], origins, directions, near=1.5, far=4.5, steps=6001)
    decided = (nearest < -1e-4) | (nearest > 6e-4)
    assert decided.sum() > 200 and found[decided].isfinite().any() and found[decided].isinf().any()
    assert torch.equal(found[decided].isfinite(), expected[decided].isfinite())
    met = decided & found.isfinite()
    assert (found - expected)[met].abs().max() < 4e-3


def test_free_starts_do_not_change_the_distance_and_infinite_ones_miss(cars: Cars) -> None:
    origins = torch.tensor([[[0.0, 0.0, 3.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]).expand(2, 3, 3)
    directions = torch.tensor([[[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]).expand(2, 3, 3)
    plain = trace_rays(cars, origins, directions)
    started = trace_rays(cars, origins, directions, torch.tensor([[1.9, 2.5, 0.0]]).expand(2, 3))
    torch.testing.assert_close(plain, started, atol=2e-4, rtol=0)
    assert (plain[:, 2] == 0).all()  # the origin of the world is inside
    assert trace_rays(cars, origins, directions, torch.full((2, 3), torch.inf)).isinf().all()


def test_grid_rays_by_hand() -> None:
    cam2world, intrinsics = camera(0.0, 0.0, 1)
    origins, directions, cosine = grid_rays(cam2world, intrinsics, torch.tensor([0.5, 0.75]), torch.tensor([0.25]))
    torch.testing.assert_close(origins[0, 0], torch.tensor([0.0, 0.0, 3.5]))
    # the camera on +z looks along -z; its image x is world +x; the upper quarter of the image looks up
    length = math.sqrt(1 + 2 * (0.25 / FOCAL) ** 2)
    expected = torch.tensor([0.25 / FOCAL / length, 0.25 / FOCAL / length, -1 / length])
    torch.testing.assert_close(directions[0, 1], expected)
    assert cosine[0, 1].item() == pytest.approx(1 / length)


def test_picture_is_the_traced_rays_of_its_pixels(cars: Cars) -> None:
    cam2world, intrinsics = camera(35, 15, 2)
    view = render_truth(cars, cam2world, intrinsics, 40, samples_per_pixel=1)
    assert view.rgb.shape == (2, 40, 40, 3) and view.mask.dtype == torch.uint8
    centers = (torch.arange(40) + 0.5) / 40
    origins, directions, cosine = grid_rays(cam2world, intrinsics, centers, centers)
    distance = trace_rays(cars, origins, directions)
    hit = view.mask.flatten(1) > 0
    assert torch.equal(hit, view.depth_planar.flatten(1).isfinite())
    # the tiles' head start changes which points a ray visits, so only rays at the very outline may differ
    assert (hit != distance.isfinite()).sum() <= 1
    both = hit & distance.isfinite()
    torch.testing.assert_close(view.depth_planar.flatten(1)[both], (distance * cosine)[both], atol=2e-3, rtol=0)
    points = origins + directions * torch.where(both, distance, 0)[..., None]
    agree = (cars.parts(points) == view.mask.flatten(1))[both]
    assert agree.float().mean() > 0.98
    assert (view.rgb.reshape(2, -1, 3)[~hit] == 1).all()
    assert view.rgb.min() >= 0 and view.rgb.max() <= 1
    torch.testing.assert_close(view.normal.flatten(1, 2).norm(dim=-1)[hit], torch.ones(int(hit.sum())))
    assert (view.normal.flatten(1, 2)[~hit] == 0).all()
    facing = (view.normal.flatten(1, 2) * directions).sum(dim=-1)[hit]
    assert (facing < 0.05).float().mean() > 0.99


def test_samples_are_averaged_over_a_regular_grid(cars: Cars) -> None:
    cam2world, intrinsics = camera(200, 20, 2)
    coarse = render_truth(cars, cam2world, intrinsics, 24, samples_per_pixel=4)
    fine = render_truth(cars, cam2world, intrinsics, 48, samples_per_pixel=1)
    pooled = torch.nn.functional.avg_pool2d(fine.rgb.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    assert ((coarse.rgb - pooled).abs().amax(dim=-1) < 0.01).float().mean() > 0.99


def test_a_crop_is_the_same_part_of_the_picture_and_cars_do_not_mix(cars: Cars) -> None:
    cam2world, intrinsics = camera(-60, 10, 2)
    whole = render_truth(cars, cam2world, intrinsics, 48, samples_per_pixel=1)
    part = render_truth(cars[1:2], cam2world[1:], intrinsics[1:], 48, samples_per_pixel=1, crop=(16, 5, 20, 31))
    window = (slice(1, 2), slice(16, 36), slice(5, 36))
    assert part.mask.shape == (1, 20, 31)
    assert (part.mask != whole.mask[window]).sum() <= 2
    assert ((part.rgb - whole.rgb[window]).abs().amax(dim=-1) < 0.01).float().mean() > 0.99
    assert torch.equal(render_truth(cars, cam2world, intrinsics, 48, samples_per_pixel=1).rgb, whole.rgb)


@pytest.mark.parametrize("yaw_deg", [0, 45, 90, 135, 180])
def test_every_car_fits_in_the_frame_and_shows_its_parts(yaw_deg: int) -> None:
    cars = Cars.from_latent(torch.randn(4, Z_DIM, generator=torch.Generator().manual_seed(2)))
    # straight ahead and behind, the body hides all of the wheels but their feet and flanks
    size_px = 96 if yaw_deg % 180 == 0 else 48
    mask = render_truth(cars, *camera(yaw_deg, 15, 4), size_px, samples_per_pixel=1).mask
    assert (mask[:, :2] == 0).all() and (mask[:, -2:] == 0).all() and (mask[:, :, :2] == 0).all() and (mask[:, :, -2:] == 0).all()
    for part in (2, 3, 4) if yaw_deg == 180 else (1, 2, 3, 4):
        assert ((mask == part).sum(dim=(1, 2)) > 3).all(), part


def test_wrong_calls_are_refused_in_one_line(cars: Cars) -> None:
    cam2world, intrinsics = camera(0, 0, 2)
    with pytest.raises(UsageError, match="samples_per_pixel: expected a square number such as 1 or 4, found 3"):
        render_truth(cars, cam2world, intrinsics, 16, samples_per_pixel=3)
    with pytest.raises(
        UsageError, match=r"cam2world: expected shape \[2, 4, 4\], found \[1, 4, 4\]; pass one camera for each of the 2 cars"
    ):
        render_truth(cars, cam2world[:1], intrinsics, 16)
