"""`sample --next` with a tiny engine: a folder of chosen views, the reasons in its record, what a second run does, what is refused."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints.subject_file import record_of as record_of_subject
from dnerf_core.checkpoints.subject_file import write_subject_file
from dnerf_core.files.annotated_folder import read_folder
from dnerf_core.files.pictures import write_mask
from dnerf_core.model import Model
from dnerf_core.semantic.choosing.ensemble import EnsembleConfig
from headless import cli
from headless.annotating import choosing
from headless.annotating.chosen_views import numbered
from headless.runs.sampling import next_views
from tests.headless.test_render import error_line, snapshot
from tests.headless.tiny_engine import LABELS, SIZE_PX, read_ids, sample_folder, save_tiny


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few candidates and small members of the ensemble, so that a choice takes a second."""
    monkeypatch.setattr(next_views, "CANDIDATE_SUBJECTS", 5)
    monkeypatch.setattr(next_views, "CANDIDATE_VIEWS", 2)
    monkeypatch.setattr(choosing, "EnsembleConfig", partial(EnsembleConfig, hidden_dim=16, steps=40, rays_per_step=128))


def choose(folders: list[Path], *args: str, next_views: str = "3") -> int:
    return cli.run(["sample", "--next", next_views, *map(str, folders), *args])


def record_of(folder: Path) -> dict:
    return json.loads((folder / "dataset.json").read_text())


