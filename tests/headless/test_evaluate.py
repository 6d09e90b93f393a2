"""`evaluate` with a tiny engine: against painted masks and against the truth, and what is refused."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import arc_cameras
from dnerf_core.demo.car_world import CARS
from dnerf_core.demo.truth import random_view, true_view
from dnerf_core.files.annotated_folder import read_annotations
from dnerf_core.model import Model
from headless import cli, models
from headless.scores.scoring import worst_and_typical
from headless.scores.truth_scoring import TruthViews
from tests.headless.test_render import error_line
from tests.headless.tiny_engine import LABELS, TINY, sample_folder

KEYS = {"silhouette_iou", "psnr_db", "depth_error", "miou", "accuracy", "iou_per_class"}


def events_of(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict]:
    capsys.readouterr()
    assert cli.run(["evaluate", *args, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def labelled_demo(tiny_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny demo with a branch for the parts of a car, trained for two steps."""
    folder = tmp_path_factory.mktemp("cars")
    sample = [
        "sample",
        "--model",
        str(tiny_demo),
        "--truth",
        "--seeds",
        "50-51",
        "--views",
        "1",
        "--yaw",
        "30",
        "-o",
        str(folder),
    ]
    assert cli.run(sample) == 0
    output = folder / "labelled.safetensors"
    assert cli.run(["train", str(folder), "-o", str(output), "--steps", "2", "--allow-missing-classes"]) == 0
    return output


