"""`evaluate --consistency`: numbers by hand and against the engine's functions, pictures, bounds, and what is refused."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import Camera, cameras_from_json, cameras_to_json
from dnerf_core.files.pictures import read_depth, read_image, write_depth, write_image, write_mask
from dnerf_core.files.posed_folder import PosedFolder, PosedView
from dnerf_core.labels import LabelSet
from dnerf_core.multiview import consistency_pairs as view_pairs
from dnerf_core.multiview.consistency import reprojection_agreement
from dnerf_core.multiview.consistency_pairs import angle_bin, compared_views, directions_from
from dnerf_core.rendering.labeled_view import LabeledView
from headless import cli
from headless.runs.evaluating import consistency as consistency_run
from headless.scores import folder_consistency
from tests.headless.test_pointcloud import BALL_LABELS, ball_folder
from tests.headless.test_render import error_line

LABELS = LabelSet.from_names(["left", "right"])
HEIGHT, WIDTH = 2, 4
WORLD_COLUMNS = np.array([1, 1, 2, 2, 1], np.uint8)
"""Labels of a wall; each camera sees four columns."""


def wall_folder(path: Path, columns: list[np.ndarray], *, images: bool = False) -> Path:
    """A wall at depth 4 that cameras one pixel apart look at; a row of labels for each view, in two rows of pixels."""
    for kind in ("depth", "masks", *(["images"] if images else [])):
        (path / kind).mkdir(parents=True)
    cameras = []
    for index, row in enumerate(columns):
        pose = np.eye(4)
        pose[0, 3] = index
        cameras.append(Camera(pose, np.array([[1.0, 0, 0.5], [0, 1.0, 0.5], [0, 0, 1]])))
        name = f"view_{index:04d}"
        write_depth(path / "depth" / f"{name}.npy", np.full((HEIGHT, WIDTH), 4.0, np.float32), "npy")
        write_mask(path / "masks" / f"{name}.png", np.tile(row, (HEIGHT, 1)), LABELS.palette())
        if images:
            write_image(path / "images" / f"{name}.png", np.full((HEIGHT, WIDTH, 3), 10 + 50 * index, np.uint8))
    (path / "cameras.json").write_text(json.dumps(cameras_to_json(cameras)))
    (path / "labels.json").write_text(json.dumps(LABELS.to_json()))
    return path


def exact_wall(path: Path, *, images: bool = False) -> Path:
    """Two views of the wall that say the same of it."""
    return wall_folder(path, [WORLD_COLUMNS[:4], WORLD_COLUMNS[1:]], images=images)


def summary(capsys: pytest.CaptureFixture[str], *args: str) -> dict:
    return events(capsys, *args)[-1]


def events(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict]:
    capsys.readouterr()
    assert cli.run(["evaluate", "--consistency", *args, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_views_that_say_the_same_agree_wholly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = summary(capsys, str(exact_wall(tmp_path / "wall")))
    assert (found["agreement"], found["agreement_accuracy"]) == (1.0, 1.0)
    assert found["covisible"] == 3 / 4  # three of four columns are in both views
    assert found["iou_per_class"] == {"left": 1.0, "right": 1.0}
    assert (found["objects"], found["views"], found["views_compared"], found["pairs"]) == (1, 2, 2, 1)


def test_labels_that_move_with_the_camera_by_arithmetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both masks are 1 1 2 2. Columns 1 to 3 of the first are columns 0 to 2 of the second: 1 2 2 is carried onto 1 1 2."""
    folder = wall_folder(tmp_path / "wall", [WORLD_COLUMNS[:4], WORLD_COLUMNS[:4]])
    told = events(capsys, str(folder))
    assert [event["event"] for event in told] == ["start", "object", "summary"]
    # a row of pixels, both ways: 2 agree on 1, 2 on 2, and 2 are told otherwise, which both classes count as wrong
    assert told[-1]["iou_per_class"] == {"left": 0.5, "right": 0.5}
    assert told[-1]["agreement"] == told[1]["agreement"] == 0.5
    assert told[-1]["agreement_accuracy"] == pytest.approx(4 / 6, abs=1e-6)
    # seen from the wall's middle at (0.5, 0, 4) the cameras are 2 atan(0.5 / 4) = 14.3 degrees apart
    by_angle = told[-1]["by_angle"]
    assert [(part["from_deg"], part["to_deg"], part["pairs"]) for part in by_angle] == [
        (0, 5, 0),
        (5, 15, 1),
        (15, 30, 0),
        (30, 60, 0),
        (60, 180, 0),
    ]
    assert by_angle[1]["agreement"] == 0.5
    assert (by_angle[0]["agreement"], by_angle[0]["covisible"]) == (None, 0.0)


