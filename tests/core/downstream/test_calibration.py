"""A segmenter's calibration: the temperature that was put into scores, borders between known and strange pictures, and its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.downstream.images.calibration import Calibration, Look, Sampled, calibration_of, foreign_picture
from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.images.segmenter import Segmenter, settings_of
from dnerf_core.downstream.network_file import save_network
from dnerf_core.errors import CheckpointError
from tests.core.downstream.small_sets import LABELS, small_view

MEASURED = Calibration(1.5, 3.25, 0.02, 96)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_scores_is_found(temperature: float) -> None:
    generator, sampled = torch.Generator().manual_seed(1), Sampled()
    for _ in range(8):
        scores = 2 * torch.randn(3, 40, 40, generator=generator)
        truth = torch.multinomial(scores.softmax(0).reshape(3, -1).T, 1, generator=generator).reshape(40, 40)
        # where all pixels count, none of them chosen by what was drawn
        sampled.add(torch.cat([torch.full((1, 40, 40), -60.0), scores]) * temperature, truth.numpy().astype(np.uint8) + 1)
    assert sampled.temperature() == pytest.approx(temperature, rel=0.06)


def test_ignored_pixels_and_agreed_background_do_not_count() -> None:
    sampled = Sampled()
    scores = torch.zeros(3, 4, 4)
    scores[0] = 5.0
    sampled.add(scores, np.zeros((4, 4), np.uint8))
    sampled.add(-scores, np.full((4, 4), 255, np.uint8))
    assert sampled.temperature() == 1.0


def test_a_look_tells_share_and_energy_of_parts() -> None:
    scores = torch.full((3, 2, 2), -40.0)
    scores[0, 0] = 7.0
    scores[1, 1, 0], scores[2, 1, 1] = 3.0, 5.0
    look = Look.at(scores)
    assert look.share == 0.5 and look.energy == pytest.approx(4.0)
    assert Look.at(scores[:, :1]).share == 0 and Look.at(scores[:, :1]).energy == pytest.approx(7.0)


def looks(energies: list[float], share: float = 0.2) -> list[Look]:
    return [Look(share, energy) for energy in energies]


def test_the_border_lies_between_the_known_and_the_strange() -> None:
    known = looks([5.0 + 0.1 * n for n in range(11)])
    apart = calibration_of(1.0, known, looks([1.0, 1.5, 2.0, 2.0]))
    assert 3.4 < apart.energy < 3.6 and apart.share == pytest.approx(0.05) and apart.views == 11
    # overlapping: what is known is not blamed
    assert 5.0 <= calibration_of(1.0, known, looks([5.5, 6.0, 6.0, 7.0])).energy < 5.1
    # strange pictures without parts are told by that
    alone = calibration_of(1.0, known, looks([9.0] * 8, share=0.01))
    assert 4.4 < alone.energy < 4.7
    assert calibration_of(2.0, [], []).energy < -1e5


def test_foreign_pictures_are_made_of_a_view() -> None:
    view, _ = small_view(1, 32, 40)
    found = [foreign_picture(view, number, 7) for number in range(6)]
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 5 for picture in found)
    assert all(np.array_equal(picture, foreign_picture(view, number, 7)) for number, picture in enumerate(found))
    assert len({picture.tobytes() for picture in found}) == 6
    assert np.array_equal(np.sort(found[0].reshape(-1, 3), axis=0), np.sort(view.reshape(-1, 3), axis=0))


def saved(path: Path, settings: dict[str, Any]) -> Path:
    torch.manual_seed(2)
    state = build_network("mini", LABELS.num_classes).state_dict()
    save_network(path, kind="image", network="mini", labels=LABELS, settings=settings, state=state, training={})
    return path


def test_a_file_holds_it_and_confidence_follows_the_temperature(tmp_path: Path) -> None:
    plain = Segmenter.load(saved(tmp_path / "plain.safetensors", settings_of(32)))
    warm = Segmenter.load(saved(tmp_path / "warm.safetensors", settings_of(32, MEASURED)))
    assert plain.calibration is None and warm.calibration == MEASURED
    image, _ = small_view(4)
    (labels, sure, look), (same, less, again) = plain.predict_and_look(image), warm.predict_and_look(image)
    assert np.array_equal(labels, same) and (less <= sure + 1e-6).all() and less.mean() < sure.mean() and look == again
    scores = plain.class_scores(torch.from_numpy(image).permute(2, 0, 1)[None])[0]
    assert np.allclose(less, (scores / 1.5).softmax(0).max(0).values.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 0.0}, "temperature: expected a number from 0.25 to 8"),
        ({"temperature": True}, "temperature: expected a number"),
        ({"energy": "high"}, "energy: expected a number"),
        ({"share": 2}, "share: expected a number from 0 to 1"),
        ({"views": 0}, "views: expected a number"),
        ({"extra": 1}, "expected temperature, energy, share and views"),
    ],
)
def test_a_damaged_calibration_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    settings = settings_of(32) | {"calibration": MEASURED.to_json() | change}
    with pytest.raises(CheckpointError, match=words):
        Segmenter.load(saved(tmp_path / "net.safetensors", settings))
