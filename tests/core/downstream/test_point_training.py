"""Training of points and prediction of strange clouds: it learns, resumes bit for bit, and a cloud's frame does not matter."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.downstream.network_file import load_network_file, save_network
from dnerf_core.downstream.points import training as module
from dnerf_core.downstream.points.networks import PointSettings, built
from dnerf_core.downstream.points.onnx_file import write_onnx
from dnerf_core.downstream.points.prediction import PointSegmenter, predict_cloud
from dnerf_core.downstream.points.scoring import score_clouds
from dnerf_core.downstream.points.training import Order, PointTraining, TrainingState, train_network
from dnerf_core.errors import CheckpointError, UsageError
from tests.core.downstream.cloud_cases import LABELS, block

POINTS = 128


def tensors(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    points, labels = block(seed)
    return torch.from_numpy(points), torch.from_numpy(labels).long()


def settings(steps: int, recipe: str = "scans", **more: object) -> PointTraining:
    return PointTraining(recipe, POINTS, 8, steps, 0.004, 0, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PointNet that tells the blocks' parts at any heading."""
    torch.set_num_threads(1)
    network = built("pointnet-small", LABELS)
    state = train_network(network, [[tensors(seed) for seed in range(12)]], settings(160))
    path = tmp_path_factory.mktemp("network") / "blocks.safetensors"
    save_network(
        path,
        kind="points",
        network="pointnet-small",
        labels=LABELS,
        settings=PointSettings("scans", POINTS).to_json(),
        state=state.network,
        training={},
    )
    return path


def accuracy(path: Path, points: np.ndarray, labels: np.ndarray, **more: object) -> float:
    found, confidence = predict_cloud(path, points, **more)  # type: ignore[arg-type]
    assert found.dtype == np.uint8 and confidence.dtype == np.float32 and found.shape == confidence.shape == (len(points),)
    assert confidence.min() > 0 and confidence.max() <= 1.0001 and set(found.tolist()) <= {1, 2, 3}
    return float((found == labels).mean())


def test_it_tells_parts_of_unseen_clouds_of_any_frame(network_file: Path) -> None:
    points, labels = block(100, 1500)
    assert accuracy(network_file, points, labels) > 0.85
    angle = 2.0
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    assert accuracy(network_file, (points @ turn.T) * 1e4 + [5e6, -3e5, 12.0], labels) > 0.85
    z_up = points @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T
    assert accuracy(network_file, z_up[:, [0, 1, 2]], labels, up="z") > 0.85
    assert accuracy(network_file, z_up, labels, up="y") < 0.85  # it lies on its side


def test_small_and_large_clouds_get_a_label_for_every_point(network_file: Path) -> None:
    for count in (1, 2, 40, POINTS, POINTS + 1, 6000):
        points, labels = block(101, count)
        found = accuracy(network_file, points, labels)
        assert found > 0.8 or count < 100
    same = np.zeros((30, 3), np.float32)
    assert len(set(predict_cloud(network_file, same)[0].tolist())) == 1


def test_strays_do_not_spoil_the_rest(network_file: Path) -> None:
    points, labels = block(102, 1500)
    spoiled = np.concatenate([points, np.random.default_rng(0).uniform(-3, 3, (30, 3)).astype(np.float32)])
    found, _ = predict_cloud(network_file, spoiled)
    assert (found[:1500] == labels).mean() > 0.85


def test_the_same_cloud_gets_the_same_labels(network_file: Path) -> None:
    points, _ = block(103, 3000)
    segmenter = PointSegmenter.load(network_file)
    first, again = segmenter.predict(points), segmenter.predict(points)
    assert (first[0] == again[0]).all() and (first[1] == again[1]).all()
    assert segmenter.probabilities(points).sum(axis=1) == pytest.approx(np.ones(3000), abs=1e-4)


