"""The harder world of cars: functions of a seed, exact surfaces that can be traced, parts of told labels, and a shadow below."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnerf_core.camera import arc_cameras
from dnerf_core.demo.car_paint import OTHER, ROOF
from dnerf_core.demo.car_parameters import RANGES
from dnerf_core.demo.exact_worlds import EXACT_WORLDS, exact_world, world_sha256
from dnerf_core.demo.harder.cars import HarderCars
from dnerf_core.demo.harder.equipment import LABELS, RACK, SPOILER, Equipment, RoundedBox
from dnerf_core.demo.harder.shadow import ground_light
from dnerf_core.demo.harder.styles import STYLES
from dnerf_core.loaded_model import seed_latent
from dnerf_core.model import Model
from dnerf_core.rendering.camera_tensors import camera_tensors

SEEDS = tuple(range(32))


@pytest.fixture(scope="module")
def cars() -> HarderCars:
    return HarderCars.from_seeds(SEEDS)


def has(cars: HarderCars, index: int, kind: int) -> bool:
    return any(piece.kind == kind for piece in cars.equipment[index].pieces)


def test_a_car_is_a_function_of_its_seed_alone(cars: HarderCars) -> None:
    alone, points = HarderCars.from_seeds([7]), torch.rand(1, 200, 3) - 0.5
    among = cars[7:8]
    assert torch.equal(alone.signed_distance(points), among.signed_distance(points))
    for one, other in zip(alone.surface_appearance(points), among.surface_appearance(points), strict=True):
        assert torch.equal(one, other)
    batch = cars[5:9].surface_appearance(points.expand(4, -1, -1))
    assert torch.equal(batch[1][2], alone.surface_appearance(points)[1][0])
    assert torch.allclose(batch[0][2], alone.surface_appearance(points)[0][0], atol=1e-6)


def test_proportions_lie_inside_and_outside_of_what_the_demo_has_seen(cars: HarderCars) -> None:
    outside = []
    for name, (low, high) in RANGES.items():
        column = getattr(cars.parameters, name)[:, 0]
        outside.append(((column < low) | (column > high)).float())
    share = torch.stack(outside).mean()
    assert 0.25 < share < 0.75
    assert torch.stack(outside).sum(dim=0).min() >= 1  # no car is one of the demo's
    assert {*cars.styles} == {style.name for style in STYLES}


def test_distances_change_no_faster_than_points_move(cars: HarderCars) -> None:
    rng = torch.Generator().manual_seed(1)
    points = (2 * torch.rand(len(cars), 100, 3, generator=rng) - 1) * 0.9
    moved = points + 0.05 * torch.randn(points.shape, generator=rng)
    change = (cars.signed_distance(points) - cars.signed_distance(moved)).abs()
    assert float((change / (points - moved).norm(dim=-1)).max()) < 1.04


def test_everything_lies_inside_the_box_and_the_cube(cars: HarderCars) -> None:
    points = cars.surface_points(60, torch.Generator().manual_seed(2))
    assert bool((points.abs() <= cars.half_extents[:, None] + 2e-3).all())
    assert float(points.abs().max()) < 0.87
    assert float(cars.signed_distance(points).abs().max()) < 5e-3


def test_a_rounded_box_by_hand() -> None:
    box = RoundedBox(RACK, (0.0, 1.0, 0.0), (0.5, 0.2, 0.3), 0.1)
    x, y, z = torch.tensor([[0.0, 0.7, 0.5, 0.0], [1.0, 1.0, 1.3, 1.2], [0.0, 0.0, 0.0, 0.6]])
    assert box.distance(x, y, z).tolist() == pytest.approx(
        [-0.2, 0.2, (0.1**2 + 0.2**2) ** 0.5 - 0.1, (0.1**2 + 0.4**2) ** 0.5 - 0.1]
    )
    distance, _ = Equipment(()).nearest(torch.zeros(2, 3))
    assert bool(distance.isinf().all())


def test_racks_are_of_the_roof_and_spoilers_of_the_other_parts(cars: HarderCars) -> None:
    assert LABELS[RACK] == ROOF and LABELS[SPOILER] == OTHER
    kinds = {kind: 0 for kind in LABELS}
    for index in range(len(cars)):
        for piece in cars.equipment[index].pieces:
            x, y, z = piece.center
            top = torch.tensor([[[x, y + piece.half[1], z]]], dtype=torch.float32)
            if float(cars[index : index + 1].signed_distance(top).abs()) < 1e-4:
                kinds[piece.kind] += 1
                assert int(cars[index : index + 1].surface_appearance(top)[1]) == LABELS[piece.kind]
    assert min(kinds.values()) > 0


def test_the_ground_is_dark_below_the_car_and_white_far_from_it(cars: HarderCars) -> None:
    world = exact_world("harder-cars")
    camera = arc_cameras(world.cameras, (50.0, 50.0), (25.0, 25.0), count=1)[0]
    view = world.view(3, camera, 64)
    empty = view.mask == 0
    gray = view.rgb.astype(float).mean(axis=-1)
    rows = np.flatnonzero((~empty).any(axis=1))
    below = empty.copy()
    below[: rows[-1] - 3] = False
    below[rows[-1] + 4 :] = False
    assert gray[below].min() < 200 and gray[empty][:64].min() > 250
    assert np.isinf(view.depth_planar[empty]).all() and not view.cutout.coverage[empty].all()
    light = ground_light(cars[3:4], cars.paints[3].light, *camera_tensors(camera), 64, torch.zeros(64, 64, dtype=torch.bool))
    assert bool((light == 1).all())  # no pixel in question


@pytest.mark.parametrize("name", EXACT_WORLDS)
def test_every_world_gives_exact_views_and_surfaces(name: str) -> None:
    world = exact_world(name)
    camera = arc_cameras(world.cameras, (30.0, 30.0), (12.0, 12.0), count=1)[0]
    view, again = world.view(5, camera, 48), world.view(5, camera, 48)
    assert np.array_equal(view.rgb, again.rgb) and np.array_equal(view.mask, again.mask)
    assert np.array_equal(view.mask > 0, np.isfinite(view.depth_planar))
    assert {*np.unique(view.mask)} <= {*range(world.labels.num_classes)} and len(np.unique(view.mask)) > 3
    assert view.cutout.coverage[view.mask > 0].mean() > 0.9
    cloud = world.surface(5, 500)
    assert len(cloud) == 500 and cloud.labels is not None and cloud.labels.min() >= 1
    assert np.allclose(np.linalg.norm(cloud.normals, axis=1), 1, atol=1e-3)
    assert np.array_equal(cloud.points, world.surface(5, 500).points)


@pytest.mark.parametrize("name", EXACT_WORLDS)
def test_views_around_are_the_same_views(name: str) -> None:
    world = exact_world(name)
    cameras = arc_cameras(world.cameras, (-180.0, 180.0), (5.0, 30.0), count=3)
    for camera, around in zip(cameras, world.around(5, cameras, 32), strict=True):
        view = world.view(5, camera, 32)
        assert around.camera is camera and around.mask is not None
        assert np.array_equal(around.mask, view.mask) and np.array_equal(around.depth_planar, view.depth_planar)
        inside = view.cutout.coverage == 1
        difference = np.abs(around.rgb.astype(int) - view.rgb)[inside & (view.mask > 0)]
        assert difference.mean() < 20  # one ray a pixel, where pictures have several


def test_a_seed_is_the_same_subject_as_the_models() -> None:
    assert np.array_equal(seed_latent(11, 20), Model.load("demo-cars").latent(11))
    assert len({world_sha256(name) for name in EXACT_WORLDS}) == len(EXACT_WORLDS)
