"""`train` with a tiny engine: from painted masks to a model file, in one go or resumed, and what is refused."""

from __future__ import annotations

import json
import math
import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.generator_hash import generator_sha256
from dnerf_core.checkpoints.model_file import load_model_file, read_header
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files.annotated_folder import read_annotations
from dnerf_core.files.masks import read_mask
from dnerf_core.files.pictures import write_mask
from dnerf_core.model import Model
from dnerf_core.subject_key import SubjectKey
from headless import cli
from headless.annotating import suspected_masks, trained_model, training_plan, training_run, training_state
from headless.annotating.mask_checks import Suspicion
from headless.annotating.training_plan import held_out_subjects
from headless.annotating.training_state import KeptState, read_state, state_path, write_state
from headless.scores import scoring
from tests.headless.test_render import error_line
from tests.headless.tiny_engine import LABELS, SIZE_PX, STEPS, save_tiny


@pytest.fixture
def folder(painted_folder: Path, tmp_path: Path) -> Path:
    """A copy of the painted folder to spoil."""
    return Path(shutil.copytree(painted_folder, tmp_path / "cloud"))


def train(folder: Path, output: Path, *args: str, steps: int = STEPS) -> int:
    return cli.run(["train", str(folder), "-o", str(output), "--steps", str(steps), *args])


def test_the_model_file_holds_generator_branch_labels_and_record(
    trained_model: Path, tiny_model: Path, painted_folder: Path
) -> None:
    before, after = load_model_file(tiny_model), load_model_file(trained_model)
    assert after.generator_state.keys() == before.generator_state.keys()
    assert all(torch.equal(after.generator_state[key], value) for key, value in before.generator_state.items())
    header = after.header
    assert header.labels == LABELS
    assert header.source == before.header.source
    assert header.semantic_config is not None
    assert header.semantic_config["num_classes"] == 3
    assert header.training is not None
    assert header.training["generator"] == {"seed": 3}
    record = header.training["semantic"]
    assert (record["subjects"], record["views"], record["steps"], record["label_count"]) == (3, 6, STEPS, 2)
    assert (record["seeds"], record["seeds_held_out"], record["seed"]) == ("0-2", "3", 0)
    assert record["feature_kind"] == header.semantic_config["feature_kind"]
    assert record["trained_from_sha256"] == model_facts.describe_model(str(tiny_model)).sha256
    assert record["loss_last_50"] < record["loss_first"]
    # The record's score is the score of the file: rendered anew, counted here pixel by pixel.
    model = Model.load(trained_model)
    held_out = [image for image in read_annotations([painted_folder]).images if image.subject.seed == 3]
    pairs = [(image.mask, model.subject(3).render(image.camera).mask) for image in held_out]
    truth, found = (np.stack(masks) for masks in zip(*pairs, strict=True))
    iou = [((truth == c) & (found == c)).sum() / ((truth == c) | (found == c)).sum() for c in range(3)]
    assert record["held_out"]["miou"] == pytest.approx(np.mean(iou), abs=1e-6)
    assert record["held_out"]["accuracy"] == pytest.approx((truth == found).mean(), abs=1e-6)
    assert record["held_out"]["iou_per_class"] == pytest.approx(dict(zip(LABELS.names, iou, strict=True)), abs=1e-6)
    assert record["held_out"]["miou"] > 0.5
    with Image.open(trained_model.with_name("trained-grid.png")) as grid:
        assert grid.height > 2 * 192  # two held-out views
    assert {path.name for path in trained_model.parent.iterdir()} == {"trained.safetensors", "trained-grid.png"}


