"""`evaluate --predictions`: masks and label videos of anyone's, against folders and against the demo's exact truth."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.camera import cameras_to_json, sphere_camera
from dnerf_core.files.pictures import write_mask_ids
from dnerf_core.labels import LabelSet
from headless import cli
from headless.clips.video_files import label_video, preview_video
from headless.pictures.wrong_pixels import wrong_pixels
from tests.headless.test_render import error_line

LABELS = LabelSet.from_names(["hood", "roof"])
SIZE = (6, 9)


def masks(seed: int, count: int = 3) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return {f"v{number}": rng.integers(0, 3, SIZE).astype(np.uint8) for number in range(count)}


def written(folder: Path, pictures: dict[str, NDArray[np.uint8]], labels: LabelSet | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in pictures.items():
        write_mask_ids(folder / f"{name}.png", mask)
    if labels is not None:
        (folder / "labels.json").write_text(json.dumps(labels.to_json()))
    return folder


def scores(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[dict, list[dict]]:
    capsys.readouterr()
    assert cli.run(["evaluate", *map(str, args), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return events[-1], events


def refusal(capsys: pytest.CaptureFixture[str], *args: object, code: int = 1) -> str:
    capsys.readouterr()
    assert cli.run(["evaluate", *map(str, args)]) == code
    return error_line(capsys)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """A plain folder of masks, a corner of the first ignored."""
    pictures = masks(1)
    pictures["v0"][:2] = 255
    return written(tmp_path / "truth", pictures, LABELS)


def test_the_scores_are_those_of_the_pixels_that_count(truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    true, found = masks(1), masks(2)
    written(tmp_path / "found", found)
    grid = tmp_path / "grid.png"
    summary, events = scores(capsys, "--predictions", tmp_path / "found", "--against", truth, "--grid", grid)
    counted = {name: np.ones(SIZE, bool) for name in true}
    counted["v0"][:2] = False
    a, b = (np.concatenate([of[name][counted[name]] for name in true]) for of in (true, found))
    iou = [((a == c) & (b == c)).sum() / ((a == c) | (b == c)).sum() for c in range(3)]
    assert summary["miou"] == pytest.approx(np.mean(iou), abs=1e-6)
    assert summary["accuracy"] == pytest.approx((a == b).mean(), abs=1e-6)
    assert list(summary["iou_per_class"].values()) == pytest.approx(iou, abs=1e-6)
    assert summary["confusion"] == [[int(((a == row) & (b == column)).sum()) for column in range(3)] for row in range(3)]
    views = {event["name"]: event["miou"] for event in events if event["event"] == "view"}
    assert set(views) == set(true)
    assert summary["worst"] == [{"name": name, "miou": views[name]} for name in sorted(views, key=lambda name: views[name])]
    assert (summary["missing"], summary["superfluous"], summary["labels"]) == ([], [], ["background", "hood", "roof"])
    with Image.open(grid) as image:
        assert image.width < 4 * 192 + 150  # no column of images where there are none


def test_equal_masks_are_all_right(truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(["evaluate", "--predictions", str(truth), "--against", str(truth)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{truth}: 3 views against {truth}"
    assert lines[1].split() == ["mIoU", "1.0000"]
    assert lines[8].split() == ["hood", "0.0", "100.0", "0.0"]
    assert lines[-1].startswith("worst views, mIoU: v")


def palette_of(ids: NDArray[np.uint8], colors: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(ids)
    image.putpalette(colors.tobytes())
    return image


REORDERED = np.array([2, 0, 1], np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray,
        lambda ids: palette_of(ids, LABELS.palette()),
        lambda ids: palette_of(ids, np.random.default_rng(5).integers(1, 250, (256, 3), np.uint8)),  # a program's own palette
        lambda ids: palette_of(np.argsort(REORDERED).astype(np.uint8)[ids], LABELS.palette()[REORDERED]),
        lambda ids: Image.fromarray(LABELS.colorize(ids)),
    ],
    ids=["gray", "palette", "strange palette", "palette reordered", "colours"],
)
def test_pictures_are_read_by_ids_or_by_the_labels_colours(
    truth: Path, tmp_path: Path, picture: Callable[[NDArray[np.uint8]], Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "found" / "masks"
    found.mkdir(parents=True)
    for name, mask in masks(1).items():
        picture(mask).save(found / f"{name}.png")
    summary, _ = scores(capsys, "--predictions", found.parent, "--against", truth)
    assert summary["accuracy"] == 1


@pytest.mark.parametrize("kind", ["labels.json", "id2label.json"])
def test_ids_of_other_label_sets_are_matched_by_name(
    truth: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The predictions' 1, 2, 3 are Roof, hood and a label that occurs nowhere."""
    swapped = {name: np.array([0, 2, 1], np.uint8)[mask] for name, mask in masks(1).items()}
    found = written(tmp_path / "found", swapped, LabelSet.from_names(["Roof", "hood", "door"]) if kind == "labels.json" else None)
    if kind == "id2label.json":
        (found / kind).write_text(json.dumps({"0": "background", "1": "Roof", "2": "hood", "3": "door"}))
    summary, _ = scores(capsys, "--predictions", found, "--against", truth)
    assert summary["accuracy"] == 1
    swapped["v1"][3, 4] = 3
    written(found, swapped)
    text = refusal(capsys, "--predictions", found, "--against", truth)
    assert (
        "v1.png: expected the labels background, hood, roof, found 'door' (id 3) at column 4, row 3; say with --map which label"
        in text
    )


