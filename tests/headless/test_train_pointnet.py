"""`train-pointnet` on tiny clouds: from folders to a network file, in one go or resumed after a kill, and what is refused."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dnerf_core.downstream.network_file import load_network_file, read_network_header
from dnerf_core.downstream.points.prediction import predict_cloud
from dnerf_core.errors import UsageError
from dnerf_core.files.cloud_formats import write_cloud
from dnerf_core.files.clouds import CloudStyle
from dnerf_core.files.names import labels_json
from dnerf_core.pointcloud.cloud import PointCloud
from headless import cli
from headless.annotating.training_state import state_path
from headless.downstream.points import job
from headless.downstream.points.plan import TrainPointnetCall, plan_points
from headless.pictures.cloud_pictures import cloud_picture
from tests.core.downstream.cloud_cases import LABELS, block

STEPS = 60
SMALL = ("--points", "64", "--batch", "4", "--precision", "float32", "--device", "cpu")


def write_clouds(folder: Path, count: int, first: int = 0) -> Path:
    (folder / "npz").mkdir(parents=True)
    for seed in range(first, first + count):
        points, labels = block(seed, 300)
        cloud = PointCloud(points, points, np.zeros((300, 3), np.uint8), labels, np.ones(300, np.float32), LABELS)
        write_cloud(folder / f"npz/s{seed:04d}.npz", cloud, "npz", CloudStyle(LABELS, "rgb", "y"))
    (folder / "labels.json").write_bytes(labels_json(LABELS))
    return folder


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clouds(tmp_path_factory.mktemp("clouds") / "a", 10)


def train(folder: Path, output: Path, *more: str, steps: int = STEPS) -> int:
    return cli.run(["train-pointnet", str(folder), "-o", str(output), "--steps", str(steps), *SMALL, *more])


@pytest.fixture(scope="module")
def trained(clouds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("trained") / "parts.safetensors"
    assert train(clouds, output, "--onnx", str(output.with_suffix(".onnx"))) == 0
    return output


def test_the_network_file_says_what_it_was_trained_on(trained: Path, clouds: Path) -> None:
    header = read_network_header(trained, "points")
    assert (header.network, header.labels) == ("pointnet-small", LABELS)
    settings = dict(header.settings)
    familiar = settings.pop("familiar")
    assert settings == {"recipe": "scans", "points": 64}
    assert len(familiar["mean"]) == len(familiar["deviation"]) > 0 and min(familiar["deviation"]) > 0
    record = header.training
    assert record["sets"][0]["place"] == str(clouds) and len(record["sets"][0]["sha256"]) == 64
    assert (record["sets"][0]["clouds"], record["sets"][0]["clouds_validation"]) == (9, 1)
    assert (record["steps"], record["seed"], record["precision"]) == (STEPS, 0, "float32")
    assert record["loss_last_50"] < record["loss_first"]
    points, labels = block(5, 300)  # the held-out one: the middle of ten
    found, _ = predict_cloud(trained, points)
    assert record["validation"]["accuracy"] == pytest.approx((found == labels).mean(), abs=1e-6)
    assert set(record["validation"]["iou_per_class"]) == {"top", "nose", "rest"}


def test_beside_it_lie_the_curve_the_picture_and_onnx(trained: Path) -> None:
    names = {path.name for path in trained.parent.iterdir()}
    assert names == {"parts.safetensors", "parts-loss.csv", "parts-loss.png", "parts-grid.png", "parts.onnx"}
    with (trained.parent / "parts-loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(STEPS))
    scored = read_network_header(trained).training["scores"]
    assert [row["step"] for row in scored] == list(range(6, STEPS + 1, 6))
    with Image.open(trained.parent / "parts-grid.png") as grid:
        shown = np.asarray(grid.convert("RGB")).reshape(-1, 3)
    for label in LABELS.labels[1:]:
        assert (np.abs(shown.astype(int) - label.color).max(axis=1) < 60).sum() > 100, label.name


def test_the_same_call_again_has_nothing_to_do(trained: Path, clouds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = trained.read_bytes()
    assert train(clouds, trained, "--onnx", str(trained.with_suffix(".onnx")), "--json") == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["nothing_to_do"] and summary["status"] == "done" and 0 <= summary["miou"] <= 1
    assert trained.read_bytes() == before
    assert train(clouds, trained, "--seed", "1") == 1
    assert "expected a new file, it holds something else" in capsys.readouterr().err


def test_an_interrupted_training_goes_on_to_the_same_bits(
    trained: Path, clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    output = tmp_path / "parts.safetensors"
    original = job._follower

    def dying(*args: object) -> object:
        progress = original(*args)  # type: ignore[arg-type]

        def stop(step: int, loss: float) -> None:
            progress(step, loss)
            if step == 55:
                raise KeyboardInterrupt

        return stop

    monkeypatch.setattr(job, "_follower", dying)
    assert train(clouds, output) == 130
    assert state_path(output).exists() and not output.exists()
    assert train(clouds, output, "--seed", "1") == 1
    assert "with a different value of --seed" in capsys.readouterr().err
    monkeypatch.setattr(job, "_follower", original)
    assert train(clouds, output) == 0
    assert not state_path(output).exists()
    ours, theirs = load_network_file(output), load_network_file(trained)
    assert all(torch.equal(value, theirs.state[name]) for name, value in ours.state.items())
    assert ours.header.training["validation"] == theirs.header.training["validation"]


def test_a_damaged_state_is_told_and_left(clouds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "parts.safetensors"
    state_path(output).write_bytes(b"nothing")
    assert train(clouds, output) == 1
    assert "expected format datasetnerf-training-state 1, found another; remove the file to start anew" in capsys.readouterr().err


def test_a_killed_process_goes_on(clouds: Path, trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "parts.safetensors"
    command = [
        sys.executable,
        "-m",
        "headless.cli",
        "train-pointnet",
        str(clouds),
        "-o",
        str(output),
        "--steps",
        str(STEPS),
        *SMALL,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not state_path(output).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert train(clouds, output) == 0
    theirs = load_network_file(trained)
    assert all(torch.equal(value, theirs.state[name]) for name, value in load_network_file(output).state.items())


def test_events_and_summary_are_json(clouds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        train(clouds, tmp_path / "x.safetensors", "--json", "--network", "pointnet2-small", "--recipe", "aligned", steps=10) == 0
    )
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["start", "precision", *["score"] * 9, "step", "score", "summary"]
    assert events[0]["clouds"] == 9 and events[0]["clouds_validation"] == 1 and events[-3]["step"] == 10
    assert events[-1]["part_miou"] is not None and set(events[-1]["iou_per_class"]) == {"top", "nose", "rest"}


def test_folders_may_be_mixed_evenly(clouds: Path, tmp_path: Path) -> None:
    few = write_clouds(tmp_path / "few", 1, first=90)
    call = TrainPointnetCall(folders=(few, clouds), output=tmp_path / "x.safetensors", mix="folders", validation=0.0)
    assert [len(group) for group in plan_points(call).training] == [1, 10]
    joined = plan_points(TrainPointnetCall(folders=(few, clouds), output=tmp_path / "x.safetensors", validation=3))
    assert [len(group) for group in joined.training] == [8]
    assert [cloud.name for cloud in joined.validation] == ["s0000", "s0004", "s0008"]  # at even steps


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ("--onnx", "x.onnx", "--network", "pointnet2"),
            "--onnx: expected --network pointnet-small or pointnet, found pointnet2",
        ),
        (("--onnx", "x.bin"), "expected a name that ends in .onnx"),
        (("--validation", "10"), "--validation: expected at least one of 10 subjects left to train on"),
        (("--network", "pointnet3"), "pointnet3"),
        (("--category", "Chair"), None),
    ],
)
def test_wrong_calls_are_refused_in_a_line(
    clouds: Path, tmp_path: Path, more: tuple[str, ...], message: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    code = train(clouds, tmp_path / "x.safetensors", *more, steps=1)
    error = capsys.readouterr().err
    if message is None:
        assert code == 0  # clouds that are no benchmark's have no categories
        return
    assert code == 2 and message in error and error.startswith("error: ") and len(error.splitlines()) == 1


def test_a_part_that_no_cloud_has_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a"
    (folder / "npz").mkdir(parents=True)
    points, labels = block(0, 100)
    cloud = PointCloud(
        points, points, np.zeros((100, 3), np.uint8), np.where(labels == 2, 3, labels).astype(np.uint8), np.ones(100, np.float32)
    )
    write_cloud(folder / "npz/s0000.npz", cloud, "npz", CloudStyle(LABELS, "rgb", "y"))
    assert train(folder, tmp_path / "x.safetensors", steps=1) == 1
    assert "found none of nose; add clouds" in capsys.readouterr().err
    assert train(folder, tmp_path / "x.safetensors", "--allow-missing-classes", steps=1) == 0


def test_a_strangers_picture_is_not_overwritten(clouds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("x-grid.png", "x-loss.png", "x-loss.csv"):
        (tmp_path / name).write_bytes(b"mine")
        assert train(clouds, tmp_path / "x.safetensors", steps=1) == 1
        assert f"{name}: expected no file where a result of this training goes, found one" in capsys.readouterr().err
        (tmp_path / name).unlink()


def test_the_output_is_a_safetensors(clouds: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a name that ends in"):
        plan_points(TrainPointnetCall(folders=(clouds,), output=tmp_path / "x.pt"))


def test_a_picture_shows_the_nearer_points_in_front() -> None:
    points = np.array([[0.0, 0, -1], [0, 0, 1], [-0.5, -0.5, 0], [0.5, 0.5, 0]])
    lined = points.copy()
    from headless.pictures.cloud_pictures import _view

    lined = points @ _view()  # what the eye sees along its own axis
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 255]], np.uint8)
    picture = cloud_picture(lined, colors, 64)
    assert picture.shape == (64, 64, 3)
    red, green = ((picture[28:36, 28:36, k].astype(int) - picture[28:36, 28:36, 1 - k]).max() for k in (0, 1))
    assert green > 150 and red < 50


def test_repeated_clouds_come_more_often(clouds: Path, tmp_path: Path) -> None:
    few = write_clouds(tmp_path / "few", 2, first=50)
    call = TrainPointnetCall(
        folders=(few, clouds), output=tmp_path / "x.safetensors", validation=0.0, repeat=(5, 1), device="cpu"
    )
    plan = plan_points(call)
    (group,) = plan.training
    assert [sum(cloud.folder == folder for cloud in group) for folder in (0, 1)] == [10, 10]
    assert plan.clouds_trained == 12 and len({id(cloud) for cloud in group}) == 12
    plain = plan_points(replace(call, repeat=None))
    assert "--repeat" not in plain.identity() and plan.identity_sha256() != plain.identity_sha256()
    assert (
        cli.run(["train-pointnet", str(few), str(clouds), "-o", str(call.output), "--repeat", "5,1", "--steps", "2", *SMALL]) == 0
    )
    record = read_network_header(call.output).training
    assert record["repeat"] == [5, 1] and [row["clouds"] for row in record["sets"]] == [2, 9]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--repeat", "2"), "--repeat: expected a number for each of 2 folders, found 1 number"),
        (("--repeat", "2,0"), "--repeat: expected whole numbers from 1 to 10000, found 0"),
        (("--repeat", "2,1", "--mix", "folders"), "--repeat: expected --mix clouds, found folders"),
        (("--repeat", "2,x"), "expected numbers such as 9,30,90"),
    ],
)
def test_repetitions_that_mean_nothing_are_refused(
    more: tuple[str, ...], words: str, clouds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "x.safetensors"
    assert cli.run(["train-pointnet", str(clouds), str(clouds), "-o", str(output), *more]) == 2
    assert words in capsys.readouterr().err and not output.exists()