def test_a_folder_gives_the_scores_of_its_pixels(
    trained_model: Path, painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "grid.png"
    events = events_of(capsys, str(painted_folder), "--model", str(trained_model), "--grid", str(grid))
    assert [event["event"] for event in events] == ["start", "warning", *["view"] * 8, "summary"]
    assert events[0]["output"] == events[-1]["output"] == str(grid)
    assert "seeds 0-2: the semantic branch was trained on these subjects" in events[1]["message"]
    model = Model.load(trained_model)
    images = read_annotations([painted_folder]).images
    truth = np.stack([image.mask for image in images])
    found = np.stack([model.subject(image.subject.seed).render(image.camera).mask for image in images])
    iou = [((truth == c) & (found == c)).sum() / ((truth == c) | (found == c)).sum() for c in range(3)]
    summary = events[-1]
    assert summary["miou"] == pytest.approx(np.mean(iou), abs=1e-6)
    assert summary["accuracy"] == pytest.approx((truth == found).mean(), abs=1e-6)
    assert summary["iou_per_class"] == pytest.approx(dict(zip(LABELS.names, iou, strict=True)), abs=1e-6)
    assert not {"silhouette_iou", "psnr_db", "depth_error"} & set(summary)
    view = next(event for event in events if event.get("name") == "s0003_v01")
    one = [
        ((truth[7] == c) & (found[7] == c)).sum() / ((truth[7] == c) | (found[7] == c)).sum()
        for c in np.union1d(truth[7], found[7])
    ]
    assert view["miou"] == pytest.approx(np.mean(one), abs=1e-6)
    with Image.open(grid) as image:
        assert image.height > 8 * 192
        assert image.width > 4 * 192


def test_a_table_for_people(trained_model: Path, painted_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(["evaluate", str(painted_folder), "--model", str(trained_model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{trained_model}: 8 views of 4 subjects against painted masks"
    assert [line.rpartition("  ")[0].strip() for line in lines[1:]] == [
        "mIoU",
        "accuracy",
        "IoU background",
        "IoU left",
        "IoU right",
    ]


def test_the_truth_gives_the_scores_of_its_pixels(
    labelled_demo: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    grid = tmp_path / "grid.png"
    events = events_of(capsys, "--model", str(labelled_demo), "--truth", "--seeds", "0-2", "--grid", str(grid))
    assert [event["event"] for event in events] == ["start", *["view"] * 3, "summary"]
    assert events[0]["cameras"] == {
        "spacing": "random",
        "views_of_each": 1,
        "yaw_deg": [-180.0, 180.0],
        "pitch_deg": [5.0, 30.0],
    }
    summary = events[-1]
    assert set(summary) >= KEYS
    # Rendered anew, and counted here pixel by pixel.
    model = Model.load(labelled_demo)
    silhouettes, psnrs, depths, pairs = [], [], [], []
    for seed in range(3):
        camera = random_view(model.config.cameras, seed, 0, (-180.0, 180.0), (5.0, 30.0))
        found = model.subject(seed).render(camera)
        truth, length = true_view(model, seed, camera, TINY.image_size)
        depth, rgb = truth.depth_planar[0].numpy(), np.rint(truth.rgb[0].numpy() * 255)
        true_hit, hit = np.isfinite(depth), np.isfinite(found.depth_planar)
        silhouettes.append((true_hit & hit).sum() / (true_hit | hit).sum())
        psnrs.append(10 * math.log10(255**2 / np.mean((rgb - found.rgb) ** 2)))
        common = true_hit & hit
        depths.append(np.abs(depth - found.depth_planar)[common].mean() / length if common.any() else math.nan)
        pairs.append((truth.mask[0].numpy(), found.mask))
    view = events[3]
    assert (view["seed"], view["view"]) == (2, 0)
    for key, values in (("silhouette_iou", silhouettes), ("psnr_db", psnrs), ("depth_error", depths)):
        assert summary[key] == pytest.approx(np.mean([1.0 if math.isnan(value) else value for value in values]), abs=1e-5)
        told = math.nan if view[key] is None else view[key]
        assert told == pytest.approx(values[2], abs=1e-5, nan_ok=True)
    true_masks, masks = (np.stack(of) for of in zip(*pairs, strict=True))
    iou = [
        ((true_masks == c) & (masks == c)).sum() / ((true_masks == c) | (masks == c)).sum() for c in np.union1d(true_masks, masks)
    ]
    assert summary["miou"] == pytest.approx(np.mean(iou), abs=1e-5)
    assert summary["accuracy"] == pytest.approx((true_masks == masks).mean(), abs=1e-5)
    assert list(summary["iou_per_class"]) == ["background", "hood", "roof", "wheels", "other"]
    with Image.open(grid) as image:
        assert image.width > 4 * 192


def test_a_video_is_an_even_arc(labelled_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    views = TruthViews.chosen(TINY, CARS, video=True, count=None, yaw_deg=None, pitch_deg=None)
    assert (views.count, views.yaw_deg, views.pitch_deg) == (61, (-30.0, 30.0), (12, 12))
    frames = views.cameras(TINY.cameras, 7)
    expected = arc_cameras(TINY.cameras, (-30, 30), (12, 12), count=61)
    assert [frame.cam2world.tolist() for frame in frames] == [camera.cam2world.tolist() for camera in expected]
    video = ["--model", str(labelled_demo), "--truth", "--video", "--views", "3", "--yaw", "0:40", "--pitch", "20"]
    events = events_of(capsys, *video)
    assert events[0]["cameras"] == {"spacing": "even", "views_of_each": 3, "yaw_deg": [0.0, 40.0], "pitch_deg": [20.0, 20.0]}
    assert [(event["seed"], event["view"]) for event in events if event["event"] == "view"] == [(0, 0), (0, 1), (0, 2)]
    assert events[-1]["miou"] is not None


def test_a_demo_without_branch_is_scored_without_masks(
    tiny_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--model", str(tiny_demo), "--truth", "--seeds", "3", "--grid", str(tmp_path / "grid.png")]
    events = events_of(capsys, *args)
    assert events[1]["message"].endswith("masks are not scored, since it has no semantic branch")
    summary = events[-1]
    assert (summary["miou"], summary["accuracy"], summary["iou_per_class"]) == (None, None, None)
    assert summary["silhouette_iou"] is not None
    capsys.readouterr()
    assert cli.run(["evaluate", *args]) == 0
    assert any(line.split() == ["mIoU", "-"] for line in capsys.readouterr().out.splitlines())


def test_the_worst_and_the_typical_are_picked() -> None:
    assert worst_and_typical([0.5, math.nan, 0.1], 4) == [("", 1), ("", 2), ("", 0)]
    values = [float(value) for value in range(20, 0, -1)]  # the worst is the last
    assert worst_and_typical(values, 4) == [("worst", 19), ("worst", 18), ("typical", 10), ("typical", 9)]
    assert worst_and_typical(values[:5], 4) == [("worst", 4), ("worst", 3), ("typical", 2), ("typical", 1)]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "expected either an annotated FOLDER or --truth, found neither; give one of them"),
        (["FOLDER", "--truth"], "expected either an annotated FOLDER or --truth, found both"),
        (["FOLDER", "--video"], "--video: expected with --truth, found an annotated folder; leave it out"),
        (["FOLDER", "--seeds", "1"], "--seeds: expected with --truth, found an annotated folder, which has its own views"),
        (["FOLDER", "--pitch", "1"], "--pitch: expected with --truth"),
        (["--truth", "--skip-unpainted"], "--skip-unpainted: expected with an annotated folder, found --truth"),
        (["--truth", "--seeds", "1", "--subjects", "2"], "--seeds and --subjects: expected one of them"),
        (["--truth", "--seeds", "1"], "exact truth: expected a model made from demo-cars or demo-people, found 'tiny'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    args: list[str], message: str, trained_model: Path, painted_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    named = [str(painted_folder) if arg == "FOLDER" else arg for arg in args]
    assert cli.run(["evaluate", "--model", str(trained_model), *named]) == 2
    assert message in error_line(capsys)


def test_masks_that_the_model_cannot_be_scored_on_are_refused(
    trained_model: Path,
    tiny_model: Path,
    tiny_demo: Path,
    painted_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    assert cli.run(["evaluate", str(painted_folder), "--model", str(tiny_model)]) == 1
    assert f"{tiny_model}: expected a model with a semantic branch, found none; train one first" in error_line(capsys)
    assert cli.run(["evaluate", str(painted_folder), "--model", str(tiny_demo)]) == 1
    assert f"{tiny_demo}: expected the generator that {painted_folder} was sampled from (" in error_line(capsys)
    folder = Path(shutil.copytree(painted_folder, tmp_path / "renamed"))
    (folder / "labels.json").write_text((folder / "labels.json").read_text().replace('"left"', '"port"'))
    assert cli.run(["evaluate", str(folder), "--model", str(trained_model)]) == 1
    line = error_line(capsys)
    assert "expected the labels of the masks (background, port, right), found background, left, right" in line
    empty = sample_folder(tmp_path / "empty", tiny_model, seeds="0")
    capsys.readouterr()
    assert cli.run(["evaluate", str(empty), "--model", str(trained_model)]) == 1
    assert "expected painted masks, found only background; paint some first" in error_line(capsys)


@pytest.mark.parametrize("truth", [True, False])
def test_a_grid_that_cannot_be_written_is_told_before_the_work(
    truth: bool,
    labelled_demo: Path,
    trained_model: Path,
    painted_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_model(*args: object, **kwargs: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(models, "load_model", no_model)
    grid = tmp_path / "nowhere" / "grid.png"
    what = ["--truth", "--model", str(labelled_demo)] if truth else [str(painted_folder), "--model", str(trained_model)]
    capsys.readouterr()
    assert cli.run(["evaluate", *what, "--grid", str(grid)]) == 1
    assert f"{grid}: expected to write this file or folder, the system says: No such file or directory" in error_line(capsys)


def test_latents_of_another_length_have_no_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from tests.headless.tiny_engine import save_tiny

    path = save_tiny(tmp_path / "odd.safetensors", replace(TINY, name="demo-cars"))
    assert cli.run(["evaluate", "--model", str(path), "--truth", "--seeds", "0"]) == 1
    assert "expected latents of 20 numbers, as the demo's, found 8" in error_line(capsys)


def test_the_same_call_gives_the_same_scores(labelled_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--model", str(labelled_demo), "--truth", "--seeds", "9", "--views", "2"]
    one, two = events_of(capsys, *args), events_of(capsys, *args)
    assert [event for event in one if event["event"] == "view"] == [event for event in two if event["event"] == "view"]