@pytest.mark.parametrize(
    ("points", "more", "message"),
    [
        (np.zeros((0, 3)), {}, "expected at least one, found none"),
        (np.array([[0.0, 1, np.nan], [1, 2, 3]]), {}, "expected finite coordinates, found 1 point"),
        (np.zeros((5, 2)), {}, "points: expected"),
        (np.zeros((5, 3), np.int64), {}, "points: expected"),
        (np.zeros((5, 3)), {"up": "w"}, "up: expected one of x, y, z"),
        (np.zeros((5, 3)), {"headings": 0}, "headings: expected a whole number from 1 to 360"),
        (np.zeros((5, 3)), {"draws": 0}, "draws: expected"),
    ],
)
def test_what_is_no_cloud_is_refused(network_file: Path, points: np.ndarray, more: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        predict_cloud(network_file, points, **more)


def test_a_file_with_other_settings_is_refused(network_file: Path, tmp_path: Path) -> None:
    file = load_network_file(network_file)
    for changes, message in (
        ({"network": "mini"}, "network: expected one of pointnet-small"),
        ({"settings": {"recipe": "raw", "points": 8}}, "recipe: expected aligned or scans, found 'raw'"),
        ({"settings": {"recipe": "scans", "points": True}}, "points: expected a whole number from 1 to 65536, found True"),
        ({"network": "pointnet2-small"}, "expected .* tensors"),
    ):
        path = tmp_path / "other.safetensors"
        own = {"network": "pointnet-small", "settings": file.header.settings} | changes
        save_network(path, kind="points", labels=LABELS, state=file.state, training={}, **own)  # type: ignore[arg-type]
        with pytest.raises(CheckpointError, match=message):
            PointSegmenter.load(path)


@pytest.mark.parametrize("name", ["pointnet-small", "pointnet2-small"])
def test_a_training_resumes_bit_for_bit(name: str) -> None:
    torch.set_num_threads(1)
    groups = [[tensors(0), tensors(1), tensors(2)], [tensors(3)]]
    whole = built(name, LABELS)
    kept: list[TrainingState] = []
    at_once = train_network(whole, groups, settings(4, checkpoint_every=2), keep=lambda state: kept.append(copy.deepcopy(state)))
    assert len(kept) == 1 and len(kept[0].losses) == 2
    rest = built(name, LABELS)
    resumed = train_network(rest, groups, settings(4, checkpoint_every=2), resume=kept[0])
    assert resumed.losses == at_once.losses
    assert all(torch.equal(value, at_once.network[key]) for key, value in resumed.network.items())
    state = torch.get_rng_state()
    train_network(built(name, LABELS), groups, settings(1))
    assert torch.equal(state, torch.get_rng_state())


def test_groups_share_a_batch_evenly_and_every_cloud_comes_once_a_turn() -> None:
    order = Order([5, 1], 4, seed=0)
    seen = [pair for step in range(5) for pair in order.of_step(step)]
    assert [group for group, _ in seen] == [0, 1] * 10
    first = [cloud for group, cloud in seen if group == 0]
    assert sorted(first[:5]) == sorted(first[5:]) == [0, 1, 2, 3, 4]
    assert Order([5, 1], 4, seed=0).of_step(3) == order.of_step(3)
    assert [Order([30], 4, 0).of_step(0)] != [Order([30], 4, 1).of_step(0)]


def test_unlabelled_points_are_not_learned_from() -> None:
    points, labels = tensors(0)
    targets = module._targets(torch.tensor([[0, 1, 3, 255]]))
    assert targets.tolist() == [[-100, 0, 2, -100]]
    network = built("pointnet-small", LABELS)
    state = train_network(network, [[(points, torch.zeros_like(labels))]], settings(1))
    assert state.losses == [0.0]


def test_onnx_runtime_gives_equal_labels_of_any_number_of_points(network_file: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    segmenter = PointSegmenter.load(network_file)
    write_onnx(tmp_path / "blocks.onnx", segmenter)
    session = runtime.InferenceSession(str(tmp_path / "blocks.onnx"), providers=["CPUExecutionProvider"])
    for batch, count in ((1, 50), (3, 333)):
        points = torch.randn(batch, count, 3, generator=torch.Generator().manual_seed(count)) * 0.5
        (logits,) = session.run(None, {"points": points.numpy()})
        with torch.no_grad():
            expected = segmenter.network(points).numpy()
        np.testing.assert_allclose(logits, expected, atol=1e-4)
        assert (logits.argmax(-1) == expected.argmax(-1)).all()
    assert session.get_modelmeta().custom_metadata_map["normalisation"] == "robust"


def test_scores_of_clouds_are_those_counted_by_hand() -> None:
    truth, found = np.array([1, 1, 2, 2, 0, 255], np.uint8), np.array([1, 2, 2, 2, 1, 3], np.uint8)
    other = np.array([3, 3], np.uint8)
    scores = score_clouds([(truth, found), (other, other)], 4)
    assert scores.points.iou_per_class[1:] == pytest.approx((1 / 2, 2 / 3, 1.0))
    assert scores.points.miou == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert scores.part_miou == pytest.approx(((1 / 2 + 2 / 3 + 1) / 3 + 1) / 2)  # a part that is nowhere counts as right
