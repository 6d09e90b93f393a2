"""Views asked for without ranges: those that the model tells, in every command and in the worker; of demo-cars what they always were."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints import model_facts
from dnerf_core.inversion.settings import InversionSettings
from headless import cli
from headless.commands import invert, pointcloud, render, sample, video
from headless.runs import pointcloud as pointcloud_run
from headless.runs import sample as sample_run
from headless.runs import video as video_run
from headless.runs.choices import DEFAULT_SEEDS
from headless.searches import calls
from headless.worker.inverting import invert_call
from headless.worker.params import Params
from tests.headless.tiny_engine import TINY, save_tiny
from tests.headless.worker_talk import Talk

render_run = importlib.import_module("headless.runs.render")  # by its name, the package gives the function

TOLD_CAMERAS = dataclasses.replace(TINY.cameras, yaw_range_deg=(-100.0, 20.0), pitch_range_deg=(-5.0, 40.0))
COMMANDS: dict[str, tuple[click.Command, Any]] = {
    "render": (render.command, render_run.RenderCall),
    "sample": (sample.command, sample_run.SampleCall),
    "video": (video.command, video_run.VideoCall),
    "pointcloud": (pointcloud.command, pointcloud_run.PointCloudCall),
    "invert": (invert.command, calls.InvertCall),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model file whose generator tells its directions."""
    path = tmp_path_factory.mktemp("told") / "told.safetensors"
    return str(save_tiny(path, dataclasses.replace(TINY, cameras=TOLD_CAMERAS)))


def call_of(name: str, *args: str) -> Any:
    command, kind = COMMANDS[name]
    values = command.make_context(name, [*args]).params
    fields = {field.name for field in dataclasses.fields(kind)}  # `sample` asks for what to paint next, too
    return kind(**{key: value for key, value in values.items() if key in fields})


def planned(name: str, *args: str) -> dict[str, Any]:
    """Where the views of a call are, as its record has it."""
    call = call_of(name, *args)
    facts = model_facts.describe_model(call.model_name)
    if name == "pointcloud":
        plan: dict[str, Any] = pointcloud_run.open_source(call)[1]
    elif name == "video":
        plan = video_run.make_plan(call, facts, None).to_json()
    else:
        module: Any = render_run if name == "render" else sample_run
        plan = module.make_plan(call, DEFAULT_SEEDS, facts).to_json()
    return {key: plan[key] for key in ("yaw_deg", "pitch_deg", "views", "spacing", "frames") if key in plan}


def views(yaw: tuple[float, float], pitch: tuple[float, float], count: int, spacing: str = "even") -> dict[str, Any]:
    return {"yaw_deg": [*yaw], "pitch_deg": [*pitch], "views": count, "spacing": spacing}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("render",), views((-30, 30), (15, 15), 3)),
        (("render", "--random-views"), views((-30, 30), (15, 15), 3, "uniform")),
        (("render", "--view-distribution", "gaussian"), views((-30, 30), (15, 15), 3, "gaussian")),
        (("render", "--yaw", "5"), views((5, 5), (15, 15), 1)),
        (("render", "--yaw", "5", "--random-views"), views((5, 5), (15, 15), 1, "uniform")),
        (("render", "--pitch", "0:10"), views((-30, 30), (0, 10), 3)),
        (("sample", "--labels", "a"), views((-30, 30), (15, 15), 3)),
        (("sample", "--labels", "a", "--random-views"), views((-30, 30), (15, 15), 3, "uniform")),
        (("pointcloud",), views((-180, 180), (15, 15), 8)),
        (("pointcloud", "--random-views"), views((-180, 180), (15, 15), 8, "uniform")),
        (("video",), {"yaw_deg": [-30, 30], "pitch_deg": [15, 15], "frames": 61}),
        (("video", "--path", "orbit"), {"yaw_deg": [-30, 30], "pitch_deg": [15, 15], "frames": 61}),
    ],
)
def test_plans_of_the_embedded_model_are_what_they_always_were(args: tuple[str, ...], expected: dict[str, Any]) -> None:
    """Numbers that stand in the records of folders made before a generator could tell anything: such a folder is still taken on."""
    assert planned(*args) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("render",), views((-100, 20), (12, 12), 3)),
        (("render", "--random-views"), views((-100, 20), (-5, 40), 3, "uniform")),
        (("render", "--view-distribution", "gaussian"), views((-100, 20), (-5, 40), 3, "gaussian")),
        (("render", "--yaw", "5"), views((5, 5), (12, 12), 1)),
        (("render", "--yaw", "5", "--random-views"), views((5, 5), (-5, 40), 3, "uniform")),
        (("render", "--yaw", "-30:30", "--pitch", "7", "--random-views"), views((-30, 30), (7, 7), 3, "uniform")),
        (("sample", "--labels", "a"), views((-100, 20), (12, 12), 3)),
        (("sample", "--labels", "a", "--random-views"), views((-100, 20), (-5, 40), 3, "uniform")),
        (("pointcloud",), views((-100, 20), (12, 12), 8)),
        (("pointcloud", "--random-views"), views((-100, 20), (-5, 40), 8, "uniform")),
        (("video",), {"yaw_deg": [-100, 20], "pitch_deg": [12, 12], "frames": 61}),
    ],
)
def test_a_model_that_tells_is_seen_from_there(told: str, args: tuple[str, ...], expected: dict[str, Any]) -> None:
    assert planned(*args, "--model", told) == expected