@pytest.mark.usefixtures("few")
def test_chosen_views_are_a_folder_to_paint_and_to_train_on_with_the_first(
    painted_folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "more"
    capsys.readouterr()
    assert choose([painted_folder], "-o", str(output)) == 0
    out = capsys.readouterr().out
    assert f"{output}: 3 views of 3 subjects to annotate: 3 written in" in out
    assert "chosen among 18 views of 9 subjects, by 8 painted views; members disagree most on" in out
    assert f"then: dnerf-headless train {painted_folder} {output} -o model.safetensors" in out
    record = record_of(output)
    chosen = record["chosen"]["views"]
    assert record["plan"]["labels"] == record_of(painted_folder)["plan"]["labels"]
    assert record["plan"]["generator_sha256"] == record_of(painted_folder)["plan"]["generator_sha256"]
    assert [view["order"] for view in chosen] == [1, 2, 3]
    assert len({view["seed"] for view in chosen}) == 3
    assert all(view["seed"] >= 4 for view in chosen)  # subjects that are not painted
    assert all(1 <= view["uncertainty_rank"] <= 18 and view["uncertainty"] > 0 and view["distance"] > 0 for view in chosen)
    assert all(sum(view["uncertainty_by_class"].values()) == pytest.approx(1, abs=1e-3) for view in chosen)
    assert all(view["nearest"].split("/")[-1].startswith("s") for view in chosen)
    part = read_folder(output)
    assert part.labels == LABELS
    cameras = cameras_from_json((output / "cameras.json").read_text())
    engine = Model.load(tiny_model)
    for view in chosen:
        np.testing.assert_array_equal(cameras[view["name"]].cam2world, view["cam2world"])
        seen = engine.subject(view["seed"]).render(cameras[view["name"]])
        np.testing.assert_array_equal(read_ids(output / "images" / f"{view['name']}.png"), seen.rgb)
        assert not read_ids(output / "masks" / f"{view['name']}.png").any()
    assert (output / "contact-sheet.png").is_file()
    paint_something(output, [view["name"] for view in chosen])
    model = tmp_path / "trained.safetensors"
    assert cli.run(["train", str(painted_folder), str(output), "-o", str(model), "--steps", "2", "--holdout", "0"]) == 0


def paint_something(folder: Path, names: list[str]) -> None:
    """Something of each class in every mask."""
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    mask[50:70, 40:60], mask[50:70, 60:80] = 1, 2
    for name in names:
        write_mask(folder / "masks" / f"{name}.png", mask, LABELS.palette())


@pytest.mark.usefixtures("few")
def test_the_same_call_finishes_the_folder_and_chooses_nothing_anew(
    painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, output = tmp_path / "cloud", tmp_path / "cloud-next"
    shutil.copytree(painted_folder, folder)
    assert choose([folder]) == 0  # into the folder's name and -next
    before = snapshot(output)
    (output / "images" / f"{record_of(output)['chosen']['views'][0]['name']}.png").unlink()
    mask = folder / "masks" / "s0000_v00.png"
    shutil.copyfile(folder / "masks" / "s0000_v01.png", mask)  # corrected since: the choice stays

    def fail(*args: object, **more: object) -> None:
        raise AssertionError("chosen again")

    monkeypatch.setattr("headless.annotating.choosing.choose", fail)
    capsys.readouterr()
    assert choose([folder]) == 0
    assert "1 written in" in capsys.readouterr().out
    assert {name: data[0] if isinstance(data, tuple) else data for name, data in snapshot(output).items()}.keys() == before.keys()
    assert choose([folder], next_views="4") == 1
    assert "holds the results of another call, --next was 3 and is now 4" in error_line(capsys)
    (folder / "masks" / "s0003_v01.png").write_bytes(
        (sample_folder(tmp_path / "fresh", Path(record_of(folder)["plan"]["model"])) / "masks" / "s0003_v01.png").read_bytes()
    )
    capsys.readouterr()
    assert choose([folder]) == 1  # fewer are painted by now
    assert "what was painted when the views were chosen was" in error_line(capsys)


@pytest.mark.usefixtures("few")
def test_a_choice_is_the_same_each_time_and_another_by_another_seed(painted_folder: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert choose([painted_folder], "-o", str(tmp_path / name), "--choice-seed", seed) == 0
    first, again, other = (record_of(tmp_path / name)["chosen"]["views"] for name in "abc")
    assert first == again
    assert [view["uncertainty"] for view in first] != [view["uncertainty"] for view in other]


@pytest.mark.usefixtures("few")
def test_views_of_one_subject_and_the_candidates_are_what_the_call_says(painted_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "more"
    args = ["-o", str(output), "--views", "2", "--seeds", "2,3,40-42", "--yaw", "50:60"]
    assert choose([painted_folder], *args, next_views="4") == 0
    record = record_of(output)
    chosen = record["chosen"]["views"]
    assert record["chosen"]["candidate_subjects"] == 3  # 2 and 3 are painted
    assert {view["seed"] for view in chosen} <= {40, 41, 42}
    assert sorted((view["seed"], view["view"]) for view in chosen) == [
        (s, v) for s in sorted({w["seed"] for w in chosen}) for v in (0, 1)
    ]
    assert record["plan"]["yaw_deg"] == [50.0, 60.0]
    assert record["plan"]["views"] == 2
    inherited = tmp_path / "inherited"
    assert choose([painted_folder], "-o", str(inherited), next_views="1") == 0
    assert record_of(inherited)["plan"]["yaw_deg"] == record_of(painted_folder)["plan"]["yaw_deg"]


@pytest.mark.usefixtures("few")
def test_subject_files_are_chosen_among_and_numbered_anew(painted_folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    files = []
    for seed in (70, 71, 72):
        file = tmp_path / f"subject{seed}.safetensors"
        model = Model.load(tiny_model)
        write_subject_file(file, record_of_subject(model, model.subject(seed).ws, None, {"kind": "edit"}))
        files += ["--subject", str(file)]
    output = tmp_path / "more"
    assert choose([painted_folder], "-o", str(output), *files, next_views="2") == 0
    record = record_of(output)
    assert record["plan"]["seeds"] == "0-1"
    taken = sorted(view["candidate_subject"] for view in record["chosen"]["views"])
    assert [Path(path).name for path in record["plan"]["subject_paths"]] == [
        f"subject{70 + number}.safetensors" for number in taken
    ]
    assert len(read_folder(output).images) == 2
    assert choose([painted_folder], "-o", str(output), *files, next_views="2") == 0  # again: all there


@pytest.mark.usefixtures("few")
def test_a_dry_run_chooses_nothing(painted_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headless.annotating.choosing.choose", None)
    assert choose([painted_folder], "-o", str(tmp_path / "more"), "--dry-run") == 0
    assert not (tmp_path / "more").exists()


def test_wrong_calls_are_refused_in_a_line(
    painted_folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "more"
    for args, code, message in (
        ([str(painted_folder), "--next", "0"], 2, "--next"),
        (["--next", "3"], 2, "--next 3: expected folders of sample that are painted, found none; name them: FOLDER..."),
        ([str(painted_folder)], 2, f"FOLDER {painted_folder}: expected --next N beside it, found none"),
        (
            ["--choice-seed", "3"],
            2,
            "--choice-seed: expected --next N beside it, found none; give it, or leave --choice-seed out",
        ),
        (
            [str(painted_folder), "--next", "3", "--labels", "a,b"],
            2,
            "--next and --labels: expected the labels of the painted folders",
        ),
        ([str(painted_folder), "--next", "3", "--extend"], 2, "--next and --extend: expected one of them, found both"),
        ([str(painted_folder), "--next", "3", "--views", "2"], 2, "--next 3: expected a multiple of --views 2"),
        ([str(painted_folder), "--next", "3", "--seeds", "0-5"], 2, "--next 3: expected at least 3 subjects to choose among"),
        ([str(painted_folder), "--next", "3", "--truth"], 2, "--truth: expected a model made from"),
        (
            [str(painted_folder), "--next", "3", "-o", str(painted_folder)],
            2,
            "expected a folder of its own, found one that is painted",
        ),
        ([str(painted_folder), str(painted_folder), "--next", "3"], 2, "expected each one once, found one twice"),
    ):
        capsys.readouterr()
        extra = [] if "-o" in args else ["-o", str(output)]
        assert cli.run(["sample", *args, *extra]) == code, args
        assert message in capsys.readouterr().err
    assert not output.exists()


def test_folders_that_cannot_be_chosen_by_are_refused(
    painted_folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = sample_folder(tmp_path / "empty", tiny_model, seeds="0")
    other = save_tiny(tmp_path / "other.safetensors", seed=4)
    strange = tmp_path / "strange"
    strange.mkdir()
    foreign = sample_folder(tmp_path / "foreign", other, seeds="0")
    paint_something(foreign, ["s0000_v00", "s0000_v01"])
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "mine.txt").write_text("mine")
    for folders, args, message in (
        ([empty], [], "expected painted masks, found only background"),
        ([strange], [], "expected a folder made by `sample`, found no dataset.json"),
        ([painted_folder, foreign], [], "expected the generator of"),
        ([painted_folder], ["--model", str(other)], "expected the generator that"),
        (
            [painted_folder],
            ["-o", str(occupied)],
            "expected a new or empty folder or this command's own results, found 'mine.txt'",
        ),
    ):
        capsys.readouterr()
        extra = [] if "-o" in args else ["-o", str(tmp_path / "more")]
        assert choose(folders, *args, *extra) == 1, folders
        assert message in error_line(capsys)
    damaged = tmp_path / "damaged"
    shutil.copytree(painted_folder, damaged)
    record = record_of(damaged)
    record["plan"]["yaw_deg"] = "wide"
    (damaged / "dataset.json").write_text(json.dumps(record))
    assert choose([damaged], "-o", str(tmp_path / "more")) == 1
    assert "plan: yaw_deg: expected two angles in degrees, found 'wide'" in error_line(capsys)


@pytest.mark.usefixtures("few")
def test_a_damaged_choice_is_refused(painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "more"
    assert choose([painted_folder], "-o", str(output)) == 0
    whole = record_of(output)
    for damage, message in (
        (lambda chosen: chosen["views"].pop(), "chosen: expected 3 views as sample --next wrote them, found others"),
        (lambda chosen: chosen["views"][0].update(order="first"), "chosen: expected 3 views as sample --next wrote them"),
        (lambda chosen: chosen["views"][0].update(view=1), "chosen: expected 1 views of each subject, found others"),
        (lambda chosen: chosen["views"][0].update(cam2world=[[1]]), "restore the file"),
    ):
        record = json.loads(json.dumps(whole))
        damage(record["chosen"])
        (output / "dataset.json").write_text(json.dumps(record))
        capsys.readouterr()
        assert choose([painted_folder], "-o", str(output)) == 1
        assert message in error_line(capsys)


def test_chosen_views_are_numbered_by_subject() -> None:
    assert numbered([9, 4, 9, 7], files=False) == [(9, 0), (4, 0), (9, 1), (7, 0)]
    assert numbered([9, 4, 9, 7], files=True) == [(2, 0), (0, 0), (2, 1), (1, 0)]