def test_the_numbers_are_those_of_the_engines_functions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight views of a ball, six of one subject and two of another, with blocks of wrong labels."""
    folder = ball_folder(tmp_path / "ball", seeds=True)
    rng = np.random.default_rng(8)
    cameras = cameras_from_json((folder / "cameras.json").read_text())
    depths, masks = [], []
    for name in cameras:
        path = folder / "masks" / f"{name}.png"
        mask = read_image(path)
        wrong = (rng.random((8, 8)) < 0.2).repeat(8, 0).repeat(8, 1)
        masks.append(np.where(wrong & (mask > 0), 3 - mask, mask).astype(np.uint8))
        write_mask(path, masks[-1], BALL_LABELS.palette())
        depths.append(read_depth(folder / "depth" / f"{name}.exr"))
    told = events(capsys, str(folder))
    pairs = [*itertools.permutations(range(6), 2)]
    views = list(cameras.values())
    expected = reprojection_agreement(views[:6], depths[:6], masks[:6], BALL_LABELS.num_classes, pairs)
    first = told[1]
    assert (first["name"], first["pairs"]) == ("s0007", 15)
    assert 0.3 < expected.miou < 0.9
    for key, value in (
        ("agreement", expected.miou),
        ("agreement_accuracy", expected.accuracy),
        ("covisible", expected.covisible),
    ):
        assert first[key] == pytest.approx(value, abs=1e-6)
    other = reprojection_agreement(views[6:], depths[6:], masks[6:], BALL_LABELS.num_classes, [(0, 1), (1, 0)])
    assert told[-1]["agreement"] == pytest.approx(expected.plus(other).miou, abs=1e-6)
    assert (told[-1]["objects"], told[-1]["pairs"]) == (2, 16)
    # the neighbours of the ring are 45 degrees apart in the plane, and see the ball from above and below in turn
    assert [part["pairs"] for part in told[-1]["by_angle"]] == [0, 0, 0, 6, 10]
    two = reprojection_agreement(views[:6], depths[:6], masks[:6], 4, [(a, b) for a, b in pairs if abs(a - b) == 1]).plus(other)
    assert told[-1]["by_angle"][3]["agreement"] == pytest.approx(two.miou, abs=1e-6)


def test_a_table_for_people_and_several_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(exact_wall(tmp_path / name)) for name in ("one", "two")]
    assert cli.run(["evaluate", "--consistency", *folders]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{', '.join(folders)}: 4 views of 2 objects against each other"
    assert lines[1].split() == ["directions", "apart", "pairs", "mIoU", "accuracy", "co-visible"]
    assert lines[3].split() == ["5", "to", "15", "degrees", "2", "1.0000", "1.0000", "0.7500"]
    assert lines[7].split() == ["all", "2", "1.0000", "1.0000", "0.7500"]
    assert lines[8].split() == ["IoU", "left", "1.0000"]
    assert len(lines) == 10


def test_no_torch_is_loaded(tmp_path: Path) -> None:
    call = ["evaluate", "--consistency", str(exact_wall(tmp_path / "wall")), "--textures", str(tmp_path / "lines.png")]
    code = f"import sys; from headless import cli; assert cli.run({call!r}) == 0; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "False"), done.stderr


def test_textures_show_a_row_of_every_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, picture = exact_wall(tmp_path / "wall", images=True), tmp_path / "lines.png"
    found = summary(capsys, str(folder), "--textures", str(picture), "--row", "1")
    assert found["output"] == str(picture)
    sheet = np.asarray(Image.open(picture))
    top, left, frame_px, pixel_px = 68, 186, 256 // 2, 256 // 4
    colors = LABELS.palette()
    for frame, columns in enumerate((WORLD_COLUMNS[:4], WORLD_COLUMNS[1:])):
        y = top + frame * frame_px + frame_px // 2
        assert sheet[y, left + 5].tolist() == [10 + 50 * frame] * 3
        shown = [sheet[y, left + 256 + 8 + k * pixel_px + pixel_px // 2] for k in range(4)]
        np.testing.assert_array_equal(shown, colors[columns])
    shutil.rmtree(folder / "images")
    summary(capsys, str(folder), "--textures", str(picture))
    without = np.asarray(Image.open(picture))
    assert without.shape[1] < sheet.shape[1]
    np.testing.assert_array_equal(without[top + 5, left + 5], colors[WORLD_COLUMNS[0]])


def test_the_row_is_that_of_the_objects_middle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ball is seen from a little above and below: its middle is in the middle row, and its row above has other labels."""
    folder, picture = ball_folder(tmp_path / "ball", seeds=False), tmp_path / "lines.png"
    pictures = []
    for row in ([], ["--row", "31"], ["--row", "32"], ["--row", "12"]):
        summary(capsys, str(folder), "--textures", str(picture), *row)
        pictures.append(np.asarray(Image.open(picture)))
    assert any(np.array_equal(pictures[0], other) for other in pictures[1:3])
    assert not np.array_equal(pictures[0], pictures[3])