def test_an_inversion_looks_where_the_model_was_trained(told: str, tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(b"any")
    own, chosen = (calls.settings_of(call_of("invert", str(picture), *args)) for args in ((), ("--yaw", "-5:5")))
    cameras = model_facts.describe_model(told).config.cameras
    demo = model_facts.describe_model("demo-cars").config.cameras
    assert (own.within(demo).yaw_deg, own.within(demo).pitch_deg) == ((-60.0, 60.0), None)
    assert (own.within(cameras).yaw_deg, own.within(cameras).pitch_deg) == ((-100.0, 20.0), (-5.0, 40.0))
    assert chosen.within(cameras).yaw_deg == (-5.0, 5.0)
    asked = invert_call(Params({"model": "demo-cars", "photo": str(picture)}), "cpu", tmp_path / "found.safetensors")
    assert calls.settings_of(asked) == InversionSettings()


def test_a_folder_is_taken_on_by_the_same_call_and_by_one_that_says_the_same(
    told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["render", "--model", told, "--subjects", "1", "--views", "2", "-o", str(tmp_path / "out")]
    assert cli.run(call) == 0
    recorded = json.loads((tmp_path / "out" / "dataset.json").read_text())["plan"]
    assert (recorded["yaw_deg"], recorded["pitch_deg"]) == ([-100, 20], [12, 12])
    assert "--yaw -100:20 --pitch 12:12" in (tmp_path / "out" / "README.md").read_text()
    capsys.readouterr()
    for more in ([], ["--yaw", "-100:20"], ["--pitch", "12"]):
        assert cli.run([*call, *more]) == 0
        assert "nothing to do" in capsys.readouterr().out
    assert cli.run([*call, "--yaw", "-30:30"]) != 0
    assert "--yaw" in capsys.readouterr().err


def test_info_tells_the_directions(told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", told]) == 0
    rows = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert rows["trained views"].strip() == "yaw -100 to 20, pitch -5 to 40 degrees"
    assert cli.run(["info", told, "--json"]) == 0
    cameras = json.loads(capsys.readouterr().out)["generator"]["cameras"]
    assert (cameras["yaw_range_deg"], cameras["pitch_range_deg"]) == ([-100, 20], [-5, 40])
    assert cli.run(["info", "demo-cars"]) == 0
    assert "trained views" not in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_says_what_stands_in(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    untold = {"pointcloud": "-180:180", "invert": "-60:60"}.get(name, "-30:30")
    assert f"[default: the model's own, {untold} where it tells none]" in text


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    talk = Talk()
    yield talk
    talk.client.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_the_worker_tells_them_and_samples_from_there(talk: Talk, told: str, tmp_path: Path) -> None:
    assert talk.call("model", model=told).done()["cameras"] == json.loads(json.dumps(config_to_json(TOLD_CAMERAS)))
    assert "yaw_range_deg" not in talk.call("model", model="demo-cars").done()["cameras"]
    talk.call("sample", model=told, seeds=[0], views=2, labels=["a"], output=str(tmp_path / "out")).done()
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["plan"]["yaw_deg"] == [-100, 20]