def test_the_summary_tells_the_scores(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "deep" / "out.safetensors"
    capsys.readouterr()
    assert train(folder, output, "--json", "--holdout", "2", "--guide", "rgb", steps=12) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["start", "step", "step", "summary"]
    assert [event["step"] for event in events[1:3]] == [10, 12]
    summary = events[-1]
    assert (summary["subjects"], summary["subjects_held_out"], summary["views_held_out"]) == (2, 2, 4)
    assert set(summary["iou_per_class"]) == set(LABELS.names)
    assert train(folder, output, "--holdout", "2", "--guide", "rgb", steps=12) == 0
    assert capsys.readouterr().out == f"{output}: nothing to do, this training is there\n"
    assert train(folder, output, "--holdout", "2", steps=12) == 1
    assert f"{output}: expected a new file, it holds something else; remove it" in error_line(capsys)


def test_ablations_reach_the_branch_and_no_holdout_is_no_score(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.safetensors"
    options = ["--holdout", "0", "--scales", "last", "--no-density-prior", "--feature-kind", "planes", "--guide", "rendered"]
    assert train(folder, output, *options, "--seed", "4", "--learning-rate", "0.005", steps=2) == 0
    header = read_header(output)
    assert header.semantic_config is not None
    assert header.training is not None
    assert header.semantic_config["scales"] == [16]
    assert header.semantic_config["density_prior"] is False
    assert header.semantic_config["feature_kind"] == "planes"
    assert header.semantic_config["refiner"]["guide"] == "rendered"
    record = header.training["semantic"]
    assert (record["seed"], record["learning_rate"], record["held_out"]) == (4, 0.005, None)
    assert (record["subjects"], record["seeds_held_out"]) == (4, "")
    assert "held out" not in capsys.readouterr().out
    assert Model.load(output).subject(0).render(Model.load(output).front_camera()).mask is not None


def test_patches_are_another_training_and_none_is_the_one_that_it_was(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.safetensors"
    assert train(folder, output, "--patch", "8", "--no-density-prior", steps=2) == 0
    assert train(folder, output, steps=2) == 1
    assert "it holds something else" in error_line(capsys)
    plan = training_plan.plan_training(training_plan.TrainCall(folders=(folder,), output=output))
    assert "patch" not in plan.identity()["the training's options"]
    for patch in ("17", "3"):
        assert train(folder, tmp_path / "other.safetensors", "--patch", patch, steps=2) == 2
        assert "--patch" in error_line(capsys)


def test_truncation_is_that_of_the_folder(painted_folder: Path, folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "dataset.json").read_text())
    record["plan"]["truncation"] = 0.3
    (folder / "dataset.json").write_text(json.dumps(record))
    seen = []
    real = Model.subject

    def subject(self: Model, seed: int, truncation: float = 1.0):  # type: ignore[no-untyped-def]
        seen.append((seed, truncation))
        return real(self, seed, truncation)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "subject", subject)
        both = ["train", str(painted_folder), str(folder), "-o", str(tmp_path / "out.safetensors")]
        assert cli.run([*both, "--steps", "1", "--holdout", "3"]) == 0
    assert set(seen) == {(seed, truncation) for truncation in (1.0, 0.3) for seed in range(4)}


def test_a_model_stored_as_float16_stays_float16(tiny_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[Model] = []
    real = scoring.score_images
    monkeypatch.setattr(scoring, "score_images", lambda model, *rest: scored.append(model) or real(model, *rest))
    folder, output = tmp_path / "cars", tmp_path / "cars.safetensors"
    sample = ["sample", "--model", str(tiny_demo), "--truth", "--seeds", "0-2", "--views", "2", "--yaw", "20:60"]
    assert cli.run([*sample, "-o", str(folder)]) == 0
    assert train(folder, output, "--allow-missing-classes", steps=2) == 0
    header = read_header(output)
    assert {info.dtype.itemsize for info in header.tensors.values()} == {2}
    # What was scored is what is stored.
    assert scored[0].branch is not None
    stored = load_model_file(output).semantic_state
    assert stored is not None
    assert all(torch.equal(stored[key], value) for key, value in scored[0].branch.state_dict().items())
    assert header.generator_config.name == "demo-cars"
    assert generator_sha256(output) == generator_sha256(tiny_demo)
    # The other way round, from a file of float32 values: it stays as it was.
    assert generator_sha256(save_tiny(tmp_path / "other.safetensors", seed=4)) != generator_sha256(tiny_demo)


def test_a_branch_that_half_precision_would_break_is_stored_whole() -> None:
    assert trained_model._survives_float16("weight", torch.tensor([1e-9, 100.0]))
    assert not trained_model._survives_float16("weight", torch.tensor([1e5]))
    assert not trained_model._survives_float16("triplane.std_16", torch.tensor([1.0, 1e-9]))


def test_an_interrupted_training_goes_on_to_the_same_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_plan, "_CHECKPOINT_EVERY", 4)
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    assert train(folder, whole, steps=10) == 0
    real = training_state.write_state
    steps = []

    def stop_after_the_first(path: Path, call, kept: KeptState) -> None:  # type: ignore[no-untyped-def]
        real(path, call, kept)
        steps.append(kept.state["step"])
        if len(steps) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(training_state, "write_state", stop_after_the_first)
    assert train(folder, half, steps=10) == 130
    capsys.readouterr()
    assert state_path(half).name == ".half.training-state.pt"
    assert state_path(half).exists()
    assert not half.exists()
    # Another call with this output would throw away what has been done.
    assert train(folder, half, "--seed", "1", steps=10) == 1
    line = error_line(capsys)
    assert f"{state_path(half)}: expected the state of this training, found another's, with a different value of the " in line
    assert "the training's options; repeat that call to finish it" in line
    assert train(folder, half, steps=10) == 0
    assert steps == [4, 8, 10]
    assert not state_path(half).exists()
    one, other = load_model_file(whole), load_model_file(half)
    assert one.semantic_state is not None
    assert other.semantic_state is not None
    assert all(torch.equal(one.semantic_state[key], value) for key, value in other.semantic_state.items())


STATE = {"fingerprint": "f", "step": 1, "losses": [0.5], "branch": {}, "optimizer": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {"call": None},
        {"call": "["},
        {"call": "[" * 100_000},
        {"call": "[]"},
        {"seconds": "x"},
        {"seconds": float("nan")},
        {"state": None},
        {"state": [1]},
        *({"state": {key: value for key, value in STATE.items() if key != left_out}} for left_out in STATE if left_out != "step"),
        {"state": STATE | {"losses": ["x"]}},
    ],
)
def test_a_state_that_lacks_something_is_named(changes: dict[str, object], tmp_path: Path) -> None:
    path = state_path(tmp_path / "out.safetensors")
    write_state(path, {}, KeptState(STATE, 1.5))
    data = torch.load(path, weights_only=True) | changes
    for stored in (data, {key: value for key, value in data.items() if key not in changes}):
        torch.save(stored, path)
        with pytest.raises(OutputError, match=re.escape(f"{path}: expected the whole state of an interrupted training, found")):
            read_state(path, {})


