"""What the worker writes into folders that hold something already: views are added, a clip takes another's place whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import arc_cameras
from dnerf_core.datasets.labeled_views import LabeledViews
from dnerf_core.worker_protocol import Code
from headless import cli
from tests.headless.fake_engine import fake_facts
from tests.headless.test_extend import contents
from tests.headless.tiny_engine import TINY
from tests.headless.worker_talk import Heard, Talk, named

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

CAMERAS = arc_cameras(fake_facts("demo-cars", masks=True).config.cameras, count=8)


@pytest.fixture
def slow() -> Iterator[Talk]:
    """A worker whose views take 0.3 s each."""
    talk = Talk.stand_in("slow")
    yield talk
    talk.client.stop(1.0)


def clip(output: Path, seed: int, frames: int, **more: Any) -> dict[str, Any]:
    request = {"model": "demo-cars", "subjects": [{"seed": seed}], "cameras": named(CAMERAS[:frames]), "size_px": 24}
    return {**request, "output": str(output), "name": "shot", "previews": ["image"], "sequence": True, "replace": True, **more}


def begun(talk: Talk, heard: Heard, steps: int = 2) -> Heard:
    """Wait until a request has come so far."""
    talk.wait(lambda: any(done >= steps for done, _, _ in heard.progress))
    return heard


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_clip_that_is_cancelled_leaves_the_earlier_one(slow: Talk, tmp_path: Path) -> None:
    place = tmp_path / "shot"
    heard = begun(slow, slow.ask("video", **clip(place, 1, 8)), 1)
    slow.client.cancel(heard.number)
    slow.wait(lambda: heard.over)
    assert heard.failed()[0] == Code.CANCELLED and visible(tmp_path) == [], "nothing half-made"
    slow.call("video", **clip(place, 1, 3)).done()
    before = contents(place)
    assert len([name for name in before if name.endswith(".png")]) == 6
    heard = begun(slow, slow.ask("video", **clip(place, 2, 8)))
    assert contents(place) == before, "while the new one is being made"
    slow.client.cancel(heard.number)
    slow.wait(lambda: heard.over)
    assert heard.failed()[0] == Code.CANCELLED
    assert contents(place) == before and visible(tmp_path) == ["shot"]
    slow.call("video", **clip(place, 2, 2)).done()
    after = contents(place)
    assert len([name for name in after if name.endswith(".png")]) == 4 and visible(tmp_path) == ["shot"]
    assert json.loads(after["shot-cameras.json"])["views"][0]["seeds"] == [2, 2]


def test_a_worker_that_is_killed_leaves_the_earlier_clip(slow: Talk, tmp_path: Path) -> None:
    place = tmp_path / "shot"
    slow.call("video", **clip(place, 1, 2)).done()
    before = contents(place)
    begun(slow, slow.ask("video", **clip(place, 2, 8)))
    os.kill(slow.client.pid, signal.SIGKILL)
    slow.wait(lambda: slow.client.state == "lost")
    assert contents(place) == before
    assert [name for name in visible(tmp_path) if name.startswith(".tmp-")], "what it had half-made"
    again = Talk.stand_in("slow")
    try:
        again.call("video", **clip(place, 2, 2)).done()
    finally:
        again.client.stop(1.0)
    assert visible(tmp_path) == ["shot"] and contents(place) != before


def test_one_killed_between_two_renames_is_put_back(slow: Talk, tmp_path: Path) -> None:
    place = tmp_path / "shot"
    slow.call("video", **clip(place, 1, 2)).done()
    before = contents(place)
    place.rename(tmp_path / ".was-shot")
    (tmp_path / ".tmp-0000000001-shot").mkdir()
    slow.call("video", **clip(place, 1, 2)).done()
    assert contents(place) == before and visible(tmp_path) == ["shot"]
    (tmp_path / ".was-shot").mkdir()
    (tmp_path / ".was-shot" / "old").touch()
    slow.call("video", **clip(place, 1, 2)).done()
    assert contents(place) == before and visible(tmp_path) == ["shot"]


def test_a_file_of_somebody_else_is_never_lost(slow: Talk, tmp_path: Path) -> None:
    place = tmp_path / "shot"
    slow.call("video", **clip(place, 1, 2)).done()
    heard = begun(slow, slow.ask("video", **clip(place, 2, 4)), 1)
    (place / "mine.txt").write_text("notes")
    before = contents(place)
    slow.wait(lambda: heard.over)
    assert "expected the earlier clip there as it was, found other files by now" in heard.failed()[1]
    assert contents(place) == before and visible(tmp_path) == ["shot"]


def test_views_are_added_by_the_worker(tmp_path: Path, trained_model: Path) -> None:
    talk, folder = Talk(), tmp_path / "views"
    cameras = arc_cameras(TINY.cameras, (-30, 30), (12, 12), count=2)
    request = {"model": str(trained_model), "cameras": named(cameras), "size_px": 32, "output": str(folder)}
    try:
        first = talk.call("add_views", **request, seed=1)
        assert first.done() | {"seconds": 0} == {
            "names": ["s0001_v00", "s0001_v01"], "written": 2, "views": 2, "subjects": 1, "seconds": 0, "warnings": first.done()["warnings"]
        }  # fmt: skip
        again = talk.call("add_views", **request, seed=1)
        assert again.done()["written"] == 0
        for heard in (first, again):
            assert sorted(part["name"] for part in heard.parts) == ["s0001_v00", "s0001_v01"]
        pictures = [{part["index"]: talk.client.array(part["rgb"]) for part in heard.parts} for heard in (first, again)]
        assert np.array_equal(pictures[0][1], pictures[1][1])
        talk.call("add_views", **request, seed=2, truncation=0.5).done()
        assert len(LabeledViews(folder)) == 4
        before = contents(folder)
        code, message = talk.call("add_views", **request | {"size_px": 16}, seed=3).failed()
        assert (code, "expected views of 32 x 32 px" in message) == (Code.FAILED, True)
        assert contents(folder) == before
        for part in (*first.parts, *again.parts):
            assert part["mask"] and part["depth"]
    finally:
        talk.client.stop(1.0)
    options = [
        "--model",
        str(trained_model),
        "--seeds",
        "1",
        "--views",
        "2",
        "--yaw",
        "-30:30",
        "--pitch",
        "12:12",
        "--resolution",
        "32",
    ]
    assert cli.run(["render", *options, "-o", str(tmp_path / "whole")]) == 0
    for kind in ("images", "masks", "depth"):
        for name, data in contents(tmp_path / "whole" / kind).items():
            assert (folder / kind / name).read_bytes() == data
    assert cli.run(["render", "--model", str(trained_model), "--resolution", "32", "--verify", "-o", str(folder)]) == 0


def test_a_cancelled_addition_keeps_what_is_whole(slow: Talk, tmp_path: Path) -> None:
    request = {"model": "demo-cars", "size_px": 24, "output": str(tmp_path)}
    slow.call("add_views", **request, seed=1, cameras=named(CAMERAS[:2])).done()
    heard = slow.ask("add_views", **request, seed=2, cameras=named(CAMERAS))
    slow.wait(lambda: len(heard.parts) >= 2)
    began = time.monotonic()
    slow.client.cancel(heard.number)
    slow.wait(lambda: heard.over)
    assert heard.failed()[0] == Code.CANCELLED and time.monotonic() - began < 5
    names = {sample["name"] for sample in LabeledViews(tmp_path)}
    assert {"s0001_v00", "s0001_v01", *(part["name"] for part in heard.parts)} <= names
    assert len(names) < 10
