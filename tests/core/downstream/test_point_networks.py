"""PointNet and PointNet++: what they must not depend on, their neighbourhoods against slow references, and their sizes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dnerf_core.downstream.points import pointnet, pointnet2
from dnerf_core.downstream.points.grouping import (
    ball_indices,
    farthest_point_indices,
    gathered,
    interpolated,
    squared_distances,
)
from dnerf_core.downstream.points.networks import BUILDERS, built
from dnerf_core.pointcloud.thinning import farthest_points
from tests.core.downstream.cloud_cases import LABELS

TINY2 = pointnet2.PointNet2Config(
    levels=((24, (pointnet2.Scale(0.4, 6, (8, 8)), pointnet2.Scale(0.8, 8, (8,)))), (6, (pointnet2.Scale(1.5, 6, (12,)),))),
    whole=(16,),
    back=((12,), (10,), (8,)),
    head=(8,),
)
TINY = dataclasses.replace(
    pointnet.PAPER, local=(8, 10), deep=(12, 16), head=(9, 7), transform_widths=((6, 8), (7,)), dropout=0.0
)


def clouds(count: int = 40, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, count, 3, generator=torch.Generator().manual_seed(3)) * 0.5


@pytest.mark.parametrize("network", [pointnet.PointNet(4, TINY), pointnet2.PointNet2(4, TINY2)], ids=["pointnet", "pointnet2"])
def test_a_point_keeps_its_logits_whatever_the_order_and_the_other_clouds(network: torch.nn.Module) -> None:
    network.eval()
    points = clouds()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = network(points)
        assert logits.shape == (2, 40, 4)
        torch.testing.assert_close(network(points[:, order]), logits[:, order], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(network(points[1:]), logits[1:], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(network(points * torch.tensor([1.0, 1.0, -1.0])), logits, atol=1e-3)


def test_the_papers_pointnet_reads_3008_features_and_adds_its_penalty() -> None:
    network = pointnet.PointNet(4, pointnet.PAPER)
    read = network.of_points.linear.in_features + network.of_cloud.in_features
    assert read == 64 + 128 + 128 + 128 + 512 + 2048 + 2048  # figure 9, but for the category's 16 columns
    tiny = pointnet.PointNet(4, TINY)
    _, penalty = tiny.with_penalty(clouds())
    assert float(penalty) == pytest.approx(0.0, abs=1e-6)  # transforms begin as the identity
    with torch.no_grad():
        tiny.feature_transform.matrix.bias.mul_(2.0)
    _, penalty = tiny.with_penalty(clouds())
    assert float(penalty) == pytest.approx(0.001 * 10 * (1 - 4) ** 2, rel=1e-5)  # |I - 4 I|^2 of 10 x 10


def test_the_small_pointnet_has_90k_parameters_and_is_the_seeds() -> None:
    first, same, other = (
        built("pointnet-small", LABELS, 0),
        built("pointnet-small", LABELS, 0),
        built("pointnet-small", LABELS, 1),
    )
    assert sum(value.numel() for value in first.parameters()) < 91_000
    assert torch.equal(first.logits.weight, same.logits.weight) and not torch.equal(first.logits.weight, other.logits.weight)
    assert all(callable(getattr(build(3), "with_penalty", None)) for build in BUILDERS.values())


def test_a_network_learns_in_bfloat16_too() -> None:
    network = pointnet2.PointNet2(3, TINY2).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = network.with_penalty(clouds())
    logits.float().square().mean().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in network.parameters())


def test_farthest_points_are_those_of_the_slow_reference() -> None:
    points = clouds(200, 3)
    found = farthest_point_indices(points, 30)
    for cloud, indices in zip(points, found, strict=True):
        assert indices.tolist() == farthest_points(cloud.numpy(), 30).tolist()


def test_balls_hold_the_nearest_points_within_them() -> None:
    points = clouds(60, 1)
    centres = points[:, :5]
    distances = squared_distances(centres, points)
    slow = (centres[:, :, None] - points[:, None]).norm(dim=-1)
    torch.testing.assert_close(distances, slow.square(), atol=1e-5, rtol=1e-5)
    found = ball_indices(distances, 0.5, 8)
    for row, indices in zip(slow[0], found[0], strict=True):
        near = [i for i in row.argsort().tolist() if row[i] <= 0.5][:8]
        assert indices.tolist() == near + [near[0]] * (8 - len(near))


def test_features_are_carried_by_the_inverse_of_squared_distances() -> None:
    centres = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0], [3.0, 0, 0], [99.0, 0, 0]]])
    place = torch.tensor([[[2.0, 0, 0], [0.0, 0, 0]]])
    features = torch.tensor([[[1.0], [2.0], [4.0], [8.0]]])
    found = interpolated(features, squared_distances(place, centres))[0, :, 0]
    assert found[0] == pytest.approx((1 / 4 + 2 / 1 + 4 / 1) / (1 / 4 + 1 / 1 + 1 / 1), rel=1e-5)
    assert found[1] == pytest.approx(1.0, rel=1e-5)
    assert gathered(features, torch.tensor([[2, 0]]))[0, :, 0].tolist() == [4.0, 1.0]


def test_places_that_run_out_come_again() -> None:
    points = torch.tensor(np.repeat([[0.0, 0, 0], [1.0, 0, 0]], 2, axis=0), dtype=torch.float32)[None]
    assert set(points[0, farthest_point_indices(points, 5)[0], 0].tolist()) == {0.0, 1.0}