@pytest.mark.parametrize("key", ["branch", "optimizer"])
def test_a_state_that_does_not_fit_the_branch_is_one_line(
    key: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_plan, "_CHECKPOINT_EVERY", 1)
    output = tmp_path / "out.safetensors"
    real = training_state.write_state

    def stop(path: Path, call, kept: KeptState) -> None:  # type: ignore[no-untyped-def]
        real(path, call, KeptState(kept.state | {key: {}}, kept.seconds))
        raise KeyboardInterrupt

    monkeypatch.setattr(training_state, "write_state", stop)
    assert train(folder, output, steps=2) == 130
    capsys.readouterr()
    assert train(folder, output, steps=2) == 2
    assert "training state: expected one of this branch, it does not fit: " in error_line(capsys)


class Hostile:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (Path.touch, (Path("pwned"),))


def test_a_state_file_is_never_executed_and_bad_ones_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = state_path(tmp_path / "out.safetensors")
    call = {"a": 1}
    assert read_state(path, call) is None
    write_state(path, call, KeptState(STATE, 1.5))
    kept = read_state(path, call)
    assert kept is not None
    assert (kept.state, kept.seconds) == (STATE, 1.5)
    with pytest.raises(OutputError, match=re.escape("with a different value of a; repeat that call")):
        read_state(path, {"a": 2})
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"text"):
        path.write_bytes(content)
        with pytest.raises(OutputError, match=re.escape(f"{path}: expected format datasetnerf-training-state 1, found another")):
            read_state(path, call)
    path.write_bytes(whole.replace(b"losses", b"\x80\x80\x80\x80\x80\x80"))
    with pytest.raises(OutputError, match=re.escape(f"{path}: expected the state of an interrupted training, it cannot be")):
        read_state(path, call)
    torch.save({"format": Hostile()}, path)
    with pytest.raises(OutputError, match="cannot be read; remove the file to start anew"):
        read_state(path, call)
    assert not (tmp_path / "pwned").exists()
    torch.save({"format": "another"}, path)
    with pytest.raises(OutputError, match="expected format datasetnerf-training-state 1, found another"):
        read_state(path, call)


