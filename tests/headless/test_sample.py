"""`sample` with a tiny engine: what there is to paint, what a second run does, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints import model_facts
from dnerf_core.demo.truth import true_view
from dnerf_core.files.masks import read_mask
from dnerf_core.labels import SHAPENET_CAR_LABELS, Label, LabelSet
from dnerf_core.model import Model
from headless import cli
from headless.datasets.view_writer import SeenView, ViewTask, ViewWriter
from headless.pictures.contact_sheet import TILE_PX, SheetView, contact_sheet
from tests.headless.test_render import contents, error_line, snapshot
from tests.headless.tiny_engine import LABELS, SIZE_PX, TINY, read_ids, sample_folder

NAMES = [f"s{seed:04d}_v{view:02d}" for seed in range(4) for view in range(2)]


def test_there_is_an_empty_mask_for_every_view(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sample_folder(tmp_path / "cloud", tiny_model)
    top = {
        "images",
        "masks",
        "cameras.json",
        "labels.json",
        "metadata.jsonl",
        "contact-sheet.png",
        "dataset.json",
        "checksums.sha256",
    }
    assert {path.name for path in folder.iterdir()} == top
    for kind in ("images", "masks"):
        assert sorted(path.name for path in (folder / kind).iterdir()) == [f"{name}.png" for name in NAMES]
    for name in NAMES:
        with Image.open(folder / "masks" / f"{name}.png") as mask:
            assert (mask.mode, mask.size) == ("P", (SIZE_PX, SIZE_PX))
            np.testing.assert_array_equal(np.reshape(mask.getpalette(), (-1, 3)), LABELS.palette())
        assert not read_ids(folder / "masks" / f"{name}.png").any()
    assert LabelSet.from_json((folder / "labels.json").read_text()) == LABELS
    cameras = cameras_from_json((folder / "cameras.json").read_text())
    assert list(cameras) == NAMES
    view = Model.load(tiny_model).subject(2).render(cameras["s0002_v01"])
    np.testing.assert_array_equal(read_ids(folder / "images" / "s0002_v01.png"), view.rgb)
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    named = {"image_file_name": "images/s0000_v01.png", "mask_file_name": "masks/s0000_v01.png"}
    assert rows[1] == {**named, "seed": 0, "view": 1}
    record = json.loads((folder / "dataset.json").read_text())
    plan = record["plan"]
    assert (record["command"], "depth" in record) == ("sample", False)
    assert plan["model"] == str(tiny_model)
    assert (plan["model_name"], plan["model_sha256"]) == ("tiny", model_facts.describe_model(str(tiny_model)).sha256)
    assert (plan["seeds"], plan["truncation"], plan["resolution_px"]) == ("0-3", 1.0, SIZE_PX)
    assert plan["labels"] == ["background #000000", *(f"{part.name} #{bytes(part.color).hex()}" for part in LABELS.labels[1:])]
    captured = capsys.readouterr()
    assert captured.err == ""  # empty masks are what was asked for
    assert captured.out.startswith(f"{folder}: 8 views of 4 subjects to annotate: 8 written in ")
    assert f"paint left, right in {folder}/masks, then: dnerf-headless train {folder}" in captured.out


def test_a_painted_mask_is_never_touched(tiny_model: Path, tmp_path: Path) -> None:
    folder = sample_folder(tmp_path / "cloud", tiny_model)
    whole = contents(folder)
    painted = folder / "masks" / "s0001_v00.png"
    painted.write_bytes(b"whatever an editor wrote")
    (folder / "images" / "s0001_v00.png").unlink()
    (folder / "masks" / "s0001_v01.png").unlink()
    before = snapshot(folder)
    sample_folder(folder, tiny_model)
    after = snapshot(folder)
    assert after["masks/s0001_v00.png"] == before["masks/s0001_v00.png"]
    assert contents(folder) == whole | {"masks/s0001_v00.png": b"whatever an editor wrote"}
    sample_folder(folder, tiny_model)
    assert snapshot(folder) == after


def test_a_mask_painted_while_the_command_runs_is_not_touched(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cloud"
    real = ViewWriter.see

    def paint_first(self: ViewWriter, task: ViewTask) -> SeenView:
        self.folder.file("masks", task.view.name).write_bytes(b"painted")
        return real(self, task)

    monkeypatch.setattr(ViewWriter, "see", paint_first)
    sample_folder(folder, tiny_model, seeds="0")
    assert (folder / "masks" / "s0000_v01.png").read_bytes() == b"painted"


def test_labels_come_from_the_option_a_file_or_the_model(
    tiny_model: Path, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["sample", "--model", str(tiny_model), "--seeds", "0", "--views", "2"]
    capsys.readouterr()
    assert cli.run([*call, "-o", str(tmp_path / "none")]) == 2
    line = error_line(capsys)
    assert f"--labels: expected names of parts or a labels.json, since {tiny_model} has no labels of its own" in line
    assert not (tmp_path / "none").exists()
    for text, message in (
        ("left,left", "error: --labels: label set: name: expected each one once, found 'left' twice"),
        ("background,left", "found 'background' twice; rename one of them (the background counts)"),
        ("left,,right", "error: --labels: label 2: name: expected printable text"),
        (
            str(tmp_path / "no.json"),
            f"error: --labels: {tmp_path}/no.json: expected a labels file, it cannot be read: No such file",
        ),
        (str(tiny_model.with_suffix(".json")), "it cannot be read"),
    ):
        assert cli.run([*call, "--labels", text, "-o", str(tmp_path / "none")]) == 2
        assert message in error_line(capsys)
    file = tmp_path / "mine.json"
    file.write_text('{"version": 7}')
    assert cli.run([*call, "--labels", str(file), "-o", str(tmp_path / "none")]) == 1
    assert f"error: --labels: {file}: expected an object with the keys" in error_line(capsys)
    file.write_text(json.dumps(LabelSet.from_names(["top"]).to_json()))
    assert cli.run([*call, "--labels", str(file), "-o", str(tmp_path / "file")]) == 0
    assert LabelSet.from_json((tmp_path / "file" / "labels.json").read_text()).names == ("background", "top")
    own = ["sample", "--model", str(trained_model), "--seeds", "0", "--views", "1", "-o", str(tmp_path / "own")]
    assert cli.run(own) == 0
    assert LabelSet.from_json((tmp_path / "own" / "labels.json").read_text()) == LABELS
    assert not read_ids(tmp_path / "own" / "masks" / "s0000_v00.png").any()  # not what the model's own branch says


def test_another_call_into_the_folder_is_refused(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sample_folder(tmp_path / "cloud", tiny_model, seeds="0")
    capsys.readouterr()
    call = ["sample", "--model", str(tiny_model), "--seeds", "0", "--views", "2", "-o", str(folder), "--labels"]
    assert cli.run([*call, "left,top"]) == 1
    line = error_line(capsys)
    assert "holds the results of another call, --labels was background #000000, left" in line
    assert cli.run(["render", "--model", str(tiny_model), "--seeds", "0", "--views", "2", "-o", str(folder)]) == 1
    assert "the command was sample and is now render" in error_line(capsys)


def test_truth_fills_the_masks_of_the_demo(tiny_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cars"
    call = ["sample", "--model", str(tiny_demo), "--truth", "--seeds", "5", "--random-views", "--views", "2", "-o", str(folder)]
    assert cli.run([*call, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["start", "view", "view", "summary"]
    assert events[-1]["labels"] == list(SHAPENET_CAR_LABELS.names)
    assert LabelSet.from_json((folder / "labels.json").read_text()) == SHAPENET_CAR_LABELS
    cameras = cameras_from_json((folder / "cameras.json").read_text())
    model = Model.load(tiny_demo)
    for name in ("s0005_v00", "s0005_v01"):
        mask = read_ids(folder / "masks" / f"{name}.png")
        np.testing.assert_array_equal(mask, true_view(model, 5, cameras[name], SIZE_PX)[0].mask[0].numpy())
        assert {0, 4} < set(np.unique(mask))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--labels", "left"], "--truth: expected the labels hood, roof, wheels, other, found left; give --labels hood,roof,"),
        (["--truncation", "0.7"], "--truth: expected --truncation 1, found 0.7; the truth of other subjects is not known"),
    ],
)
def test_truth_that_is_not_known_is_refused(
    args: list[str], message: str, tiny_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sample", "--model", str(tiny_demo), "--truth", *args, "-o", str(tmp_path / "out")]) == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_truth_of_another_model_is_refused(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sample", "--model", str(tiny_model), "--truth", "-o", str(tmp_path / "out")]) == 2
    assert "--truth: expected a model made from demo-cars or demo-people, found tiny; leave it out and paint" in error_line(
        capsys
    )
    assert not (tmp_path / "out").exists()


def test_thirty_subjects_and_three_views_by_default(tiny_model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from headless.runs.choices import chosen_seeds
    from headless.runs.sample import SampleCall, make_plan

    call = SampleCall(model_name=str(tiny_model), yaw=(-30, 30), labels=("a",), device="cpu", output=tmp_path)
    plan = make_plan(call, chosen_seeds(None, None, tuple(range(30))), model_facts.describe_model(str(tiny_model)))
    assert (len(plan.seeds), plan.views, plan.pitch_deg) == (30, 3, (TINY.cameras.pitch_deg,) * 2)


# --- labels that come later


def add_label(folder: Path, name: str, color: tuple[int, int, int]) -> LabelSet:
    """Let a person add a label to `labels.json`."""
    path = folder / "labels.json"
    held = LabelSet.from_json(path.read_text())
    grown = LabelSet((*held.labels, Label(held.num_classes, name, color)))
    path.write_text(json.dumps(grown.to_json()))
    return grown


def palette_of(path: Path) -> np.ndarray:
    with Image.open(path) as mask:
        return np.reshape(mask.getpalette(), (-1, 3))


def test_palettes_follow_labels_that_are_added_and_ids_stay(
    tiny_model: Path, painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(painted_folder, tmp_path / "cloud"))
    masks = folder / "masks"
    colored, gray, other = masks / "s0002_v00.png", masks / "s0002_v01.png", masks / "s0003_v00.png"
    Image.fromarray(LABELS.colorize(read_ids(colored))).save(colored)
    Image.fromarray(read_ids(gray)).save(gray)
    reordered = Image.fromarray(np.array([0, 2, 1], np.uint8)[read_ids(other)])
    reordered.putpalette(LABELS.palette()[[0, 2, 1]].tobytes())
    reordered.save(other)
    wrong_sum = bytearray((masks / "s0003_v01.png").read_bytes())
    wrong_sum[wrong_sum.index(b"IEND") - 5] ^= 1  # of the pixels; Pillow alone would read them
    (masks / "s0003_v01.png").write_bytes(wrong_sum)
    (masks / "s0000_v00.png").unlink()
    before = contents(folder)
    ids = {path.name: read_ids(path) for path in sorted(masks.glob("s000[01]*.png"))}
    grown = add_label(folder, "top", (9, 90, 200))
    capsys.readouterr()
    sample_folder(folder, tiny_model)
    captured = capsys.readouterr()
    assert "1 written in " in captured.out and ", palettes of 3 masks follow labels.json\n" in captured.out
    assert "paint left, right, top in " in captured.out
    assert captured.err == f"warning: {masks}: 1 mask cannot be read and stays as it is: s0003_v01.png\n"
    for path in sorted(masks.glob("s000[01]*.png")):
        np.testing.assert_array_equal(palette_of(path), grown.palette())
    for name, mask in ids.items():
        np.testing.assert_array_equal(read_ids(masks / name), mask)
    assert not read_ids(masks / "s0000_v00.png").any()
    after = contents(folder)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {
        "labels.json",
        "contact-sheet.png",
        "checksums.sha256",
        *(f"masks/s000{seed}_v0{view}.png" for seed in (0, 1) for view in (0, 1)),
    }
    sample_folder(folder, tiny_model)
    assert "nothing to do, all there" in capsys.readouterr().out
    assert contents(folder) == after
    # the same labels by the option, as they are by now
    again = ["sample", "--model", str(tiny_model), "--seeds", "0-3", "--views", "2", "-o", str(folder), "--labels"]
    assert cli.run([*again, str(folder / "labels.json")]) == 0
    assert contents(folder) == after
    (masks / "s0003_v01.png").unlink()
    capsys.readouterr()
    assert cli.run([*again, "left"]) == 1
    assert "holds the results of another call, --labels was " in error_line(capsys)


def test_labels_are_added_by_the_option_too(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sample_folder(tmp_path / "cloud", tiny_model)
    sheet = (folder / "contact-sheet.png").read_bytes()
    call = ["sample", "--model", str(tiny_model), "--seeds", "0-3", "--views", "2", "-o", str(folder)]
    capsys.readouterr()
    assert cli.run([*call, "--labels", "left,right,top,bottom", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["palettes_refreshed"], told["views_written"]) == (8, 0)
    labels = LabelSet.from_json((folder / "labels.json").read_text())
    assert labels == LabelSet.from_names(["left", "right", "top", "bottom"])
    for name in NAMES:
        np.testing.assert_array_equal(palette_of(folder / "masks" / f"{name}.png"), labels.palette())
    assert (folder / "contact-sheet.png").read_bytes() != sheet
    assert cli.run([*call, "--labels", "left,right"]) == 0  # the call that made the folder still finishes it


def test_colours_that_are_changed_reach_the_masks(tiny_model: Path, painted_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(painted_folder, tmp_path / "cloud"))
    whole = {path.name: read_ids(path) for path in (folder / "masks").iterdir()}
    path = folder / "labels.json"
    data = json.loads(path.read_text())
    data["labels"][1]["color"], data["labels"][2]["color"] = [200, 10, 10], list(LABELS.labels[1].color)
    path.write_text(json.dumps(data))
    sample_folder(folder, tiny_model)
    labels = LabelSet.from_json(path.read_text())
    for name, mask in whole.items():
        np.testing.assert_array_equal(palette_of(folder / "masks" / name), labels.palette())
        np.testing.assert_array_equal(read_mask(folder / "masks" / name, labels, SIZE_PX), mask)


def test_a_labels_file_that_is_damaged_is_told(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sample_folder(tmp_path / "cloud", tiny_model, seeds="0")
    (folder / "labels.json").write_text('{"version": 1, "labels": [')
    capsys.readouterr()
    call = ["sample", "--model", str(tiny_model), "--seeds", "0", "--views", "2", "--labels", "left,right", "-o", str(folder)]
    assert cli.run(call) == 1
    assert f"error: {folder / 'labels.json'}: expected JSON, found Expecting value at line 1" in error_line(capsys)


# --- the contact sheet


def test_the_sheet_has_a_row_for_every_subject_and_what_there_is_to_paint(tiny_model: Path, tmp_path: Path) -> None:
    folder = sample_folder(tmp_path / "cloud", tiny_model, seeds="0-10")
    with Image.open(folder / "contact-sheet.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    with Image.open(folder / "images" / "s0010_v00.png") as image:
        last = image.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
    top = 16 + 2 * 26 + 10 * (TILE_PX + 3)
    rows = pixels[top : top + TILE_PX]
    columns = [left for left in range(200) if np.array_equal(rows[:, left : left + TILE_PX], np.asarray(last))]
    assert len(columns) == 1
    legend = pixels[top + TILE_PX :].reshape(-1, 3)
    for color in (*(label.color for label in LABELS.labels), (255, 255, 255)):
        assert (legend == color).all(axis=1).sum() > 100, color


def test_long_names_and_titles_are_not_cut_off() -> None:
    tile = np.zeros((8, 8, 3), np.uint8)

    def row(_: int) -> list[SheetView]:
        return [SheetView(tile, None, None)]

    short, long = (contact_sheet("t", [name], row, None) for name in ("seed 1", "seed 4294967295"))
    tile_left = [int(np.flatnonzero((np.asarray(sheet)[100] == 0).all(axis=1))[0]) for sheet in (short, long)]
    assert tile_left == [92, 16 + int(ImageFont.load_default(size=15).getlength("seed 4294967295")) + 8]
    title = "a-model-with-a-long-name, 1 subject x 1 view of it, as long as a title gets"
    wide = contact_sheet(title, ["seed 1"], row, None)
    assert wide.width >= 32 + ImageFont.load_default(size=18).getlength(title) - 1 > short.width
