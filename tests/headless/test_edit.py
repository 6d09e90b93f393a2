"""`edit`: a subject, by file or seed, follows its repainted mask; and what is refused before any work."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints.subject_file import read_subject_file, read_subject_header, record_of, write_subject_file
from dnerf_core.editing.settings import EditSettings
from dnerf_core.files.pictures import read_image, write_mask
from dnerf_core.model import Model
from headless import cli, models
from headless.commands import edit as edit_command
from headless.runs import edit as editing_run
from tests.blender import small_person
from tests.headless.inversion_cases import PITCH_DEG, SEED, YAW_DEG, Said, ending_after, said, write_pictures, write_vgg
from tests.headless.test_render import snapshot
from tests.headless.tiny_engine import LABELS, SIZE_PX, TINY, read_ids, save_tiny

TUNED = "backbone.synthesis.b8.conv0.weight"
ENDINGS = {".safetensors", "-sheet.png", "-view.png", "-mask.png", "-cameras.json", "-loss.png", "-loss.csv"}
SCORES = ["agreement_inside", "agreement_outside", "psnr_outside_db", "psnr_kept_db"]
KEYS = ["subject", "of", "finished", "edited_px", "labels", "edited_taken", *SCORES, "other_views"]
LAST_KEYS = ["yaw_deg", "pitch_deg", "seconds"]


@dataclass(frozen=True)
class Given:
    """A subject as a file with its camera, the same with a tuned weight, and its mask with a block repainted."""

    folder: Path
    subject: Path
    tuned: Path
    cameras: Path
    own: Path
    painted: Path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, trained_model: Path) -> Given:
    folder, model = tmp_path_factory.mktemp("subjects"), Model.load(trained_model)
    write_pictures(folder, trained_model)
    camera = cameras_from_json((folder / "cameras.json").read_text())["v"]
    ws, weight = model.subject(SEED).ws, model.generator.state_dict()[TUNED]
    found = Given(
        folder,
        folder / "seven.safetensors",
        folder / "tuned.safetensors",
        folder / "cameras.json",
        folder / "mask.png",
        folder / "painted.png",
    )
    write_subject_file(found.subject, record_of(model, ws, camera, {"kind": "image"}))
    write_subject_file(found.tuned, record_of(model, ws, camera, {"kind": "image"}, {TUNED: weight * 1.01}))
    repaint(found.own, found.painted)
    return found


def repaint(mask: Path, path: Path, *, rest: int | None = None) -> int:
    """Swap left and right in the middle of a mask; `rest`: an id for all else. Returns how many pixels were repainted."""
    before = read_ids(mask)
    middle = np.zeros(before.shape, bool)
    middle[50:78, 50:78] = True
    middle &= before != 0
    after = before if rest is None else np.full_like(before, rest)
    after[middle] = 3 - read_ids(mask)[middle]
    write_mask(path, after, LABELS.palette())
    return int(middle.sum())


@pytest.fixture
def edit(trained_model: Path) -> Callable[..., Said]:
    def call(subject: str | Path, *args: str | Path) -> Said:
        return said("edit", subject, "--model", trained_model, "--steps", "6", *args)

    return call


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, given: Given, trained_model: Path) -> tuple[Path, Said]:
    """The output folder of one call and what it said; copy nothing into it."""
    output = tmp_path_factory.mktemp("edited") / "out"
    call = ("edit", given.subject, "--model", trained_model, "--steps", "6", "--mask", given.painted, "-o", output, "--json")
    return output, said(*call)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def latents(path: Path) -> np.ndarray:
    return read_subject_file(path).ws.numpy()


def test_an_edit_gives_a_subject_and_what_shows_it(first: tuple[Path, Said], given: Given, trained_model: Path) -> None:
    out, told = first
    assert (told.code, told.err) == (0, [])
    assert names(out) == {f"painted{ending}" for ending in ENDINGS}
    header, own = read_subject_header(out / "painted.safetensors"), read_subject_header(given.subject)
    assert header.camera is not None and own.camera is not None
    assert np.array_equal(header.camera.cam2world, own.camera.cam2world)
    assert (header.made["kind"], header.made["source"], header.made["finished"]) == ("edit", "seven.safetensors", True)
    assert not np.array_equal(latents(out / "painted.safetensors"), latents(given.subject))
    engine = Model.load(trained_model)
    view = engine.subject(SEED).render(header.camera)
    assert np.array_equal(view.mask, read_ids(given.own))
    edited, asked, now = (
        read_ids(given.own) != read_ids(given.painted),
        read_ids(given.painted),
        read_ids(out / "painted-mask.png"),
    )
    assert told.summary["edited_px"] == edited.sum() > 100
    rows = list(csv.DictReader((out / "painted-loss.csv").open()))
    assert [row["stage"] for row in rows] == ["16 px w+"] * 4 + ["full size w+"] * 2
    assert told.summary["edited_taken"] == pytest.approx((now == asked)[edited].mean(), abs=1e-5)


def test_a_mask_of_inexact_colours_is_read_by_the_nearest(edit: Callable[..., Said], given: Given, tmp_path: Path) -> None:
    blurred = tmp_path / "painted.jpg"
    Image.fromarray(LABELS.colorize(read_ids(given.painted))).save(blurred, quality=90)
    call = (given.subject, "--mask", blurred, "-o", tmp_path / "out")
    assert "--snap-colors" in edit(*call).error
    snapped = edit(*call, "--snap-colors")
    assert snapped.code == 0
    assert snapped.err[0].startswith("warning: 1 masks read by the nearest colour: ")
    assert names(tmp_path / "out") == {f"painted{ending}" for ending in ENDINGS}


def test_the_record_keeps_the_words_of_earlier_files(first: tuple[Path, Said]) -> None:
    """What earlier versions recorded of a call: the same call counts as done by it."""
    made = read_subject_header(first[0] / "painted.safetensors").made
    weights = {"label_weight", "rgb_weight", "perceptual_weight", "keep_inside", "edited_weight", "prior"}
    asked = {"kind", "of", "model_sha256", "vgg_sha256", "mask_sha256", "mask_camera", "settings"}
    assert {*made} == asked | {"source", "finished", "scores"}
    assert {*made["settings"]} == weights | {"margin_px", "steps", "statistics_seed"}


def test_json_lines(first: tuple[Path, Said]) -> None:
    out, told = first
    path = str(out / "painted.safetensors")
    assert told.events("start") == [{"event": "start", "command": "edit", "subject": "seven.safetensors", "output": path}]
    progress = told.events("progress")[0]
    assert list(progress) == ["event", "picture", "stage", "step", "steps", "loss", "yaw_deg", "pitch_deg"]
    assert (progress["picture"], progress["step"], progress["steps"]) == ("painted.png", 1, 6)
    assert (progress["yaw_deg"], progress["pitch_deg"]) == (YAW_DEG, PITCH_DEG)
    assert list(told.summary) == ["event", "status", "command", *KEYS, *LAST_KEYS]
    assert (told.summary["subject"], told.summary["of"]) == (path, "seven.safetensors")
    assert (told.summary["yaw_deg"], told.summary["pitch_deg"]) == (YAW_DEG, PITCH_DEG)
    assert [view["yaw_deg"] for view in told.summary["other_views"]] == [-45.0, 45.0, 180.0]


def test_the_same_call_again_does_nothing_and_another_is_refused(
    first: tuple[Path, Said], given: Given, edit: Callable[..., Said]
) -> None:
    out, told = first
    before = snapshot(out)
    again = edit(given.subject, "--mask", given.painted, "-o", out, "--json")
    assert again.code == 0 and again.events("progress") == []
    assert again.summary == told.summary | {"seconds": None}
    text = edit(given.subject, "--mask", given.painted, "-o", out)
    assert text.out[0].startswith(f"{out / 'painted.safetensors'}: ") and text.out[0].endswith(
        " repainted pixels took their label"
    )
    assert text.out[-2:] == [
        f"{out / 'painted.safetensors'}: nothing to do, there already",
        f"look at {out / 'painted-sheet.png'}",
    ]
    for args, name in (
        ((given.subject, "--margin", "5"), "--margin"),
        ((str(SEED), "--yaw", YAW_DEG, "--pitch", PITCH_DEG), "the subject"),
        ((given.subject, "--yaw", "21"), "the mask's camera"),
    ):
        told = edit(*args, "--mask", given.painted, "-o", out)
        assert told.code == 1 and f"found one that differs in {name}; remove it" in told.error
    assert snapshot(out) == before


def test_two_runs_give_the_same_bytes(first: tuple[Path, Said], given: Given, edit: Callable[..., Said], tmp_path: Path) -> None:
    assert edit(given.subject, "--mask", given.painted, "-o", tmp_path / "out").code == 0
    assert contents(tmp_path / "out") == contents(first[0])


def test_a_seed_and_its_camera_are_the_file(
    first: tuple[Path, Said], given: Given, edit: Callable[..., Said], tmp_path: Path
) -> None:
    expected = latents(first[0] / "painted.safetensors")
    for number, where in enumerate((("--yaw", YAW_DEG), ("--yaw", YAW_DEG, "--pitch", PITCH_DEG), ("--camera", given.cameras))):
        out = tmp_path / str(number)
        assert edit(str(SEED), *where, "--mask", given.painted, "-o", out).code == 0
        np.testing.assert_allclose(latents(out / "painted.safetensors"), expected, atol=1e-4)
        assert read_subject_header(out / "painted.safetensors").made["of"] == [SEED, 1.0]


@pytest.mark.usefixtures("several_threads")
def test_an_edit_can_be_edited(first: tuple[Path, Said], edit: Callable[..., Said], trained_model: Path, tmp_path: Path) -> None:
    file = first[0] / "painted.safetensors"
    count = repaint(first[0] / "painted-mask.png", tmp_path / "again.png")
    told = edit(file, "--mask", tmp_path / "again.png", "-o", tmp_path / "out", "--json")
    assert told.code == 0 and told.summary["edited_px"] == count
    call = ("render", "--model", trained_model, "--subject", tmp_path / "out" / "again.safetensors")
    assert said(*call, "--cameras", tmp_path / "out" / "again-cameras.json", "-o", tmp_path / "views").code == 0
    shown = read_image(tmp_path / "views" / "images" / "s0000_v00.png").astype(int)
    # a view in one thread sums in another order than one in several: a value may be rounded the other way
    assert np.abs(shown - read_image(tmp_path / "out" / "again-view.png")).max() <= 1


def test_255_asks_for_nothing(given: Given, edit: Callable[..., Said], tmp_path: Path) -> None:
    count = repaint(given.own, tmp_path / "some.png", rest=255)
    told = edit(given.subject, "--mask", tmp_path / "some.png", "-o", tmp_path / "out", "--json")
    assert told.code == 0, told.err
    assert told.summary["edited_px"] == count and told.summary["agreement_outside"] is None


def test_what_was_tuned_stays(given: Given, edit: Callable[..., Said], tmp_path: Path) -> None:
    told = edit(given.tuned, "--mask", given.painted, "-o", tmp_path / "out")
    assert told.code == 0, told.err
    before, after = read_subject_file(given.tuned), read_subject_file(tmp_path / "out" / "painted.safetensors")
    assert list(after.tuned) == [TUNED] and np.array_equal(after.tuned[TUNED], before.tuned[TUNED])
    assert not np.array_equal(after.ws, before.ws)


def test_the_perceptual_loss_is_of_the_network_in_the_file(
    first: tuple[Path, Said], given: Given, edit: Callable[..., Said], tmp_path: Path
) -> None:
    vgg, out = write_vgg(tmp_path / "vgg.safetensors"), tmp_path / "out"
    call = (given.subject, "--mask", given.painted, "--perceptual-weight", "1", "--perceptual-file", vgg, "-o", out)
    assert edit(*call).code == 0
    losses = [(folder / "painted-loss.csv").read_text().splitlines() for folder in (out, first[0])]
    assert losses[0][:5] == losses[1][:5] and losses[0][5:] != losses[1][5:]  # coarse steps do without it
    write_vgg(vgg, seed=1)
    told = edit(*call)
    assert told.code == 1 and "found one that differs in --perceptual-file (its content); remove it" in told.error


def test_the_best_so_far_is_kept_and_made_anew_later(
    first: tuple[Path, Said], given: Given, edit: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as pressed:
        pressed.setattr(editing_run, "ending_early", ending_after(3))
        told = edit(given.subject, "--mask", given.painted, "-o", out)
    assert told.code == 130
    assert told.err == [
        f"warning: {given.painted}: ended early, {out / 'painted.safetensors'} holds the best so far",
        "error: interrupted; the same command goes on later",
    ]
    assert read_subject_header(out / "painted.safetensors").made["finished"] is False
    assert names(out) == {f"painted{ending}" for ending in ENDINGS}
    assert len((out / "painted-loss.csv").read_text().splitlines()) == 1 + 3
    assert edit(given.subject, "--mask", given.painted, "-o", out).code == 0
    assert contents(out) == contents(first[0])


def test_the_options_defaults_are_the_engines() -> None:
    ours = {parameter.name: parameter.default for parameter in edit_command.command.params}
    engine = dataclasses.asdict(EditSettings())
    pairs = {"margin_px": "margin"}
    del engine["statistics_seed"]
    assert {name: ours[pairs.get(name, name)] for name in engine} == engine


def test_a_mask_with_nothing_repainted_is_refused(given: Given, edit: Callable[..., Said], tmp_path: Path) -> None:
    told = edit(given.subject, "--mask", given.own, "-o", tmp_path / "out")
    assert told.code == 2 and names(tmp_path / "out") == set()
    assert told.error == (
        f"error: {given.own}: edited mask: expected some pixels that differ from the subject's own mask, found none; paint something"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("7",), "--yaw: expected where the mask was painted from, found nothing; give --yaw and --pitch, or --camera"),
        (("seven.safetensors", "--pitch", "3"), "--yaw: expected where the mask was painted from, found nothing"),
        (("7", "--yaw", "0:9"), "--yaw: expected one direction, found a range; give a single value"),
        (("7", "--yaw", "0", "--pitch", "0:9"), "--pitch: expected one direction, found a range; give a single value"),
        (("7", "--yaw", "0", "--camera", "cameras.json"), "--camera: expected it alone, found --yaw or --pitch beside it"),
        (("7", "--camera", "two.json"), "--camera two.json: expected a view named 'painted.png', found none among 2 such as "),
        (("7", "--camera", "mask.png"), "EG3D dataset.json or COLMAP's text model, it cannot be read: bytes that are no text"),
        (("nope", "--yaw", "0"), "nope: expected a subject file or a seed from 0 to 4294967295, found neither; correct the name"),
        (("4294967296", "--yaw", "0"), "4294967296: expected a subject file or a seed from 0 to 4294967295, found neither"),
        (("", "--yaw", "0"), "FILE|SEED: expected a subject file or a seed from 0 to 4294967295, found neither"),
        (("mask.png",), "mask.png: "),
        (
            ("seven.safetensors", "--truncation", "0.7"),
            "--truncation: expected a seed, found a subject file, which is not truncated",
        ),
        (
            ("seven.safetensors", "--perceptual-weight", "1"),
            "--perceptual-weight: expected --perceptual-file beside it, found none; give both, or neither",
        ),
        (
            ("seven.safetensors", "--perceptual-file", "mask.png"),
            "--perceptual-file: expected --perceptual-weight beside it, found none; give both, or neither",
        ),
        (("seven.safetensors", "--label-weight", "0"), "expected a weight of the labels above 0, found 0: nothing would change"),
        (("seven.safetensors", "--mask", "foreign.png"), "foreign.png: expected ids 0 to 2 or 255, found 3 at column 0, row 0"),
        (("seven.safetensors", "--mask", "photo.png"), "photo.png: expected only the label set's colours, found"),
        (("seven.safetensors", "-o", "mask.png"), "expected to write this file or folder, the system says: "),
        (("seven.safetensors", "-o", "/proc/self/out"), "expected to write this file or folder, the system says: "),
        (("seven.safetensors", "-o", "/proc/self"), "expected to write this file or folder, the system says: "),
        (
            ("seven.safetensors", "--mask", "seven.png", "-o", "."),
            "seven.safetensors: expected a file that the call only reads, found that it would write there; choose another --output",
        ),
        (("seven.safetensors", "--model", "other.safetensors"), "other.safetensors; name the right one with --model"),
        (
            ("seven.safetensors", "--model", "plain.safetensors"),
            "edit: expected a model with a semantic branch, found none in tiny",
        ),
    ],
)
def test_a_call_that_cannot_be_done_is_one_line_before_any_work(
    args: tuple[str, ...],
    message: str,
    given: Given,
    edit: Callable[..., Said],
    trained_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_work(*args: object, **kwargs: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr(models, "load_model", no_work)
    monkeypatch.chdir(tmp_path)
    for path in given.folder.iterdir():
        shutil.copy(path, tmp_path)
    shutil.copy(given.painted, "seven.png")
    one = json.loads(given.cameras.read_text())
    Path("two.json").write_text(json.dumps(one | {"views": [*one["views"], one["views"][0] | {"name": "w"}]}))
    write_mask(Path("foreign.png"), np.full((SIZE_PX, SIZE_PX), 3, np.uint8), LABELS.palette())
    save_tiny(Path("plain.safetensors"))
    if "other.safetensors" in args:
        retrained(trained_model, Path("other.safetensors"))
    before = names(tmp_path)
    told = edit(args[0], "--mask", "painted.png", *args[1:])
    assert told.code in (1, 2) and told.out == []
    assert told.error.startswith("error: ") and message in told.error
    assert names(tmp_path) == before


def retrained(trained: Path, path: Path) -> None:
    """A model with the same branch about another generator."""
    from dnerf_core.checkpoints.model_file import save_model

    other = Model.load(save_tiny(path.with_name("g.safetensors"), TINY, seed=4))
    own = Model.load(trained)
    assert own.branch is not None
    save_model(
        path,
        other.config,
        other.generator.state_dict(),
        semantic_config=own.header.semantic_config,
        semantic_state=own.branch.state_dict(),
        labels=own.labels,
    )
    path.with_name("g.safetensors").unlink()


def test_an_edit_of_a_subject_that_moves_is_of_the_masks_pose(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    small_person.main(tmp_path)
    model, out = str(tmp_path / "person.safetensors"), tmp_path / "edited"
    seen = ["render", "--model", model, "--seeds", "3", "--pose", "walk", "--frames", "9:9", "--yaw", "0", "--pitch", "0"]
    assert cli.run([*seen, "--channels", "rgb,mask", "-o", str(tmp_path / "seen")]) == 0
    (mask_path,) = (tmp_path / "seen" / "masks").glob("*.png")
    mask = read_ids(mask_path)
    rows, columns = np.nonzero(mask)
    mask[rows.min() : rows.max() // 2, columns.min() : columns.max()] = 1
    painted = tmp_path / "painted.png"
    write_mask(painted, mask, Model.load(model).labels.palette())
    words = ["edit", "3", "--model", model, "--mask", str(painted), "--yaw", "0", "--pitch", "0", "--steps", "2", "-o", str(out)]
    capsys.readouterr()
    assert cli.run([*words, "--pose", "walk"]) != 0
    assert "choose one by --frames N" in capsys.readouterr().err
    assert not out.exists()
    assert cli.run([*words, "--pose", "walk", "--frames", "9"]) == 0
    record = read_subject_file(out / "painted.safetensors")
    posed = cameras_json(tmp_path / "seen")["views"][0]["pose"]
    assert record.pose is not None
    np.testing.assert_allclose(np.ravel(record.pose), np.ravel(posed), atol=1e-6)
    # its own pose from now on; another may be given
    again = ["edit", str(out / "painted.safetensors"), "--model", model, "--mask", str(painted), "--steps", "2"]
    assert cli.run([*again, "-o", str(tmp_path / "again")]) == 0
    np.testing.assert_array_equal(read_subject_file(tmp_path / "again" / "painted.safetensors").pose, record.pose)
    assert cli.run([*again, "-o", str(tmp_path / "other"), "--pose", "walk", "--frames", "20"]) == 0
    assert np.abs(read_subject_file(tmp_path / "other" / "painted.safetensors").pose - record.pose).max() > 0.05


def cameras_json(folder: Path) -> dict:
    return json.loads((folder / "cameras.json").read_text())