def test_of_many_views_some_are_compared() -> None:
    angles = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    directions = np.stack([np.sin(angles), np.zeros(500), np.cos(angles)], axis=1)
    assert compared_views(directions[:64]) == list(range(64))
    chosen = compared_views(directions)
    assert len(chosen) <= 64
    assert {0, 499} <= set(chosen)
    assert chosen == sorted(set(chosen))
    for view in np.rint(np.linspace(0, 499, 32)).astype(int):
        assert view in chosen
        assert {(view - 1) % 500, (view + 1) % 500} & set(chosen), "a neighbour"
    assert directions_from(np.zeros(3), np.array([[0.0, 0, 5], [0, 0, 0]])).tolist() == [[0, 0, 1], [0, 0, 0]]
    sixty = np.array([[1.0, 0, 0], [0.5, np.sqrt(0.75), 0], [np.cos(0.3), np.sin(0.3), 0]])
    assert [angle_bin(sixty, 0, other) for other in (0, 2)] == [0, 2]  # 0.3 rad are 17 degrees
    assert angle_bin(np.eye(3), 0, 1) == 4


def test_many_views_and_little_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ball_folder(tmp_path / "ball", seeds=False)
    read: list[str] = []

    class CountedFolder(PosedFolder):
        def labelled(self, view: PosedView) -> LabeledView:
            read.append(view.name)
            return super().labelled(view)

    monkeypatch.setattr(consistency_run, "PosedFolder", CountedFolder)
    whole = summary(capsys, str(folder))
    assert len(read) == 8
    monkeypatch.setattr(folder_consistency, "HELD_BYTES", 1)
    again = summary(capsys, str(folder))
    assert len(read) > 8 + 28, "one view is held at a time, so each of the 28 pairs needs reading"
    assert {**whole, "seconds": 0} == {**again, "seconds": 0}
    monkeypatch.setattr(view_pairs, "MAX_COMPARED_VIEWS", 4)
    fewer = summary(capsys, str(folder))
    assert fewer["views"] == 8
    assert 2 < fewer["views_compared"] <= 4
    assert fewer["pairs"] == fewer["views_compared"] * (fewer["views_compared"] - 1) / 2


def test_a_view_alone_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exact_wall(tmp_path / "wall")
    data = json.loads((folder / "cameras.json").read_text())
    lonely = {**data["views"][0], "name": "lonely", "seed": 3}
    (folder / "cameras.json").write_text(json.dumps({**data, "views": [lonely, *data["views"]]}))
    told = events(capsys, str(folder))
    assert told[1]["message"] == "1 object with one view only left out: there is nothing to compare it with"
    assert (told[-1]["views"], told[-1]["agreement"]) == (2, 1.0)


