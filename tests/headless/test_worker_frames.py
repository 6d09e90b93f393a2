"""What a label video takes of a scene: its frames' numbers, its exact rate, subjects that change, and labels in their colours."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dnerf_core.camera import arc_cameras, cameras_from_json
from dnerf_core.model import Model
from dnerf_core.ranges import Rate
from headless import models
from headless.clips.video_files import read_label_video, timecode
from tests.headless.tiny_engine import LABELS, TINY, read_ids
from tests.headless.worker_talk import Talk, named

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

CAMERAS = arc_cameras(TINY.cameras, count=3)
NUMBERS = [101, 103, 105]


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    """One worker for all tests of the file."""
    talk = Talk()
    yield talk
    talk.client.stop()


@pytest.fixture
def request_of(trained_model: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "model": str(trained_model),
        "subjects": [{"seed": 1}],
        "cameras": named(CAMERAS),
        "size_px": 32,
        "output": str(tmp_path / "clip"),
        "name": "shot",
        "replace": True,
    }


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def told_timecode(path: Path) -> str:
    with av.open(str(path)) as container:
        told = [container.metadata, *(stream.metadata for stream in container.streams)]
    (found,) = {value for metadata in told for name, value in metadata.items() if name.casefold() == "timecode"}
    return str(found)


def test_frames_have_the_scenes_numbers_in_every_file(talk: Talk, request_of: dict[str, Any]) -> None:
    result = talk.call("video", **request_of, frame_numbers=NUMBERS, sequence=True, previews=["image", "palette"]).done()
    pictures = Path(result["sequence"])
    assert sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png")) == [
        f"{kind}/shot_{number:04d}.png" for kind in ("images", "masks") for number in NUMBERS
    ]
    listed = json.loads(Path(result["files"]["cameras"]).read_text())
    assert list(cameras_from_json(listed)) == [f"f{number:04d}" for number in NUMBERS]
    for kind in ("labels", "image", "palette"):
        assert told_timecode(Path(result["files"][kind])) == "00:00:04:05", "frame 101 of 24 a second"
    for number, ids in zip(NUMBERS, read_label_video(Path(result["files"]["labels"])), strict=True):
        np.testing.assert_array_equal(read_ids(pictures / "masks" / f"shot_{number:04d}.png"), ids)
    # the same call finds it there; of another range it is another clip
    assert talk.call("video", **request_of, frame_numbers=NUMBERS, sequence=True, previews=["image", "palette"]).done() == result
    request = request_of | {"replace": False}
    later = [number + 100 for number in NUMBERS]
    assert "another call" in talk.call("video", **request, frame_numbers=later, sequence=True).failed()[1]
    for wrong in ([1, 2], [3, 2, 1], [1, 1, 2], [-1, 0, 1], [1, 2, 10**7]):
        assert "params: frame_numbers: expected" in talk.call("video", **request_of, frame_numbers=wrong).failed()[1]


@pytest.mark.parametrize("fps", ["24000/1001", "30000/1001"])
def test_a_fraction_of_frames_a_second_is_exact(talk: Talk, request_of: dict[str, Any], fps: str) -> None:
    result = talk.call("video", **request_of, fps=fps, previews=["image", "palette"]).done()
    for kind in ("labels", "image", "palette"):
        with av.open(result["files"][kind]) as container:
            assert container.streams.video[0].average_rate == Fraction(fps), kind
    record = json.loads((Path(request_of["output"]) / "dataset.json").read_text())
    assert f'"fps": "{fps}"' in json.dumps(record)
    assert talk.call("video", **request_of, fps=fps, previews=["image", "palette"]).done() == result


def test_labels_in_their_colours_are_exact(talk: Talk, request_of: dict[str, Any]) -> None:
    files = talk.call("video", **request_of, previews=["palette"]).done()["files"]
    assert sorted(files) == ["cameras", "labels", "palette"]
    for ids, colors in zip(read_label_video(Path(files["labels"])), decoded(Path(files["palette"])), strict=True):
        np.testing.assert_array_equal(colors, LABELS.colorize(ids))
    usual = talk.call("video", **request_of).done()["files"]
    assert "palette" not in usual, "only where it is asked for"


def test_seed_and_truncation_may_change_from_frame_to_frame(talk: Talk, request_of: dict[str, Any], trained_model: Path) -> None:
    subjects = [{"seed": 1}, {"seed": 1, "truncation": 0.5}, {"seed": 4, "truncation": 0.5}]
    files = talk.call("video", **request_of | {"subjects": subjects}, previews=["palette"]).done()["files"]
    model = Model.load(trained_model)
    with models.one_thread_a_view():
        expected = [
            model.subject(subject["seed"], truncation=subject.get("truncation", 1.0)).render(camera, 32).mask
            for subject, camera in zip(subjects, CAMERAS, strict=True)
        ]
    for ids, mask in zip(read_label_video(Path(files["labels"])), expected, strict=True):
        np.testing.assert_array_equal(ids, mask)
    views = json.loads(Path(files["cameras"]).read_text())["views"]
    assert [(view["seeds"][0], view["truncation"]) for view in views] == [(1, 1.0), (1, 0.5), (4, 0.5)]


def test_timecodes_and_rates() -> None:
    assert timecode(0, 24) == "00:00:00:00"
    assert timecode(1_048_574, 24) == "12:08:10:14"
    assert timecode(30, Fraction(30000, 1001)) == "00:00:01:00", "without dropped numbers"
    rate = Rate(1, 240)
    assert [rate.take(value) for value in (24, "24", "48/2", Fraction(24), "24000/1001")] == [
        24,
        24,
        24,
        24,
        Fraction(24000, 1001),
    ]
    assert [rate.take(value) for value in (0, True, 24.0, "0", "1/2", "241", "24/0", "-24", " 24", "٢٤", None)] == [None] * 11
