"""Sums over voxels, and thinning."""

from __future__ import annotations

import numpy as np
import pytest

from dnerf_core.errors import UsageError
from dnerf_core.pointcloud.thinning import every_so_many, farthest_points
from dnerf_core.pointcloud.voxels import VoxelSums, voxel_corners, voxel_keys

RNG = np.random.default_rng(1)
NAMES = ("keys", "weight", "offset", "normal", "color", "votes")


def sums_of(points: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None, voxel: float = 1.0) -> VoxelSums:
    normals = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    colors = np.tile(np.array([10, 20, 30], np.uint8), (len(points), 1))
    weights = np.ones(len(points)) if weights is None else weights
    return VoxelSums.from_points(points, normals, colors, labels, weights, voxel=voxel, num_classes=3)


def cloud_like(count: int) -> tuple[np.ndarray, ...]:
    normals = RNG.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return (
        RNG.normal(size=(count, 3)),
        normals,
        RNG.integers(0, 256, (count, 3)).astype(np.uint8),
        RNG.choice(np.array([1, 2, 255], np.uint8), count),
        RNG.random(count),
    )


def test_two_voxels_by_hand() -> None:
    points = np.array([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5], [-0.25, 0.0, 0.0]])
    sums = sums_of(points, np.array([1, 2, 2], np.uint8), np.array([1.0, 0.2, 1.0]))
    # 0.2 of 255 is 51; the voxel below x = 0 comes first
    np.testing.assert_array_equal(sums.weight, [255, 255 + 51])
    np.testing.assert_allclose(sums.points(), [[-0.25, 0, 0], [(255 * 0.25 + 51 * 0.75) / 306, 0.5, 0.5]], atol=1e-5)
    labels, confidence = sums.winners()
    np.testing.assert_array_equal(labels, [2, 1])
    np.testing.assert_allclose(confidence, [1, 255 / 306])
    np.testing.assert_array_equal(sums.normals(), [[0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(sums.colors(), [[10, 20, 30], [10, 20, 30]])


def test_ties_ignored_labels_and_opposite_normals() -> None:
    points = np.full((2, 3), 0.5)
    labels, confidence = sums_of(points, np.array([2, 1], np.uint8)).winners()
    assert (labels[0], confidence[0]) == (1, 0.5)
    labels, confidence = sums_of(points, np.array([255, 255], np.uint8)).winners()
    assert (labels[0], confidence[0]) == (0, 0)
    labels, confidence = sums_of(points, np.array([255, 2], np.uint8)).winners()
    assert (labels[0], confidence[0]) == (2, 1)
    normals = np.array([[0.0, 1, 0], [0, -1, 0]])
    sheet = VoxelSums.from_points(points, normals, np.zeros((2, 3), np.uint8), None, np.ones(2), voxel=1.0, num_classes=3)
    np.testing.assert_array_equal(sheet.normals(), [[0, 0, 0]])
    labels, confidence = sheet.winners()
    assert (labels[0], confidence[0]) == (0, 0)


def test_against_a_dictionary() -> None:
    points, normals, colors, labels, weights = cloud_like(500)
    sums = VoxelSums.from_points(points, normals, colors, labels, weights, voxel=0.4, num_classes=3)
    members: dict[tuple[int, ...], list[int]] = {}
    for index, point in enumerate(points):
        members.setdefault(tuple(int(np.floor(value / 0.4)) for value in point), []).append(index)
    assert len(sums.keys) == len(members)
    winners, confidence = sums.winners()
    for row, (cell, indices) in enumerate(sorted(members.items())):
        weight = np.maximum(np.rint(weights[indices] * 255), 1)
        np.testing.assert_allclose(voxel_corners(sums.keys[row : row + 1], 0.4)[0], np.array(cell) * 0.4)
        np.testing.assert_allclose(sums.points()[row], np.average(points[indices], axis=0, weights=weight), atol=1e-5)
        mean = np.average(normals[indices], axis=0, weights=weight)
        np.testing.assert_allclose(sums.normals()[row], mean / np.linalg.norm(mean), atol=1e-3)
        np.testing.assert_allclose(sums.colors()[row], np.average(colors[indices], axis=0, weights=weight), atol=0.51)
        votes = np.array([weight[labels[indices] == c].sum() for c in range(3)])
        assert winners[row] == votes.argmax()
        assert confidence[row] == pytest.approx(votes.max() / max(votes.sum(), 1))


def test_neither_order_nor_grouping_changes_a_bit() -> None:
    arrays = cloud_like(3000)

    def sums(rows: np.ndarray) -> VoxelSums:
        return VoxelSums.from_points(*(array[rows] for array in arrays), voxel=0.3, num_classes=3)  # type: ignore[arg-type]

    whole = sums(np.arange(3000))
    shuffled = sums(RNG.permutation(3000))
    parts = [sums(rows) for rows in np.array_split(RNG.permutation(3000), 7)]
    left = parts[0]
    for part in parts[1:]:
        left = left.plus(part)
    right = parts[-1]
    for part in reversed(parts[:-1]):
        right = part.plus(right)
    for other in (shuffled, left, right):
        for name in NAMES:
            np.testing.assert_array_equal(getattr(whole, name), getattr(other, name), err_msg=name)


def test_points_beyond_the_grid_are_told() -> None:
    assert len(voxel_keys(np.array([[1e5, 0, 0]]), 0.1)) == 1
    with pytest.raises(UsageError, match=r"voxel 0.01: expected points within 1048576 voxels of the origin, found one at 100000"):
        voxel_keys(np.array([[1e5, 0, 0]]), 0.01)


def test_farthest_points_by_hand() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [10, 0, 0]])
    # the mean is 3.25: 10 is farthest, then 0; of 1 and 2, 2 is 2 from 0, 1 is 1
    assert farthest_points(points, 4).tolist() == [3, 0, 2, 1]


def test_farthest_points_against_their_definition() -> None:
    points = RNG.random((60, 3))
    chosen = farthest_points(points, 20)
    assert len(set(chosen.tolist())) == 20
    for k in range(1, 20):
        distances = np.linalg.norm(points[:, None] - points[chosen[:k]][None], axis=2).min(axis=1)
        assert chosen[k] == distances.argmax()


def test_even_steps() -> None:
    assert every_so_many(10, 4).tolist() == [0, 2, 5, 7]
    assert every_so_many(5, 5).tolist() == [0, 1, 2, 3, 4]
