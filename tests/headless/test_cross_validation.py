"""`evaluate --cross-validate` with a tiny engine: what each fold's branch learns and is scored on, going on, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.checkpoints import model_facts
from dnerf_core.files.annotated_folder import read_annotations
from dnerf_core.model import Model
from headless import cli
from headless.annotating import training_run
from headless.annotating.folds import plans_of
from headless.annotating.training_plan import TrainCall
from headless.runs.evaluate import evaluate
from headless.runs.evaluating.call import EvaluateCall
from headless.scores.fold_scores import FoldScore, folds_json
from headless.work.reporting import Quiet
from tests.headless.test_evaluate import events_of
from tests.headless.test_render import error_line
from tests.headless.tiny_engine import LABELS


def folds_call(painted: Path, *args: str) -> list[str]:
    return [str(painted), "--cross-validate", "2", "--steps", "3", *args]


@pytest.fixture(scope="module")
def kept(painted_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folds of the painted folder; copy it before changing anything."""
    folder = tmp_path_factory.mktemp("kept") / "folds"
    assert cli.run(["evaluate", *folds_call(painted_folder, "--keep", str(folder))]) == 0
    return folder


def seeds_of(plans: list[Any]) -> list[tuple[set[int], set[int]]]:
    return [
        ({image.subject.seed for image in plan.trained_images}, {image.subject.seed for image in plan.scored_images})
        for plan in plans
    ]


def test_no_subject_is_on_both_sides(painted_folder: Path, tiny_model: Path) -> None:
    painted, facts = read_annotations([painted_folder]), model_facts.describe_model(str(tiny_model))
    call = TrainCall(folders=(painted_folder,), output=Path("folds"))
    found = seeds_of(plans_of(call, painted, facts, 3))
    assert found == [({1, 2}, {0, 3}), ({0, 2, 3}, {1}), ({0, 1, 3}, {2})]
    plans = plans_of(call, painted, facts, 2, learned_share=0.5)
    assert seeds_of(plans) == [({1}, {0, 2}), ({0}, {1, 3})]
    assert [len(plan.trained_images) + len(plan.scored_images) for plan in plans] == [6, 6]
    assert [plan.call.output for plan in plans] == [Path("folds/fold-1.safetensors"), Path("folds/fold-2.safetensors")]


def test_a_subject_in_two_poses_is_one(painted_folder: Path, tiny_model: Path) -> None:
    from dataclasses import replace

    painted, facts = read_annotations([painted_folder]), model_facts.describe_model(str(tiny_model))
    moved = [
        replace(image, subject=image.subject._replace(pose=(float(image.view),))) if image.view else image
        for image in painted.images
    ]
    plans = plans_of(TrainCall(folders=(painted_folder,), output=Path("folds")), replace(painted, images=tuple(moved)), facts, 4)
    assert all(len(plan.held_out) == 2 and len(plan.scored_images) == 2 for plan in plans)
    assert all(not learned & scored for learned, scored in seeds_of(plans))