@pytest.mark.parametrize(
    ("count", "holdout", "held_out"),
    [
        (2, None, 0),
        (3, None, 1),
        (30, None, 3),
        (26, None, 3),
        (30, 0.0, 0),
        (30, 5.0, 5),
        (30, 0.5, 15),
        (30, 0.001, 1),
        (2, 1.0, 1),
    ],
)
def test_the_last_subjects_are_held_out(count: int, holdout: float | None, held_out: int) -> None:
    subjects = [SubjectKey(seed, 1.0) for seed in range(count)]
    assert held_out_subjects(subjects, holdout) == tuple(subjects[count - held_out :])


@pytest.mark.parametrize(("count", "holdout"), [(1, 1.0), (3, 3.0), (1, 0.5), (2, 0.9)])
def test_holding_out_all_is_refused(count: int, holdout: float) -> None:
    with pytest.raises(UsageError, match=f"--holdout: expected at least one of {count} subjects left to train on, found none"):
        held_out_subjects([SubjectKey(seed, 1.0) for seed in range(count)], holdout)


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "nan", "inf"])
def test_a_holdout_that_makes_no_sense_is_a_wrong_call(
    text: str, painted_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["train", str(painted_folder), "-o", "x", "--holdout", text]) == 2
    assert "expected a number of subjects such as 3, or a share such as 0.1" in error_line(capsys)


def repaint(folder: Path, name: str, before: int, after: int) -> None:
    path = folder / "masks" / f"{name}.png"
    mask = read_mask(path, LABELS, SIZE_PX)
    write_mask(path, np.where(mask == before, after, mask).astype(np.uint8), LABELS.palette())


def test_an_empty_class_is_refused_unless_allowed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.safetensors"
    for seed in range(3):
        for view in range(2):
            repaint(folder, f"s{seed:04d}_v{view:02d}", 2, 1)
    assert train(folder, output) == 1
    line = error_line(capsys)
    assert f"{folder}: expected every class in a mask to train on, found right only in the 1 held-out subjects" in line
    for view in range(2):
        repaint(folder, f"s0003_v{view:02d}", 2, 1)
    assert train(folder, output) == 1
    line = error_line(capsys)
    assert f"{folder}: expected every class in some mask, found none of right; paint it, or go on without it with" in line
    assert not output.exists()
    assert train(folder, output, "--allow-missing-classes", steps=1) == 0