def test_missing_and_superfluous_predictions_are_named(truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = masks(1)
    found["other"] = found.pop("v1")
    call = ["--predictions", written(tmp_path / "found", found), "--against", truth]
    text = refusal(capsys, *call)
    assert "found none for 1: v1, and of no view: other; add them, or leave them out with --skip-missing" in text
    summary, events = scores(capsys, *call, "--skip-missing")
    assert (summary["views"], summary["missing"], summary["superfluous"]) == (2, ["v1"], ["other"])
    warnings = [event["message"] for event in events if event["event"] == "warning"]
    assert [text.rpartition(": ")[2] for text in warnings] == ["v1", "other"]


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (np.full(SIZE, 3), "expected ids 0 to 2 of the labels background, hood, roof, found 3 at column 0, row 0"),
        (np.full(SIZE, 255), "found 255 (ignore) at column 0, row 0; predict a label there"),
        (np.zeros((6, 8)), "expected a mask of 9 x 6 px as the truth is, found 8 x 6; scale it by nearest"),
    ],
)
def test_masks_that_cannot_be_scored_are_refused(
    truth: Path, tmp_path: Path, mask: NDArray[np.float64], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = written(tmp_path / "found", masks(1) | {"v2": mask.astype(np.uint8)})
    line = refusal(capsys, "--predictions", found, "--against", truth)
    assert "v2.png: " in line
    assert text in line


def test_calls_that_mean_nothing_are_refused(truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strange = written(tmp_path / "found", {"x": masks(1)["v0"]})
    assert "named as the views, such as v0, v1, found none of them but x;" in refusal(
        capsys, "--predictions", strange, "--against", truth
    )
    for args, text in (
        (["--predictions", truth], "--predictions: expected --against"),
        (["--against", truth], "--against: expected with --predictions"),
        ([truth, "--predictions", truth, "--against", truth], "expected no FOLDER beside --against FOLDER"),
        (["--predictions", truth, "--against", truth, "--seeds", "3"], "--seeds: expected none beside --predictions"),
        (["--predictions", truth, "--against", "truth"], "dataset.json: expected the record of a data set"),
    ):
        assert text in refusal(capsys, *args, code=2)
    (truth / "labels.json").unlink()
    assert "labels.json: expected the names of the ids" in refusal(capsys, "--predictions", truth, "--against", truth)


# --- label videos


def test_videos_are_compared_frame_by_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = list(masks(1, 4).values())
    wrong = [frames[0], np.where(frames[1] == 2, 1, frames[1]).astype(np.uint8), *frames[2:]]
    for folder, ids, name in (
        ("truth", frames, "s0001-labels.mkv"),
        ("found", wrong, "s0001.mkv"),
        ("short", frames[:3], "s0001.mkv"),
    ):
        written(tmp_path / folder, {}, LABELS)
        with label_video(tmp_path / folder / name, SIZE[1], SIZE[0], 24) as add:
            for frame in ids:
                add(frame)
    grid = tmp_path / "grid.png"
    summary, _ = scores(capsys, "--predictions", tmp_path / "found", "--against", tmp_path / "truth", "--grid", grid)
    assert (summary["views"], summary["worst"][0]["name"]) == (4, "s0001 frame 1")
    assert summary["accuracy"] == pytest.approx(1 - (frames[1] == 2).sum() / (4 * frames[0].size), abs=1e-6)
    line = refusal(capsys, "--predictions", tmp_path / "short", "--against", tmp_path / "truth")
    assert "short/s0001.mkv: expected a frame for each of the truth, found 3" in line
    line = refusal(capsys, "--predictions", tmp_path / "truth", "--against", tmp_path / "short")
    assert "expected 3 frames as the truth has, found more" in line
    with preview_video(tmp_path / "found" / "coded.mp4", 16, 16, 24) as add:
        add(np.zeros((16, 16, 3), np.uint8))
    (tmp_path / "found" / "coded.mp4").rename(tmp_path / "found" / "s0001.mkv")
    line = refusal(capsys, "--predictions", tmp_path / "found", "--against", tmp_path / "truth")
    assert "expected a video of ids, FFV1 in 8-bit gray, found h264 yuv420p" in line


# --- folders of ours


def test_an_annotated_folder_is_a_truth_and_its_unpainted_masks_are_none(
    painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(painted_folder, tmp_path / "cloud")
    grid = tmp_path / "grid.png"
    summary, _ = scores(capsys, "--predictions", folder / "masks", "--against", folder, "--grid", grid)
    assert (summary["views"], summary["accuracy"]) == (8, 1)
    with Image.open(grid) as image:
        assert image.width > 4 * 192  # with images
    shutil.copytree(folder / "masks", tmp_path / "found")
    write_mask_ids(folder / "masks" / "s0000_v00.png", np.zeros((128, 128), np.uint8))
    call = ["--predictions", tmp_path / "found", "--against", folder]
    assert "found 1 of 8 with nothing painted: s0000_v00; paint them" in refusal(capsys, *call)
    summary, _ = scores(capsys, *call, "--skip-unpainted")
    assert (summary["views"], summary["superfluous"]) == (7, ["s0000_v00"])


def test_the_exact_truth_of_a_data_sets_views(tiny_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Masks that `sample --truth` painted are the truth, of all views and of one folder named for others' predictions."""
    cars = tmp_path / "cars"
    assert cli.run(["sample", "--model", str(tiny_demo), "--truth", "--seeds", "5-6", "--views", "2", "-o", str(cars)]) == 0
    summary, _ = scores(capsys, "--predictions", cars, "--against", "truth", "--grid", tmp_path / "grid.png")
    assert (summary["views"], summary["accuracy"], summary["against"]) == (4, 1, "truth")
    found = tmp_path / "found"
    found.mkdir()
    shutil.copy(cars / "masks" / "s0005_v00.png", found / "s0006_v00.png")
    summary, _ = scores(capsys, cars, "--predictions", found, "--against", "truth", "--skip-missing")
    assert (summary["views"], summary["missing"]) == (1, ["s0005_v00", "s0005_v01", "s0006_v01"])
    assert 0.3 < summary["accuracy"] < 1
    record = json.loads((cars / "dataset.json").read_text())
    record["plan"]["truncation"] = 0.7
    (cars / "dataset.json").write_text(json.dumps(record))
    line = refusal(capsys, cars, "--predictions", found, "--against", "truth", code=2)
    assert "expected seeds with truncation 1, whose truth is known, found truncation 0.7" in line


def test_names_of_predictions_are_taken_for_labels_by_map(
    truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = LabelSet.from_names(["top", "bonnet"])
    swapped = {name: np.array([0, 2, 1], np.uint8)[ids] for name, ids in masks(1).items()}
    found = written(tmp_path / "found", swapped, other)
    call = ["--predictions", found, "--against", truth]
    line = refusal(capsys, *call)
    assert "found 'top' (id 1)" in line or "found 'bonnet' (id 2)" in line
    assert "say with --map which label it is, or correct the names in " in line
    summary, events = scores(capsys, *call, "--map", "top=roof", "--map", "Bonnet=hood", "--map", "boot=roof")
    assert summary["accuracy"] == 1
    (warning,) = [event["message"] for event in events if event["event"] == "warning"]
    assert warning == f"--map: boot: no such name in {found / 'labels.json'}"
    assert "--map: expected one of the labels background, hood, roof or ignore, found 'rof' (did you mean roof?)" in refusal(
        capsys, *call, "--map", "top=rof", code=2
    )
    assert "--map: expected with --predictions, found none" in refusal(capsys, truth, "--map", "top=roof", code=2)
    (found / "labels.json").unlink()
    line = refusal(capsys, *call, "--map", "top=roof", code=2)
    assert (
        "--map: expected a labels.json or id2label.json beside the predictions, whose names it takes for labels, found none"
        in line
    )


# --- cameras of both sides


def posed(folder: Path, names: Sequence[str], yaw: float, focal: float = 2.0, file: str = "cameras.json") -> Path:
    cameras = [sphere_camera(yaw + number / 10, 0.2, radius=1.3, focal=focal) for number in range(len(names))]
    (folder / file).write_text(json.dumps(cameras_to_json(cameras, names)))
    return folder


def test_masks_of_other_cameras_are_not_scored(truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = written(tmp_path / "found", masks(1))
    call = ["--predictions", found, "--against", truth]
    posed(truth, ["v0", "v1", "v2"], 0.0)
    assert scores(capsys, *call)[0]["accuracy"] == 1  # predictions that say nothing of theirs
    posed(found, ["v0", "v1", "v2"], 0.0)
    assert scores(capsys, *call)[0]["accuracy"] == 1
    posed(found, ["v0", "other", "v2"], 0.0)  # in another order
    assert scores(capsys, *call)[0]["accuracy"] == 1
    text = json.loads((truth / "cameras.json").read_text())
    for view in text["views"]:
        view["cam2world"] = [[round(value, 6) for value in row] for row in view["cam2world"]]
    (found / "cameras.json").write_text(json.dumps(text))  # written again by a program that rounds
    assert scores(capsys, *call)[0]["accuracy"] == 1
    text["views"][1]["cam2world"][0][3] += 0.01
    (found / "cameras.json").write_text(json.dumps(text))
    line = refusal(capsys, *call)
    assert f"{found / 'cameras.json'}: v1: expected the camera of the view of that name in {truth / 'cameras.json'}" in line
    assert "found one that stands elsewhere; predict the views that are scored against" in line
    posed(found, ["v0", "v1", "v2"], 0.0, focal=2.1)
    assert "v0: expected the camera of the view of that name" in (line := refusal(capsys, *call))
    assert "found one that has another lens" in line
    (found / "cameras.json").write_text('[{"id": 0, "img_name": "v0"}]')  # another program's
    assert scores(capsys, *call)[0]["accuracy"] == 1
    (found / "cameras.json").write_text("{")
    assert "cameras.json: expected JSON, found " in refusal(capsys, *call, code=2)


def test_views_of_a_folder_of_masks_and_frames_of_clips_have_cameras_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, yaw in (("truth", 0.0), ("found", 0.3)):
        folder = tmp_path / name
        written(folder / "masks", masks(1, 1))
        posed(written(folder, {}, LABELS), ["v0"], yaw)
        clips = written(tmp_path / f"{name}-clips", {}, LABELS)
        posed(clips, ["frame_0000", "frame_0001"], yaw, file="s0001-cameras.json")
        with label_video(clips / "s0001-labels.mkv", SIZE[1], SIZE[0], 24) as add:
            for frame in masks(1, 2).values():
                add(frame)
    line = refusal(capsys, "--predictions", tmp_path / "found" / "masks", "--against", tmp_path / "truth" / "masks")
    assert f"{tmp_path / 'found' / 'cameras.json'}: v0: expected the camera of the view of that name" in line
    line = refusal(capsys, "--predictions", tmp_path / "found-clips", "--against", tmp_path / "truth-clips")
    assert "s0001-cameras.json: s0001 frame_0000: expected the camera of the view of that name" in line
    shutil.copy(tmp_path / "truth-clips" / "s0001-cameras.json", tmp_path / "found-clips")
    assert scores(capsys, "--predictions", tmp_path / "found-clips", "--against", tmp_path / "truth-clips")[0]["accuracy"] == 1


def test_wrong_pixels_are_red_and_ignored_ones_white() -> None:
    truth, predicted = np.array([[0, 1, 2, 255]], np.uint8), np.array([[0, 1, 1, 0]], np.uint8)
    background, part, wrong, ignored = wrong_pixels(truth, predicted)[0].tolist()
    assert wrong == [214, 32, 40]
    assert ignored == [255, 255, 255]
    assert max(background) < min(part)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.timeout(60)
def test_a_pipe_in_the_place_of_the_labels_is_not_waited_for(
    truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "found", masks(2))
    (truth / "labels.json").unlink()
    os.mkfifo(truth / "labels.json")
    assert "labels.json: expected the names of the ids in the masks" in refusal(
        capsys, "--predictions", tmp_path / "found", "--against", truth
    )


def test_names_by_id_may_have_half_a_character(truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "found", masks(2))
    (tmp_path / "found" / "id2label.json").write_text('{"0": "background", "1": "\\ud800", "2": "roof"}')
    assert "\ufffd" in refusal(capsys, "--predictions", tmp_path / "found", "--against", truth)