def test_the_folds_are_pooled_and_told_one_by_one(painted_folder: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = events_of(capsys, *folds_call(painted_folder, "--keep", str(kept)))
    summary = events[-1]
    assert events[0]["cross_validate"] == summary["cross_validate"] == 2 and summary["views"] == 8
    assert [event["fold"] for event in events if event["event"] == "fold"] == [1, 2]
    # Rendered anew from the folds' files, and counted here pixel by pixel.
    images = read_annotations([painted_folder]).images
    pairs: list[list[tuple[np.ndarray, np.ndarray]]] = []
    for fold, seeds in enumerate(((0, 2), (1, 3)), start=1):
        model = Model.load(kept / f"fold-{fold}.safetensors")
        assert (model.header.training or {})["semantic"]["seeds"] == {1: "1,3", 2: "0,2"}[fold]
        views = [image for image in images if image.subject.seed in seeds]
        masks = [model.subject(image.subject.seed).render(image.camera).mask for image in views]
        pairs.append([(image.mask, mask) for image, mask in zip(views, masks, strict=True) if mask is not None])
    told = [*summary["folds"], summary]
    for score, those in zip(told, [*pairs, [*pairs[0], *pairs[1]]], strict=True):
        truth, found = (np.stack(side) for side in zip(*those, strict=True))
        iou = [((truth == c) & (found == c)).sum() / ((truth == c) | (found == c)).sum() for c in range(3)]
        assert score["miou"] == pytest.approx(np.mean(iou), abs=1e-6)
        assert score["accuracy"] == pytest.approx((truth == found).mean(), abs=1e-6)
        assert score["iou_per_class"] == pytest.approx(dict(zip(LABELS.names, iou, strict=True)), abs=1e-6)
    values = [fold["miou"] for fold in summary["folds"]]
    assert summary["over_folds"]["miou"]["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert summary["over_folds"]["miou"]["spread"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert set(summary["over_folds"]["iou_per_class"]) == set(LABELS.names)


def test_scores_that_cannot_be_told_are_no_part_of_a_mean() -> None:
    one = FoldScore(np.array([[4, 0, 0], [0, 2, 0], [0, 0, 0]]), 1, 1, 3)
    other = FoldScore(np.array([[2, 2, 0], [0, 4, 0], [0, 0, 0]]), 1, 1, 3)
    found = folds_json([one, other], LABELS)
    assert found["iou_per_class"] == pytest.approx({"background": 6 / 8, "left": 6 / 8, "right": None})
    assert found["over_folds"]["iou_per_class"]["right"] == {"mean": None, "spread": None}
    assert found["over_folds"]["iou_per_class"]["left"]["mean"] == pytest.approx((1 + 4 / 6) / 2, abs=1e-6)


def test_a_table_for_people(painted_folder: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(["evaluate", *folds_call(painted_folder, "--keep", str(kept))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{painted_folder}: 8 views of 4 subjects in 2 folds, all together")
    assert [line.split("  ")[0].strip() or line.split()[1] for line in lines[1:3]] == ["mIoU", "accuracy"]
    assert lines[-1] == f"look at {kept / 'fold-1-grid.png'}" and (kept / "fold-2-grid.png").is_file()


def test_it_goes_on_where_it_was_interrupted(
    painted_folder: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path / "folds"))
    expected = (folder / "fold-2.json").read_bytes()
    for name in ("fold-2.json", "fold-2.safetensors", "fold-2-grid.png"):
        os.remove(folder / name)
    trained = []
    real = training_run.run_training
    monkeypatch.setattr(
        training_run, "run_training", lambda plan, voice: trained.append(plan.call.output.name) or real(plan, voice)
    )
    assert cli.run(["evaluate", *folds_call(painted_folder, "--keep", str(folder))]) == 0
    assert trained == ["fold-2.safetensors"] and (folder / "fold-2.json").read_bytes() == expected
    os.remove(folder / "fold-1.json")  # killed between the model and its scores
    assert cli.run(["evaluate", *folds_call(painted_folder, "--keep", str(folder))]) == 0
    assert trained == ["fold-2.safetensors"]
    capsys.readouterr()
    assert cli.run(["evaluate", *folds_call(painted_folder, "--keep", str(folder), "--seed", "5")]) == 1
    assert "fold-1.json: expected the scores of this fold, found another call's; remove it" in error_line(capsys)
    (folder / "fold-1.json").write_text("{")
    assert cli.run(["evaluate", *folds_call(painted_folder, "--keep", str(folder))]) == 1
    assert "fold-1.json: expected a fold's scores, it cannot be read; remove it" in error_line(capsys)


def test_nothing_is_left_without_a_folder_to_keep(painted_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    evaluate(EvaluateCall(folders=(painted_folder,), cross_validate=2, steps=1), Quiet())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["FOLDER", "--cross-validate", "5"], 2, "--cross-validate 5: expected at least as many painted subjects, found 4"),
        (["FOLDER", "--cross-validate", "1"], 2, "--cross-validate"),
        (["--cross-validate", "2"], 2, "--cross-validate: expected an annotated FOLDER, found none"),
        (["--cross-validate", "2", "--truth"], 2, "--truth: expected none beside --cross-validate"),
        (["FOLDER", "--cross-validate", "2", "--grid", "g.png"], 2, "--grid: expected none beside --cross-validate"),
        (["FOLDER", "--cross-validate", "2", "--patch", "100"], 2, "--patch: expected at most the 16 rays a side"),
        (["FOLDER", "--steps", "3"], 2, "--steps: expected with --cross-validate, found none"),
        (["FOLDER", "--no-density-prior"], 2, "--density-prior: expected with --cross-validate, found none"),
        (["FOLDER", "--keep", "k"], 2, "--keep: expected with --cross-validate, found none"),
    ],
)
def test_what_does_not_go_together_is_refused(
    args: list[str], code: int, message: str, painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    named = [str(painted_folder) if arg == "FOLDER" else arg for arg in args]
    assert cli.run(["evaluate", *named]) == code
    assert message in error_line(capsys)


def test_a_program_is_told_the_same(painted_folder: Path) -> None:
    from dnerf_core.errors import UsageError

    with pytest.raises(UsageError, match="--cross-validate: expected neither --truth nor --consistency, found --truth"):
        evaluate(EvaluateCall(folders=(painted_folder,), cross_validate=2, truth=True), Quiet())


def test_a_class_that_a_fold_does_not_learn_is_told(
    painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dnerf_core.files.pictures import write_mask
    from tests.headless.tiny_engine import read_ids

    folder = Path(shutil.copytree(painted_folder, tmp_path / "cloud"))
    for path in (folder / "masks").glob("*.png"):
        if not path.name.startswith("s0001"):
            ids = read_ids(path)
            write_mask(path, np.where(ids == 2, 1, ids).astype(np.uint8), LABELS.palette())
    events = events_of(capsys, str(folder), "--cross-validate", "2", "--steps", "1")
    messages = [event["message"] for event in events if event["event"] == "warning"]
    assert "fold 2: right is painted in no mask that its branch learns from" in messages
    assert json.dumps(events[-1])