def test_unpainted_masks_are_refused_unless_skipped(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, path = tmp_path / "out.safetensors", folder / "masks" / "s0003_v01.png"
    write_mask(path, np.zeros((SIZE_PX, SIZE_PX), np.uint8), LABELS.palette())
    assert train(folder, output) == 1
    assert f"{path}: expected painted masks, found only background in 1 of 8" in error_line(capsys)
    assert train(folder, output, "--skip-unpainted", "--json", steps=1) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[1] == {"event": "warning", "message": "1 mask with nothing painted left out"}
    assert (events[-1]["views"], events[-1]["views_held_out"]) == (6, 1)


def test_another_generator_is_refused(
    folder: Path, tiny_model: Path, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.safetensors"
    other = save_tiny(tmp_path / "other.safetensors", seed=8)
    assert train(folder, output, "--model", str(other)) == 1
    line = error_line(capsys)
    assert f"{other}: expected the generator that {folder} was sampled from (" in line
    assert not output.exists()
    # The same generator with a branch beside it is not another generator.
    assert train(folder, output, "--model", str(trained_model), steps=1) == 0
    capsys.readouterr()
    record = json.loads((folder / "dataset.json").read_text())
    record["plan"]["model"] = str(tmp_path / "gone.safetensors")
    (folder / "dataset.json").write_text(json.dumps(record))
    assert train(folder, tmp_path / "next.safetensors") == 1
    line = error_line(capsys)
    assert f"gone.safetensors: expected the model that {folder} was sampled from, found no file; say where it is with" in line
    assert train(folder, tmp_path / "next.safetensors", "--model", str(tiny_model), steps=1) == 0


def test_an_output_that_is_something_else_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "thesis.doc"
    path.write_text("years of work")
    assert train(folder, path) == 1
    assert f"{path}: expected a new file, it holds something else" in error_line(capsys)
    assert path.read_text() == "years of work"
    assert train(folder, path / "below.safetensors") == 1
    assert f"{path}: expected to write this file or folder, the system says: " in error_line(capsys)
    assert train(folder, tmp_path) == 1
    assert f"{tmp_path}: expected a new file, it holds something else" in error_line(capsys)


def test_a_picture_that_another_training_drew_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, grid = tmp_path / "out.safetensors", tmp_path / "out-grid.png"
    foreign = tmp_path / "foreign.png"
    Image.new("RGB", (2, 2)).save(foreign)
    for content in (b"years of work", foreign.read_bytes()):
        grid.write_bytes(content)
        assert train(folder, output, steps=1) == 1
        assert f"{grid}: expected no file where this training's picture grid goes, found another; remove" in error_line(capsys)
        assert grid.read_bytes() == content
        assert not output.exists()
    grid.unlink()
    assert train(folder, output, steps=1) == 0
    drawn = grid.read_bytes()
    output.unlink()
    assert train(folder, output, steps=2) == 1  # another training's picture
    assert grid.read_bytes() == drawn
    assert train(folder, output, steps=1) == 0  # its own, as one that was killed before its model was written leaves it
    assert grid.read_bytes() == drawn


def test_a_learning_rate_that_explodes_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dnerf_core.semantic import training

    monkeypatch.setattr(training, "backward_views", lambda *args: math.nan)
    assert train(folder, tmp_path / "out.safetensors", steps=3) == 2
    assert "--learning-rate 0.01: expected a loss that falls, found nan at step 1; use a lower one" in error_line(capsys)


def no_training(*args: object, **kwargs: object) -> None:
    raise AssertionError("the training began")


def test_a_place_that_cannot_be_written_is_told_before_the_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_run, "train_branch", no_training)
    output = Path("/proc/self/out.safetensors")  # where not even root may write
    assert train(folder, output) == 1
    assert f"{output}: expected to write this file or folder, the system says: " in error_line(capsys)


def test_a_disk_too_full_for_the_model_is_told_before_the_training(
    folder: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_run, "train_branch", no_training)
    output = tmp_path / "new" / "out.safetensors"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (tiny_model.stat().st_size - 1, limits[1]))
        assert train(folder, output) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"{output}: expected to write this file or folder, the system says: File too large" in error_line(capsys)
    assert list(output.parent.iterdir()) == []


def test_temporary_files_of_a_killed_training_are_removed(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    names = (".out.safetensors.0123abcd.part", ".tmp-77-out-grid.png", ".tmp-77-.out.training-state.pt", ".tmp-77-mine.png")
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    assert train(folder, output, steps=1) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"cloud", "out.safetensors", "out-grid.png", ".tmp-77-mine.png"}


def test_a_name_too_long_for_its_state_file_is_told_before_the_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_run, "train_branch", no_training)
    output = tmp_path / f"{'x' * 225}.safetensors"
    assert train(folder, output) == 1
    assert f"{state_path(output)}: expected to write this file or folder, the system says: File name" in error_line(capsys)


def test_a_state_that_does_not_fit_the_disk_is_one_line(tmp_path: Path) -> None:
    """A file size limit stands for the full disk."""
    path = state_path(tmp_path / "out.safetensors")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OutputError, match="expected to write this file or folder, the system says: File too large"):
            write_state(path, {}, KeptState({"branch": torch.zeros(1000)}, 1.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_mirrored_mask_is_warned_of_and_refused_by_strict(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check itself is tested on drawn silhouettes; here, that its findings reach the user, before anything is trained."""
    path = folder / "masks" / "s0001_v00.png"
    found = [Suspicion("s0001_v00", path, "mirrored", f"{path}: seems mirrored")]
    monkeypatch.setattr(suspected_masks, "suspicions", lambda views, tolerance, shown_px: found if len(views) == 8 else [])
    assert train(folder, tmp_path / "strict.safetensors", "--strict") == 1
    assert error_line(capsys) == f"error: {path}: seems mirrored\n"
    assert not (tmp_path / "strict.safetensors").exists()
    assert train(folder, tmp_path / "warned.safetensors", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    warned = [event for event in events if event["event"] == "warning"]
    assert {"event": "warning", "message": f"{path}: seems mirrored", "mask": str(path), "suspected": "mirrored"} in warned
