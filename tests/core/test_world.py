"""The demo cars: distance, normals, parts, colours and the map from latent codes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dnerf_core.demo.car_parameters import RANGES, Z_DIM, CarParameters, normalized_latent, parameters_from_latent
from dnerf_core.demo.car_shape import corner_distance, polygon_distance, polygon_edges, shape_fields, smooth_maximum
from dnerf_core.demo.world import PART_NAMES, Cars
from dnerf_core.errors import UsageError


def latent(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(seed))


def box_points(cars: Cars, count: int, margin: float = 0.1, seed: int = 1) -> Tensor:
    uniform = torch.rand(len(cars), count, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return uniform * (cars.half_extents[:, None] + margin)


@pytest.fixture(scope="module")
def cars() -> Cars:
    return Cars.from_latent(latent(8))


def test_parameters_are_the_normal_distribution_function_of_the_normalized_code() -> None:
    z = torch.zeros(1, Z_DIM)
    z[0, 0], z[0, 1] = 3.0, -4.0  # second moment (9 + 16) / 20 = 1.25
    p = parameters_from_latent(z)
    scaled = 3.0 / math.sqrt(1.25)
    low, high = RANGES["length"]
    assert p.length.item() == pytest.approx(low + (high - low) * 0.5 * (1 + math.erf(scaled / math.sqrt(2))), abs=1e-6)
    low, high = RANGES["width"]
    assert p.width.item() == pytest.approx(low + (high - low) * 0.5 * (1 - math.erf(4 / math.sqrt(1.25 * 2))), abs=1e-6)
    assert p.rim_brightness.item() == pytest.approx(sum(RANGES["rim_brightness"]) / 2, abs=1e-6)


def test_every_latent_dimension_names_one_parameter() -> None:
    assert list(RANGES) == list(CarParameters.__dataclass_fields__)
    assert len(RANGES) == Z_DIM


def test_only_the_direction_of_a_code_matters() -> None:
    z = latent(4)
    points = box_points(Cars.from_latent(z), 500)
    near, far = Cars.from_latent(z), Cars.from_latent(z * 7.5)
    torch.testing.assert_close(normalized_latent(z).square().mean(dim=1), torch.ones(4))
    torch.testing.assert_close(near.signed_distance(points), far.signed_distance(points), atol=2e-6, rtol=0)


def test_wrong_shapes_are_refused_in_one_line(cars: Cars) -> None:
    with pytest.raises(UsageError, match=r"expected shape \[B, 20\], found \[3, 19\]"):
        Cars.from_latent(torch.zeros(3, 19))
    with pytest.raises(
        UsageError, match=r"points: expected shape \[8, N, 3\], found \[5, 3\]; pass points for each of the 8 cars"
    ):
        cars.signed_distance(torch.zeros(5, 3))


def test_polygon_distance_of_a_square_by_hand() -> None:
    corners = [(torch.tensor([[a]]), torch.tensor([[b]])) for a, b in ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))]
    z, y = torch.tensor([[0.25, 3.0, 4.0, 0.0]]), torch.tensor([[0.0, 0.5, 5.0, -1.5]])
    distance, grad_z, grad_y = polygon_distance(polygon_edges(corners), z, y)
    torch.testing.assert_close(distance, torch.tensor([[-0.75, 2.0, 5.0, 0.5]]))  # inside, face, corner (3, 4, 5), lower face
    torch.testing.assert_close(grad_z, torch.tensor([[1.0, 1.0, 0.6, 0.0]]))
    torch.testing.assert_close(grad_y, torch.tensor([[0.0, 0.0, 0.8, -1.0]]))


def test_corner_distance_by_hand_and_against_the_nearest_point_of_the_wedge() -> None:
    def at(a: float, b: float, cosine: float) -> float:
        return corner_distance(torch.tensor([a]), torch.tensor([b]), torch.tensor([cosine])).item()

    assert at(3.0, 4.0, 0.0) == pytest.approx(5.0)
    assert at(-3.0, -4.0, 0.0) == -3.0
    assert at(0.1, 2.0, 0.5) == 2.0  # the foot on the second plane lies on the wedge: 0.1 < 2 * 0.5
    # normals (1, 0) and (0.5, sqrt(3)/2): from (0.3, 0.8) the nearest point lies on the second plane, or at the origin
    x, y = 0.3, 0.8
    assert at(x, 0.5 * x + math.sqrt(0.75) * y, 0.5) == pytest.approx(
        min(math.hypot(x - s * -math.sqrt(0.75), y - s * 0.5) for s in torch.linspace(0, 2, 2001).tolist()), abs=1e-4
    )
    assert at(3.0, 4.0, -0.5) == pytest.approx(5.0)  # sharper wedges count as right angles


def test_smooth_maximum_by_hand() -> None:
    value, weight = smooth_maximum(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.1]), 0.2)
    torch.testing.assert_close(value, torch.tensor([1.0, 1.05, 0.1 * 0.75 + 0.25 * 0.75 * 0.2]))
    torch.testing.assert_close(weight, torch.tensor([1.0, 0.5, 0.25]))


def test_distance_never_changes_faster_than_the_point_moves(cars: Cars) -> None:
    points = box_points(cars, 4000)
    generator = torch.Generator().manual_seed(2)
    for reach in (2e-3, 0.03, 0.2):
        step = torch.randn(points.shape, generator=generator) * reach
        change = (cars.signed_distance(points + step) - cars.signed_distance(points)).abs()
        # 3%: where three rounded faces meet, the cosine of the corner formula itself turns with the point
        assert (change / step.norm(dim=-1)).max() < 1.03


def test_distance_is_close_to_exact_near_the_surface(cars: Cars) -> None:
    points = box_points(cars, 4000)
    distance = cars.signed_distance(points)
    half_step = 1e-3 * torch.eye(3)
    slope = (
        torch.stack([cars.signed_distance(points + e) - cars.signed_distance(points - e) for e in half_step], -1).norm(dim=-1)
        / 2e-3
    )
    near = distance.abs() < 0.08
    assert slope[near].mean() > 0.98
    assert ((slope[near] - 1).abs() < 0.05).float().mean() > 0.93


def test_distance_against_a_dense_cloud_of_surface_points(cars: Cars) -> None:
    one = cars[2:3]
    cloud = one.surface_points(20000, torch.Generator().manual_seed(3))
    points = box_points(one, 1500)
    distance, to_cloud = one.signed_distance(points), torch.cdist(points, cloud).amin(dim=-1)
    assert (distance <= to_cloud + 2e-3).all()  # the cloud's own points are off by at most 2e-3, at creases
    band = (distance.abs() > 0.02) & (distance.abs() < 0.08)
    assert (distance.abs() / to_cloud)[band].mean() > 0.95


def test_surface_points_and_project_land_on_the_surface(cars: Cars) -> None:
    cloud = cars.surface_points(1000, torch.Generator().manual_seed(4))
    again = cars.surface_points(1000, torch.Generator().manual_seed(4))
    assert cloud.shape == (8, 1000, 3)
    assert torch.equal(cloud, again)
    residual = cars.signed_distance(cloud).abs()
    assert residual.quantile(0.999) < 5e-4
    assert residual.max() < 4e-3
    near = cloud + 0.02 * torch.randn(cloud.shape, generator=torch.Generator().manual_seed(5))
    assert cars.signed_distance(cars.project(near)).abs().quantile(0.99) < 5e-4
    assert (cloud.abs() <= cars.half_extents[:, None] + 2e-3).all()


def test_length_and_box_are_the_exact_extent(cars: Cars) -> None:
    half = cars.half_extents
    torch.testing.assert_close(cars.length, 2 * half[:, 2])
    axis = torch.linspace(-1, 1, 61)
    face = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(1, -1, 2)
    for dimension in range(3):
        others = [d for d in range(3) if d != dimension]
        for sign in (-1.0, 1.0):
            slab = torch.zeros(len(cars), face.shape[1], 3)
            slab[..., others] = face * half[:, None, others]
            for shift, lowest in ((1e-5, 0.0), (-2e-3, -1.0)):
                slab[..., dimension] = sign * (half[:, None, dimension] + shift)
                touching = cars.signed_distance(slab).amin(dim=1)
                # just outside every face all is free; 2 mm inside, every face but the front and rear edges cuts a part of the car
                assert (touching > lowest).all()
                if shift < 0:
                    assert (touching < 2e-4).all(), (dimension, sign, touching)


def test_every_car_of_a_large_draw_stays_in_its_cube_with_a_margin() -> None:
    size = 2 * Cars.from_latent(latent(4096, seed=9)).half_extents
    low, high = size.amin(dim=0), size.amax(dim=0)
    assert (high < 2 * 0.87).all()
    assert low[0] > 0.58 and high[0] < 0.72
    assert low[1] > 0.41 and high[1] < 0.60
    assert low[2] > 1.30 and high[2] < 1.66


def test_a_car_does_not_depend_on_its_batch(cars: Cars) -> None:
    points = box_points(cars, 300)
    for index in (0, 5):
        alone = Cars.from_latent(latent(8)[index : index + 1])
        own = points[index : index + 1]
        torch.testing.assert_close(alone.signed_distance(own), cars.signed_distance(points)[index : index + 1], atol=1e-6, rtol=0)
        torch.testing.assert_close(alone.length, cars.length[index : index + 1], atol=0, rtol=0)
        assert (alone.parts(own) == cars.parts(points)[index : index + 1]).float().mean() > 0.995
        torch.testing.assert_close(cars[index : index + 1].shape.cowl_z, alone.shape.cowl_z, atol=0, rtol=0)


def test_passes_do_not_change_the_result(cars: Cars, monkeypatch: pytest.MonkeyPatch) -> None:
    points = box_points(cars, 250)
    whole = cars.signed_distance(points), cars.colors(points)
    monkeypatch.setattr("dnerf_core.demo.world._PASS_POINTS", 8 * 64)
    torch.testing.assert_close(cars.signed_distance(points), whole[0], atol=1e-6, rtol=0)
    assert ((cars.colors(points) - whole[1]).abs().amax(dim=-1) < 1e-3).float().mean() > 0.995


def test_parts_sit_where_a_car_has_them(cars: Cars) -> None:
    half = cars.half_extents
    zero = torch.zeros(len(cars))
    s = cars.shape
    middle_hood = torch.stack([zero, half[:, 1], (s.cowl_z + s.half_length)[:, 0] / 2], -1)
    roof_top = torch.stack([zero, half[:, 1], s.window_middle_z[:, 0]], -1)
    hub = torch.stack([half[:, 0], (s.wheel_radius - s.half_height)[:, 0], -s.axle_z[:, 0]], -1)
    tail = torch.stack([zero, (s.bottom_y + s.belt_y)[:, 0] / 2, -half[:, 2]], -1)
    door = torch.stack([half[:, 0], (s.bottom_y + s.belt_y)[:, 0] / 2, zero], -1)
    # the hood lies under its probe: walk down to it
    for _ in range(20):
        middle_hood[:, 1] -= cars.signed_distance(middle_hood[:, None])[:, 0]
    parts = cars.parts(torch.stack([middle_hood, roof_top, hub, tail, door], 1))
    assert parts.dtype == torch.uint8
    expected = [PART_NAMES.index(name) for name in ("hood", "roof", "wheels", "other", "other")]
    assert parts.tolist() == [expected] * len(cars)


def test_every_part_has_a_visible_share_of_the_surface(cars: Cars) -> None:
    cloud = cars.surface_points(4000, torch.Generator().manual_seed(6))
    _, parts, _ = cars.surface_appearance(cloud)
    share = torch.stack([(parts == part).float().mean(dim=1) for part in range(5)], 1)
    assert (share[:, 0] == 0).all()
    assert (share[:, 1:4] > 0.04).all()
    torch.testing.assert_close(share.sum(dim=1), torch.ones(len(cars)))


def test_colors_and_normals_have_their_ranges_and_agree_on_the_surface(cars: Cars) -> None:
    points = box_points(cars, 1000)
    colors, normals = cars.colors(points), cars.normals(points)
    assert colors.dtype == torch.float32 and colors.shape == points.shape
    assert colors.min() >= 0 and colors.max() <= 1
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(points.shape[:2]))
    cloud = cars.surface_points(1000, torch.Generator().manual_seed(7))
    on_surface, parts, facing = cars.surface_appearance(cloud)
    assert (cars.parts(cloud) == parts).float().mean() > 0.99
    assert ((cars.colors(cloud) - on_surface).abs().amax(dim=-1) < 0.02).float().mean() > 0.97
    outside, inside = cars.signed_distance(cloud + 0.01 * facing), cars.signed_distance(cloud - 0.01 * facing)
    assert (outside > inside).float().mean() > 0.995


def test_every_dimension_of_the_code_changes_the_car(cars: Cars) -> None:
    base = torch.zeros(1, Z_DIM)
    base[0] = 0.8
    cloud = Cars.from_latent(base).surface_points(3000, torch.Generator().manual_seed(8))

    def look(z: Tensor) -> Tensor:
        changed = Cars.from_latent(z)
        return torch.cat([10 * changed.signed_distance(cloud)[..., None], changed.colors(cloud)], dim=-1)

    reference = look(base)
    for dimension in range(Z_DIM):
        moved = base.clone()
        moved[0, dimension] = -0.8
        assert (look(moved) - reference).abs().mean() > 1e-3, list(RANGES)[dimension]


def test_left_and_right_halves_have_the_same_shape(cars: Cars) -> None:
    points = box_points(cars, 200)
    mirrored = points * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(shape_fields(cars.shape, points).total, shape_fields(cars.shape, mirrored).total)
