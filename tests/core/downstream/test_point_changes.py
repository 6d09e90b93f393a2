"""Normalisation, augmentation, recipes and neighbours: each change is what it says, and chance comes from the generator alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Generator, Tensor

from dnerf_core.downstream.points import augmentation
from dnerf_core.downstream.points.neighbours import nearest, stray
from dnerf_core.downstream.points.normalising import headings_rad, normalised, ordered, turned
from dnerf_core.downstream.points.recipes import RECIPES
from dnerf_core.errors import UsageError
from tests.core.downstream.cloud_cases import block


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def some(batch: int = 3, count: int = 400) -> tuple[Tensor, Tensor]:
    pairs = [block(seed, count) for seed in range(batch)]
    return torch.from_numpy(np.stack([p for p, _ in pairs])), torch.from_numpy(np.stack([c for _, c in pairs])).long()


@pytest.mark.parametrize("how", ["ball", "robust"])
def test_a_normalised_cloud_has_neither_unit_nor_place(how: str) -> None:
    points, _ = some()
    expected = normalised(points, how)
    moved = points * torch.tensor([100.0, 0.01, 1.0])[:, None, None] + torch.tensor([3.0, -7.0, 2.0])[:, None, None]
    torch.testing.assert_close(normalised(moved, how), expected, atol=1e-3, rtol=1e-3)
    if how == "ball":
        assert expected.norm(dim=-1).amax(dim=1).tolist() == pytest.approx([1, 1, 1], rel=1e-5)
        torch.testing.assert_close(expected.amin(dim=1), -expected.amax(dim=1), atol=1e-5, rtol=1e-5)
    else:
        assert (expected.norm(dim=-1) <= 1).float().mean(dim=1).tolist() == pytest.approx([0.95] * 3, abs=0.01)


def test_strays_move_the_robust_frame_little_and_the_other_one_far() -> None:
    points, _ = some(1)
    spoiled = points.clone()
    spoiled[0, :4] = torch.tensor([30.0, 40.0, 50.0])
    kept = slice(4, None)
    assert (normalised(spoiled, "robust") - normalised(points, "robust"))[:, kept].abs().max() < 0.1
    assert (normalised(spoiled, "ball") - normalised(points, "ball"))[:, kept].abs().max() > 0.5


def test_a_cloud_of_one_place_stays_finite() -> None:
    for how in ("ball", "robust"):
        assert normalised(torch.full((1, 5, 3), 7.0), how).eq(0).all()


def test_a_quarter_turn_takes_the_front_to_the_left() -> None:
    front = torch.tensor([[[0.0, 2.0, 1.0]]])
    torch.testing.assert_close(turned(front, torch.tensor([math.pi / 2])), torch.tensor([[[1.0, 2.0, 0.0]]]), atol=1e-6, rtol=0)
    assert headings_rad(4).tolist() == pytest.approx([0, math.pi / 2, math.pi, 3 * math.pi / 2])


def test_a_tilt_keeps_lengths_and_leans_by_no_more() -> None:
    up = torch.tensor([0.0, 1.0, 0.0]).expand(500, 1, 3)
    leaned = augmentation.tilted(up, 20.0, chance())
    angles = torch.rad2deg(torch.acos(leaned[:, 0, 1].clamp(-1, 1)))
    assert leaned.norm(dim=-1).allclose(torch.ones(500, 1), atol=1e-5)
    assert 18 < angles.max() <= 20.01 and angles.min() < 2


def test_scale_noise_and_turn_stay_within_what_they_say() -> None:
    points, _ = some()
    factors = augmentation.scaled(points, 0.9, 1.1, chance()) / points
    assert factors[points.abs() > 0.01].min() >= 0.9 and factors[points.abs() > 0.01].max() <= 1.1001
    assert (augmentation.jittered(points, 0.01, chance()) - points).abs().max() <= 0.0301
    turn = augmentation.turned_at_random(points, chance())
    assert turn[..., 1].equal(points[..., 1]) and turn.norm(dim=-1).allclose(points.norm(dim=-1), atol=1e-5)
    assert not turn[0].allclose(points[0], atol=0.05)


def test_patches_are_connected_and_no_more_than_the_share() -> None:
    points, _ = some(40)
    missing = augmentation.in_patches(points, 3, 0.3, chance())
    shares = missing.float().mean(dim=1)
    assert shares.max() <= 0.3 and shares.max() > 0.15 and (shares == 0).any()
    only = augmentation.in_patches(points, 1, 0.3, chance(2))
    cloud = int(only.float().mean(dim=1).argmax())
    inside, outside = points[cloud][only[cloud]], points[cloud][~only[cloud]]
    reach = torch.cdist(inside, inside).amax(dim=1).min()  # of the ball about its middle
    middle = inside[torch.cdist(inside, inside).amax(dim=1).argmin()]
    assert (outside - middle).norm(dim=1).min() > 0.5 * reach


def test_drawn_points_keep_their_labels_and_come_once() -> None:
    points, labels = some(2, 100)
    left_out = torch.zeros(2, 100, dtype=torch.bool)
    left_out[0, :60] = True
    drawn, ids = augmentation.drawn(points, labels, left_out, 70, chance())
    for cloud, own, of_cloud, its in zip(drawn, ids, points, labels, strict=True):
        place = torch.cdist(cloud.double(), of_cloud.double()).argmin(dim=1)
        assert of_cloud[place].equal(cloud) and its[place].equal(own)
    assert len({tuple(row) for row in drawn[1].tolist()}) == 70
    assert len({tuple(row) for row in drawn[0].tolist()}) == 40  # all that are left, some of them again


def test_strays_are_ignored_and_few() -> None:
    points, labels = some(20)
    spoiled, ids = augmentation.with_outliers(points, labels, 0.1, chance())
    stray_ones = ids == 255
    assert 0.02 < stray_ones.float().mean() < 0.08 and stray_ones.float().mean(dim=1).max() < 0.16
    assert spoiled[~stray_ones].equal(points[~stray_ones]) and ids[~stray_ones].equal(labels[~stray_ones])


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipes_batch_is_the_generators_alone(name: str) -> None:
    points, labels = some(2, 700)
    clouds = [(points[0], labels[0]), (points[1, :90], labels[1, :90])]
    first, ids = RECIPES[name].batch(clouds, 128, chance(5))
    again, _ = RECIPES[name].batch(clouds, 128, chance(5))
    other, _ = RECIPES[name].batch(clouds, 128, chance(6))
    assert first.shape == (2, 128, 3) and ids.shape == (2, 128) and first.dtype == torch.float32
    assert first.equal(again) and not first.equal(other)
    assert 0.7 < first.norm(dim=-1).quantile(0.95) < 1.3
    fronts = {
        float(torch.atan2(*first[0][ids[0] == 2].mean(dim=0)[[0, 2]]))
        for first, ids in [RECIPES[name].batch(clouds, 128, chance(seed)) for seed in range(8)]
    }
    assert (max(fronts) - min(fronts) > 1) == (name == "scans")  # the nose points everywhere, or ahead


def test_neighbours_are_those_of_a_tree_wherever_the_cloud_lies() -> None:
    numbers = np.random.default_rng(0)
    for count in (4, 50, 3000):
        points = numbers.normal(size=(count, 3)) * [1.0, 0.2, 3.0]
        points[: count // 50] *= 20
        queries = np.concatenate([points[: count // 2], numbers.uniform(-80, 80, (20, 3))])
        for offset in (0.0, 1e5):
            distance, index = nearest(points + offset, queries + offset, 3)
            expected, which = cKDTree(points).query(queries, k=3)
            np.testing.assert_allclose(distance, expected, atol=2e-4)
            assert (index == which).mean() > 0.99


def test_too_few_points_have_no_such_neighbours() -> None:
    with pytest.raises(UsageError, match="expected at least 3 points, found 2"):
        nearest(np.zeros((2, 3)), np.zeros((1, 3)), 3)


def test_strays_are_seen_and_the_surface_is_not() -> None:
    points, _ = block(1, 2000)
    spoiled = np.concatenate([points, np.random.default_rng(1).uniform(-2, 2, (40, 3)).astype(np.float32)])
    found = stray(spoiled)
    assert found[2000:].mean() > 0.85 and found[:2000].mean() < 0.01
    assert not stray(spoiled[:9]).any()


@pytest.mark.parametrize("shape", [(4, 31), (2, 31, 3)])
def test_values_come_in_the_order_of_torchs_sort(shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, generator=Generator().manual_seed(0))
    assert torch.equal(ordered(values, 1), values.sort(dim=1).values)
    assert ordered(values.requires_grad_(), 1).requires_grad, "gradients flow as they did"
