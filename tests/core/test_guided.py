"""Which samples a density grid lets a view leave out: as the rules say it, and never much light."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.rendering import guided
from dnerf_core.rendering.compositing import interval_weights
from dnerf_core.rendering.density_grid import EMPTY_OPACITY, DensityGrid
from dnerf_core.rendering.guided import FOGGY_SHARE, HIDDEN_LIGHT, SamplePlan, plan_samples, points_along
from dnerf_core.rendering.rays import box_limits
from dnerf_core.rendering.sampling import importance_distances, midpoints, stratified_distances
from dnerf_core.rendering.volume import RayBundle, RaySamples, sample_rays
from tests.core.test_density_grid import LONGEST, MATTER, NOTHING, SIDE, empty_values, slow_estimate

pytestmark = pytest.mark.usefixtures("one_thread")

COARSE, FINE = 24, 20


def random_grid(seed: int, solid: float = 150.0, level: float = 30.0) -> DensityGrid:
    """Smooth random matter, `solid` times a field of about unit size less `level`; empty round it, as a box in the open is."""
    rough = torch.randn(1, 1, 6, 6, 6, generator=torch.Generator().manual_seed(seed))
    inner = F.interpolate(rough, size=(12, 12, 12), mode="trilinear", align_corners=True)[0, 0] * solid - level
    return DensityGrid.build(F.pad(inner, (1,) * 6, value=NOTHING), SIDE, LONGEST, 0.0)


def random_rays(seed: int, count: int = 200) -> RayBundle:
    """Rays from all sides that meet the box."""
    rng = torch.Generator().manual_seed(seed)
    origins = F.normalize(torch.randn(3 * count, 3, generator=rng), dim=1) * 2.5
    directions = F.normalize((torch.rand(3 * count, 3, generator=rng) - 0.5) * SIDE - origins, dim=1)
    start, end, hit = box_limits(origins, directions, SIDE)
    return RayBundle(origins, directions, start, end).select(hit.nonzero()[:count, 0])


def density_of(grid: DensityGrid, bundle: RayBundle, distances: Tensor) -> Tensor:
    """The field of these tests [M, S]: what the grid itself holds, so that it is resolved."""
    return grid.estimate(bundle.points(distances).reshape(-1, 3).t().contiguous())[0].view_as(distances)


def two_pass(grid: DensityGrid, bundle: RayBundle) -> RaySamples:
    """The samples of the scheme that nothing is left out of."""
    return sample_rays(lambda points, subject: grid.estimate(points.t().contiguous())[0], bundle, COARSE, FINE)


CLOUDY = {"solid": 3.0, "level": -4.0}
"""Matter that lets light through the whole box."""

MANY = [(0, {}), (1, {}), (2, {}), (3, {"solid": 400.0, "level": 300.0}), (4, CLOUDY), (5, {"solid": 20.0, "level": 10.0})]
"""Seeds and kinds of fields: walls, a few lumps, fog, and soft edges."""


@pytest.mark.parametrize(("seed", "kind"), MANY)
def test_distances_are_those_of_the_two_passes(seed: int, kind: dict[str, float]) -> None:
    """Of clear rays all of them; of foggy ones the importance samples between the first and the last coarse one."""
    grid, rays = random_grid(seed, **kind), random_rays(seed)
    expected = two_pass(grid, rays).distances
    coarse = stratified_distances(rays.start, rays.end, COARSE)
    weights = interval_weights(coarse, density_of(grid, rays, coarse))
    fine = importance_distances(coarse, weights, midpoints(FINE, coarse))
    found: list[int] = []
    for plan in plan_samples(grid, rays, COARSE, FINE):
        found += plan.ray.tolist()
        assert bool((plan.distances.diff(dim=1) >= 0).all())
        if plan.read is None:
            ends = (coarse[plan.ray, :1], coarse[plan.ray, -1:])
            torch.testing.assert_close(plan.distances, torch.cat([ends[0], fine[plan.ray], ends[1]], dim=1), rtol=0, atol=1e-4)
        else:
            torch.testing.assert_close(plan.distances, expected[plan.ray], rtol=0, atol=1e-4)
            assert bool(plan.read.any(dim=1).all()), "a ray of which nothing is read is not planned"
            exact = density_of(grid, rays.select(plan.ray), plan.distances)
            torch.testing.assert_close(plan.estimate, exact, rtol=1e-5, atol=1e-3)
    assert len(found) == len(set(found)) > 50


@pytest.mark.parametrize(("seed", "kind"), MANY)
def test_little_light_is_left_out(seed: int, kind: dict[str, float]) -> None:
    """Intervals between samples that are not read stop at most the two stated shares of a ray's light, whatever the field.

    Softplus of a mean is at most the mean of softplus, and light only falls, so the bound holds to the letter.
    """
    grid, rays = random_grid(seed, **kind), random_rays(seed)
    planned = torch.zeros(len(rays), dtype=torch.bool)
    read, whole = 0, 0
    for plan in plan_samples(grid, rays, COARSE, FINE):
        planned[plan.ray] = True
        whole += len(plan.ray) * (COARSE + FINE)
        if plan.read is None:
            read += plan.distances.numel()
            continue
        weights = interval_weights(plan.distances, density_of(grid, rays.select(plan.ray), plan.distances))
        unread = ~plan.read[:, 1:] & ~plan.read[:, :-1]
        assert float((weights * unread).sum(dim=1).max()) <= HIDDEN_LIGHT + EMPTY_OPACITY + 1e-5
        read += int(plan.read.sum())
    missed = two_pass(grid, rays).opacity[~planned]
    assert missed.numel() == 0 or float(missed.max()) <= EMPTY_OPACITY + 1e-5
    assert 0 < read < 0.8 * whole, "worth the trouble"


def test_reading_follows_the_two_rules() -> None:
    """Sample by sample in plain Python: its cell is not empty, and light reaches the sample before the one before it."""
    grid, rays = random_grid(1), random_rays(1, 40)
    values, distances = grid.values[0, 0].numpy(), two_pass(grid, rays).distances
    plans = list(plan_samples(grid, rays, COARSE, FINE))
    found = {ray: read for plan in plans if plan.read is not None for ray, read in zip(plan.ray.tolist(), plan.read, strict=True)}
    foggy = {ray for plan in plans if plan.read is None for ray in plan.ray.tolist()}
    checked, nothing = 0, torch.zeros(COARSE + FINE, dtype=torch.bool)
    for ray in range(len(rays)):
        if ray in foggy:
            continue
        fields = [slow_estimate(values, point) for point in rays.points(distances)[ray].tolist()]
        light = [1.0]
        for i in range(len(fields) - 1):
            density = F.softplus(torch.tensor((fields[i][0] + fields[i + 1][0]) / 2 - 1)).item()
            light.append(light[-1] * math.exp(-density * float(distances[ray, i + 1] - distances[ray, i])))
        for i, reaching in enumerate([1.0, 1.0, *light[:-2]]):
            if abs(reaching / HIDDEN_LIGHT - 1) > 0.02:  # else float32 may decide either way
                expected = fields[i][1] > grid.empty_below and reaching > HIDDEN_LIGHT
                assert bool(found.get(ray, nothing)[i]) == expected, (ray, i)
                checked += expected
    assert checked > 200 and len(found) < len(rays) - len(foggy)


def along_z(count: int = 1) -> RayBundle:
    """Rays up the z axis, side by side, from face to face."""
    across = torch.linspace(-0.5, 0.5, count)
    origins = torch.stack([across, torch.full((count,), 0.1), torch.full((count,), -2.0)], dim=1)
    up = torch.tensor([0.0, 0.0, 1.0]).expand(count, 3)
    return RayBundle(origins, up, torch.full((count,), 1.2), torch.full((count,), 2.8))


@pytest.mark.parametrize(("nodes", "worth", "foggy"), [(5, 4, False), (6, 5, True)])
def test_a_ray_is_foggy_by_hand(nodes: int, worth: int, foggy: bool) -> None:
    """Thin fog in the first layers of nodes, the ring among them: more than half of eight coarse samples, or just half.

    Node k lies at z = 0.2 k - 0.9, so the cells that five layers reach end at node 5, z = 0.1, and those of six at 0.3.
    """
    values = empty_values(8)
    values[:nodes] = 1.5
    grid = DensityGrid.build(values, SIDE, LONGEST, 0.0)
    coarse = [-0.8 + 1.6 * (i + 0.5) / 7 for i in range(8)]  # -0.69, -0.46, -0.23, 0, 0.23 ..
    assert sum(1 for z in coarse if z < 0.2 * nodes - 0.9) == worth and (worth > FOGGY_SHARE * 8) == foggy
    (plan,) = plan_samples(grid, along_z(), 8, 6)
    assert (plan.read is None) == foggy
    if foggy:
        assert plan.distances.shape == (1, 8)
        assert plan.distances[0, [0, -1]].tolist() == pytest.approx([2 + coarse[0], 2 + coarse[-1]], abs=1e-6)
    else:
        assert plan.read is not None and plan.distances.shape == plan.read.shape == (1, 14)


def test_one_pass_reads_what_its_own_samples_need() -> None:
    """Without importance samples no ray is foggy and none is dropped."""
    for grid in (random_grid(4, **CLOUDY), random_grid(0)):
        rays = random_rays(0)
        (plan,) = plan_samples(grid, rays, COARSE, 0)
        assert plan.ray.tolist() == list(range(len(rays)))
        torch.testing.assert_close(plan.distances, stratified_distances(rays.start, rays.end, COARSE))
        assert plan.read is not None and bool(plan.read.any())


def rows_of(plans: list[SamplePlan]) -> dict[int, tuple[Tensor, Tensor | None]]:
    return {
        ray: (plan.distances[row], None if plan.read is None else plan.read[row])
        for plan in plans
        for row, ray in enumerate(plan.ray.tolist())
    }


@pytest.mark.parametrize("kind", [{}, CLOUDY])
def test_pieces_change_nothing(kind: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    grid, rays = random_grid(0, **kind), random_rays(0)
    whole = rows_of(list(plan_samples(grid, rays, COARSE, FINE)))
    monkeypatch.setattr(guided, "RAYS_PER_PIECE", 37)
    monkeypatch.setattr(guided, "FOGGY_RAYS_PER_PLAN", 5)
    plans = list(plan_samples(grid, rays, COARSE, FINE))
    assert max(len(plan.ray) for plan in plans) <= 37
    assert all(len(plan.ray) <= 5 for plan in plans if plan.read is None)
    pieces = rows_of(plans)
    assert pieces.keys() == whole.keys()
    for ray, (distances, read) in whole.items():
        torch.testing.assert_close(pieces[ray][0], distances, rtol=0, atol=1e-6)
        assert (read is None) == (pieces[ray][1] is None)
        if read is not None:
            assert torch.equal(read, pieces[ray][1])


def test_no_rays_and_nothing_to_see() -> None:
    grid = random_grid(0)
    assert list(plan_samples(grid, random_rays(0).select(slice(0, 0)), COARSE, FINE)) == []
    empty = DensityGrid.build(empty_values(8), SIDE, LONGEST, 0.0)
    assert sum(len(plan.ray) for plan in plan_samples(empty, random_rays(0), COARSE, FINE)) == 0


def test_a_wall_by_hand() -> None:
    """Solid from z = 0.1 on: what is read lies in the wall's cells and stops two samples after the light does."""
    values = empty_values(8)
    values[5:] = 40 * MATTER
    (plan,) = plan_samples(DensityGrid.build(values, SIDE, LONGEST, 0.0), along_z(), 16, 8)
    assert plan.read is not None
    z = plan.distances[0] - 2
    read = z[plan.read[0]]
    # the cells round node 5 begin at node 4, z = -0.1; matter of raw density 1600 stops all light within a sample
    before = z < -0.1
    assert not bool(plan.read[0, before].any())
    assert 2 <= len(read) <= 6 and float(read.min()) >= -0.1 and float(read.max()) < 0.35
    assert bool((z > 0.5).any())


def test_a_single_sample_is_worth_a_ray() -> None:
    """Thin matter round one layer of nodes: of 6 coarse samples, 0.32 apart, one lies in its cells, and the ray stays."""
    values = empty_values(8)
    values[3] = 3.0  # z = -0.3; its cells go from -0.5 to -0.1
    (plan,) = plan_samples(DensityGrid.build(values, SIDE, LONGEST, 0.0), along_z(), 6, 1)
    assert plan.read is not None and plan.ray.tolist() == [0]
    z = plan.distances[0] - 2
    assert plan.read[0].tolist() == ((z > -0.5) & (z < -0.1)).tolist() and int(plan.read.sum()) == 1


def test_points_along_by_hand() -> None:
    origins, directions = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    found = points_along(origins, directions, torch.tensor([[0.5, 1.0], [2.0, 4.0]]))
    assert found.t().tolist() == [[1, 2, 3.5], [1, 2, 4], [2, 0, 0], [4, 0, 0]]
