"""The worker's `segment`: the labels that the engine gives the same points, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh

from dnerf_core.downstream.network_file import save_network
from dnerf_core.downstream.points.networks import PointSettings, built
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.labels import LabelSet
from headless.downstream.segmenting.shapes import point_labels
from tests.core.downstream.cloud_cases import LABELS, block
from tests.headless.worker_talk import Talk


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    talk = Talk()
    yield talk
    talk.client.stop()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, parts = tmp_path_factory.mktemp("network") / "points.safetensors", built("pointnet-small", LABELS, seed=5)
    settings = PointSettings("aligned", 64).to_json()
    save_network(
        path, kind="points", network="pointnet-small", labels=LABELS, settings=settings, state=parts.state_dict(), training={}
    )
    return path


def test_labels_are_the_engines(talk: Talk, network: Path) -> None:
    points = block(3, 200)[0]
    segmenter = PointSegmenter.load(network)
    result = talk.call("segment", network=str(network), points=talk.client.put_array(points), up="z").done()
    expected, confidence = point_labels(segmenter, points, None, "z", None)
    assert np.array_equal(talk.client.array(result["labels"]), expected)
    np.testing.assert_allclose(talk.client.array(result["confidence"]), confidence, atol=1e-5)
    assert LabelSet.from_json(result["label_set"]) == LABELS and result["unsure"]
    assert result["mean_confidence"] == pytest.approx(confidence.mean(), abs=1e-4)


def test_a_meshs_vertices_get_labels(talk: Talk, network: Path) -> None:
    ball = trimesh.creation.icosphere(2)
    vertices, faces = ball.vertices.astype(np.float32), ball.faces.astype(np.int32)
    names = {"points": talk.client.put_array(vertices), "faces": talk.client.put_array(faces)}
    result = talk.call("segment", network=str(network), **names).done()
    expected = point_labels(PointSegmenter.load(network), vertices, faces, "y", None)[0]
    assert np.array_equal(talk.client.array(result["labels"]), expected)


def test_wrong_requests_are_refused_in_one_line(talk: Talk, network: Path) -> None:
    points = block(3, 50)[0]
    far = np.array([[0, 1, 50]], np.int32)
    cases = [
        ({"points": points[:, :2]}, "points"),
        ({"points": points[:0]}, "expected at least one, found none"),
        ({"points": points * np.float32("nan")}, "expected finite coordinates"),
        ({"points": points, "faces": far}, "faces: expected indices of 50 points"),
        ({"points": points, "faces": far[:, :2]}, "faces"),
    ]
    for arrays, expected in cases:
        names = {name: talk.client.put_array(array) for name, array in arrays.items()}
        code, message = talk.call("segment", network=str(network), **names).failed()
        assert code == 2 and expected in message, message
    code, message = talk.call("segment", network=str(network), points="../x.npy").failed()
    assert code == 2 and "expected a plain name" in message
    code, message = talk.call("segment", network=__file__, points=talk.client.put_array(points)).failed()
    assert code == 1 and "expected a network file" in message