def _break(folder: Path, how: str) -> None:
    mask, depth = folder / "masks" / "view_0001.png", folder / "depth" / "view_0001.npy"
    if how == "no depth":
        shutil.rmtree(folder / "depth")
    elif how == "no labels":
        (folder / "labels.json").unlink()
    elif how == "no masks":
        shutil.rmtree(folder / "masks")
    elif how == "one mask":
        mask.unlink()
    elif how == "size":
        write_mask(mask, np.ones((HEIGHT, WIDTH + 1), np.uint8), LABELS.palette())
    elif how == "id":
        write_mask(mask, np.full((HEIGHT, WIDTH), 3, np.uint8), LABELS.palette())
    elif how == "zero":
        np.save(depth, np.zeros((HEIGHT, WIDTH), np.float32))
    elif how == "flat":
        np.save(depth, np.ones(5, np.float32))
    elif how == "one view":
        data = json.loads((folder / "cameras.json").read_text())
        (folder / "cameras.json").write_text(json.dumps({**data, "views": data["views"][:1]}))
    else:
        (folder / "cameras.json").unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no depth", "view_0000.exr: expected a file of the view 'view_0000', found none; render the views with depth"),
        ("no labels", "labels.json: expected the labels of the folder's masks, found no file; only views with masks can be"),
        ("no masks", "view_0000.png: expected a mask of the view 'view_0000', found no file; add it"),
        ("one mask", "view_0001.png: expected a mask of the view 'view_0001', found no file; add it"),
        ("size", "view_0001.png: expected a mask of 4 x 2 px like its depth, found 5 x 2; paint it at that size"),
        ("id", "view_0001.png: expected ids 0 to 2 or 255, found 3 at column 0, row 0"),
        ("zero", "view_0001.npy: depth_planar: expected depths above 0, +inf at background, found others"),
        ("flat", "view_0001.npy: depth_planar: expected floats [H, W], found float32 [5]; pass one image"),
        ("one view", "wall: expected two views of an object or more, found one of each; there is nothing to compare"),
        ("no cameras", "cameras.json: expected a file of posed views, it cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_scored_is_refused_in_one_line(
    how: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exact_wall(tmp_path / "wall")
    _break(folder, how)
    assert cli.run(["evaluate", "--consistency", str(folder)]) == (2 if how == "no cameras" else 1)
    assert message in error_line(capsys)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--consistency"], "--consistency: expected a FOLDER of views with cameras, depth and masks, found none; give one"),
        (["--consistency", "W", "--model", "demo-cars"], "--model: expected none beside --consistency"),
        (["--consistency", "W", "--seeds", "3"], "--seeds: expected none beside --consistency"),
        (["--consistency", "W", "--views", "3"], "--views: expected none beside --consistency"),
        (["--consistency", "W", "--truth"], "--truth: expected none beside --consistency"),
        (["--consistency", "W", "--exact"], "--exact: expected none beside --consistency"),
        (["--consistency", "W", "--grid", "g.png"], "--grid: expected none beside --consistency"),
        (["--consistency", "W", "--device", "auto"], "--device: expected none beside --consistency"),
        (["--consistency", "W", "--consistent"], "--consistent: expected none beside --consistency"),
        (["--consistency", "W", "--row", "1"], "--row: expected with --textures, found none"),
        (["W", "--textures", "t.png"], "--textures: expected with --consistency, found none"),
        (["W", "--consistent"], "--consistent: expected with --truth, found an annotated folder; leave it out"),
        (["--consistency", "W", "--textures", "T", "--row", "2"], "--row: expected 0 to 1, the rows of 'view_0000', found 2"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"W": str(exact_wall(tmp_path / "wall")), "T": str(tmp_path / "t.png")}
    assert cli.run(["evaluate", *(named.get(arg, arg) for arg in args)]) == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "t.png").exists()


def test_textures_need_frames_that_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, picture = exact_wall(tmp_path / "wall", images=True), tmp_path / "t.png"
    call = ["evaluate", "--consistency", str(folder), "--textures", str(picture)]
    write_image(folder / "images" / "view_0001.png", np.zeros((HEIGHT, 5, 3), np.uint8))
    assert cli.run(call) == 1
    assert "view_0001.png: expected an RGB image [2, 4, 3] to go with the depth, found [2, 5, 3]" in error_line(capsys)
    (folder / "images" / "view_0001.png").unlink()
    assert cli.run(call) == 1
    assert "view_0001.png: expected a file of the view 'view_0001', found none" in error_line(capsys)
    write_depth(folder / "depth" / "view_0001.npy", np.full((HEIGHT, 5), 4.0, np.float32), "npy")
    write_mask(folder / "masks" / "view_0001.png", np.ones((HEIGHT, 5), np.uint8), LABELS.palette())
    assert cli.run(call) == 1
    assert "view_0001.npy: expected 4 x 2 px as the object's first view for --textures, found 5 x 2" in error_line(capsys)
    assert cli.run([*call[:-1], str(tmp_path / "nowhere" / "t.png")]) == 1
    assert "expected to write this file or folder" in error_line(capsys)
    assert not picture.exists()


def test_folders_of_other_labels_are_scored_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (exact_wall(tmp_path / name) for name in ("one", "two"))
    (two / "labels.json").write_text(json.dumps(LabelSet.from_names(["port", "starboard"]).to_json()))
    assert cli.run(["evaluate", "--consistency", str(one), str(two)]) == 1
    assert f"expected the labels of {one} (background, left, right), found background, port, starboard" in error_line(capsys)
