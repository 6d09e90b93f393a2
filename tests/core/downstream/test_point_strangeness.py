"""How strange clouds are to a network of points, by hand and on blocks, and what a network file may say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.downstream.network_file import save_network
from dnerf_core.downstream.points.networks import BUILDERS, PointSettings, built
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.strangeness import Familiar, familiar_features
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.files.camera_files.turning import to_y_up
from tests.core.downstream.cloud_cases import LABELS, block


def save(path: Path, settings: dict[str, Any]) -> Path:
    state = built("pointnet-small", LABELS, 3).state_dict()
    save_network(path, kind="points", network="pointnet-small", labels=LABELS, settings=settings, state=state, training={})
    return path


def test_distance_by_hand() -> None:
    familiar = Familiar((1.0, 2.0), (0.5, 2.0))
    assert familiar.distance(torch.tensor([[1.0, 2.0]])) == 0
    first, second = (0.5 * (1.0**2 + 2.0**2)) ** 0.5, (0.5 * (4.0**2 + 0.0)) ** 0.5
    assert familiar.distance(torch.tensor([[1.5, 6.0], [3.0, 2.0]])) == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("name", BUILDERS)
def test_features_of_clouds_do_not_depend_on_their_order(name: str) -> None:
    network = built(name, LABELS, 1).eval()
    points = torch.from_numpy(np.stack([block(seed, 128)[0] for seed in (1, 2)]))
    with torch.no_grad():
        found, again = network.cloud_features(points), network.cloud_features(points.flip(1))  # type: ignore[operator]
    assert found.shape[0] == 2 and found.dim() == 2
    if not name.startswith("pointnet2"):  # whose first centre may be another of equally far ones
        torch.testing.assert_close(found, again, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recipe", ["aligned", "scans"])
def test_blocks_are_familiar_and_other_things_are_strange(recipe: Any, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    network = built("pointnet-small", LABELS, 3).eval()
    clouds = [(torch.from_numpy(points), torch.from_numpy(labels.astype(np.int64))) for points, labels in map(block, range(20))]
    familiar = familiar_features(network, clouds, recipe, 256, 0)
    segmenter = PointSegmenter.load(save(tmp_path / "x.safetensors", PointSettings(recipe, 256, familiar).to_json()))
    known = [segmenter.strangeness(block(seed)[0]) for seed in range(30, 36)]
    assert all(value is not None and 0.2 < value < 1.7 for value in known)
    largest = max(value for value in known if value is not None)
    points = block(40)[0]
    chance = np.random.default_rng(0)
    for strange in (points[:, [0, 2, 1]], chance.normal(size=(600, 3)), points * (1, 0.01, 1)):
        found = segmenter.strangeness(strange.astype(np.float32))
        assert found is not None and found > 1.3 * largest
    turned = segmenter.strangeness(points @ to_y_up("z")[:3, :3], up="z")
    assert turned == pytest.approx(segmenter.strangeness(points), abs=0.25)
    large = 1e6 + 100 * points.astype(np.float64)
    assert segmenter.strangeness(large) == pytest.approx(segmenter.strangeness(points), abs=0.05)


def test_a_network_that_does_not_know_says_so(tmp_path: Path) -> None:
    segmenter = PointSegmenter.load(save(tmp_path / "x.safetensors", PointSettings("aligned", 64).to_json()))
    assert segmenter.strangeness(block(1)[0]) is None
    with pytest.raises(UsageError, match="points: expected at least one, found none"):
        segmenter.strangeness(np.zeros((0, 3), np.float32))


@pytest.mark.parametrize(
    ("familiar", "words"),
    [
        ({"mean": [0.0] * 256, "deviation": [1.0] * 255}, "expected as many means as deviations"),
        ({"mean": [0.0] * 256, "deviation": [0.0] * 256}, "expected as many means as deviations above 0"),
        ({"mean": ["0"], "deviation": [1.0]}, "expected as many means"),
        ({"mean": [True], "deviation": [1.0]}, "expected as many means"),
        ({"mean": [0.0]}, "expected as many means"),
        ([], "expected as many means"),
        ({"mean": [0.0] * 3, "deviation": [1.0] * 3}, "expected 256 features of pointnet-small, found 3"),
    ],
)
def test_features_that_are_none_are_refused(familiar: Any, words: str, tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", {"recipe": "aligned", "points": 64, "familiar": familiar})
    with pytest.raises(CheckpointError, match=f"settings: familiar: {words}"):
        PointSegmenter.load(path)
