"""A folder's views are of one form of convolutions, which its record tells: who goes on with it computes in that form, or is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dnerf_core.convolutions import choice
from dnerf_core.convolutions.forms import BFLOAT16, FLOAT32, FLOAT32_CONTIGUOUS, ConvolutionForm
from dnerf_core.convolutions.measured import Measurement
from dnerf_core.errors import OutputError
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.model import Model
from headless import cli
from headless.cluster.actor import SubjectActor
from headless.datasets.folder import DatasetFolder
from headless.work.convolutions import subject_in_form
from headless.work.machine import convolutions_finding
from tests.headless.fake_engine import FakeModel
from tests.headless.test_extend import contents
from tests.headless.test_ray import fake_plan, fake_work

RENDER = ["render", "--seeds", "0-1", "--views", "2"]
FAKED = {
    "render": RENDER,
    "video": ["video", "--seeds", "0-1", "--frames", "2"],
}

DEMO = {
    "sample": ["sample", "--labels", "left,right", "--subjects", "1", "--views", "1"],
    "pointcloud": ["pointcloud", "--seeds", "0", "--views", "3", "--resolution", "32"],
    "mesh": ["mesh", "--seeds", "0", "--views", "3", "--resolution", "32", "--nodes", "24"],
}


@pytest.fixture
def chooses(monkeypatch: pytest.MonkeyPatch) -> dict[str, ConvolutionForm]:
    """The form that this machine chooses from now on, under "form"; it can compute in every one."""
    held = {"form": BFLOAT16}
    monkeypatch.setattr(choice, "chosen_form", lambda device: held["form"])
    monkeypatch.setattr(choice, "why_not", lambda form, device: None)
    return held


def entry_of(folder: Path) -> dict[str, Any] | None:
    entry: dict[str, Any] | None = json.loads((folder / "dataset.json").read_text()).get("convolutions")
    return entry


def rewrite(folder: Path, **entries: Any) -> None:
    """Change the record, or take entries of None out of it."""
    record = json.loads((folder / "dataset.json").read_text()) | entries
    kept = {name: value for name, value in record.items() if value is not None}
    (folder / "dataset.json").write_text(json.dumps(kept, indent=2) + "\n")


@pytest.mark.parametrize("command", FAKED)
def test_who_goes_on_computes_in_the_form_of_the_record(
    command: str, chooses: dict[str, ConvolutionForm], fake_model: FakeModel, tmp_path: Path
) -> None:
    """Though the cache has gone since, and the machine would choose another one now."""
    call = [*FAKED[command], "-o", str(tmp_path)]
    assert cli.run(call) == 0
    entry = entry_of(tmp_path)
    assert entry is not None and fake_model.convolutions == BFLOAT16
    assert (entry["format"], entry["layout"]) == ("bfloat16", "channels last")
    assert entry["torch"] == torch.__version__ and entry["processor"]
    record = (tmp_path / "dataset.json").read_bytes()
    chooses["form"], fake_model.convolutions = FLOAT32, FLOAT32
    lost = next(path for path in sorted(tmp_path.rglob("s0*")) if path.is_file())
    lost.unlink()
    assert cli.run(call) == 0
    assert lost.exists() and fake_model.convolutions == BFLOAT16
    assert (tmp_path / "dataset.json").read_bytes() == record


@pytest.mark.parametrize("command", DEMO)
def test_other_commands_compute_in_the_form_of_the_record(
    command: str, chooses: dict[str, ConvolutionForm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms: list[ConvolutionForm] = []
    real = LoadedModel.with_convolutions

    def noted(model: LoadedModel, form: ConvolutionForm) -> LoadedModel:
        forms.append(form)
        return real(model, form)

    monkeypatch.setattr(LoadedModel, "with_convolutions", noted)
    chooses["form"] = FLOAT32_CONTIGUOUS
    assert cli.run([*DEMO[command], "-o", str(tmp_path)]) == 0
    entry = entry_of(tmp_path)
    assert entry is not None and entry["layout"] == "contiguous"
    chooses["form"] = FLOAT32
    made = [path for path in sorted(tmp_path.rglob("s0*")) if path.is_file() and path.parent.name != "masks"]
    before = {path: path.read_bytes() for path in made}
    for path in made:
        path.unlink()
    assert cli.run([*DEMO[command], "-o", str(tmp_path)]) == 0
    assert set(forms) == {FLOAT32_CONTIGUOUS}
    assert {path: path.read_bytes() for path in made} == before


def test_a_grown_folder_keeps_its_form_and_its_bytes(
    chooses: dict[str, ConvolutionForm], fake_model: FakeModel, tmp_path: Path
) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    assert cli.run([*RENDER, "-o", str(grown)]) == 0
    assert cli.run([*RENDER[:2], "0-3", *RENDER[3:], "-o", str(whole)]) == 0
    chooses["form"], fake_model.convolutions = FLOAT32_CONTIGUOUS, FLOAT32
    assert cli.run([*RENDER[:2], "0-3", *RENDER[3:], "--extend", "-o", str(grown)]) == 0
    assert fake_model.convolutions == BFLOAT16
    assert contents(grown) == contents(whole)


def test_a_damaged_record_is_mended_by_the_machine_that_wrote_it(
    chooses: dict[str, ConvolutionForm], fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [*RENDER, "-o", str(tmp_path)]
    assert cli.run(call) == 0
    record = (tmp_path / "dataset.json").read_bytes()
    (tmp_path / "dataset.json").write_bytes(record[:-40])
    assert cli.run([*call, "--verify"]) == 0
    assert (tmp_path / "dataset.json").read_bytes() == record
    (tmp_path / "dataset.json").write_bytes(record[:-40])
    chooses["form"] = FLOAT32  # it may not be the one that the views are of, so nothing is guessed
    assert cli.run([*call, "--verify"]) == 1
    assert "expected the record of an earlier call, it cannot be read" in capsys.readouterr().err


def test_a_form_that_this_machine_cannot_compute_in_is_refused(
    chooses: dict[str, ConvolutionForm],
    fake_model: FakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    call = [*RENDER, "-o", str(tmp_path)]
    assert cli.run(call) == 0
    (tmp_path / "images" / "s0000_v00.png").unlink()
    before = contents(tmp_path)
    monkeypatch.setattr(choice, "why_not", lambda form, device: "this processor has no instructions for it")
    assert cli.run(call) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path}: expected a machine that computes in bfloat16, as its record has it, but this processor has no instructions "
        "for it; go on where it was begun, or choose another --output\n"
    )
    assert contents(tmp_path) == before


def test_a_part_that_chose_otherwise_at_the_same_moment_is_refused(
    chooses: dict[str, ConvolutionForm], fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two machines begin one folder: the second finds the first one's record where there was none, and follows when it is repeated."""
    call = [*RENDER, "-o", str(tmp_path / "out")]

    class Late(FakeModel):
        """The other part begins while this one loads its model."""

        def with_convolutions(self, form: ConvolutionForm) -> FakeModel:
            if chooses["form"] == BFLOAT16:
                chooses["form"] = FLOAT32
                assert cli.run([*call, "--shard", "2/2"]) == 0
            return super().with_convolutions(form)

    fake_model.__class__ = Late
    assert cli.run([*call, "--shard", "1/2"]) == 1
    assert (
        "begun a moment ago by another part of the call, whose convolutions run in float32, channels last"
        in capsys.readouterr().err
    )
    assert cli.run([*call, "--shard", "1/2"]) == 0
    assert fake_model.convolutions == FLOAT32


@pytest.mark.parametrize("entry", ["bfloat16", {"format": "float64", "layout": "channels last"}, {"format": ["x"]}, 3])
def test_a_record_that_names_no_form(
    entry: Any, chooses: dict[str, ConvolutionForm], fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*RENDER, "-o", str(tmp_path)]) == 0
    rewrite(tmp_path, convolutions=entry)
    assert cli.run([*RENDER, "-o", str(tmp_path)]) == 1
    assert "expected a record whose convolutions are float32, channels last or bfloat16" in capsys.readouterr().err


def test_a_record_without_a_form_goes_on_in_the_machines_own(
    chooses: dict[str, ConvolutionForm], fake_model: FakeModel, tmp_path: Path
) -> None:
    """As earlier versions wrote it."""
    assert cli.run([*RENDER, "-o", str(tmp_path)]) == 0
    rewrite(tmp_path, convolutions=None)
    (tmp_path / "images" / "s0000_v00.png").unlink()
    fake_model.convolutions = FLOAT32_CONTIGUOUS
    assert cli.run([*RENDER, "-o", str(tmp_path)]) == 0
    assert fake_model.convolutions == FLOAT32_CONTIGUOUS and entry_of(tmp_path) is None


def test_exact_views_have_no_form(chooses: dict[str, ConvolutionForm], fake_model: FakeModel, tmp_path: Path) -> None:
    assert cli.run([*RENDER, "--exact", "-o", str(tmp_path)]) == 0
    assert entry_of(tmp_path) is None


def test_a_node_that_cannot_compute_in_the_form_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = fake_work(tmp_path / "out", tmp_path)
    work.writer.folder.claim()
    monkeypatch.setattr("headless.datasets.view_source.ViewSource.check", lambda self: None)
    monkeypatch.setattr(choice, "why_not", lambda form, device: "this processor takes 9 times as long in it as in float32")
    with pytest.raises(
        OutputError, match=r"node .*: .*out: expected a machine that computes in bfloat16.* takes 9 times as long"
    ):
        SubjectActor().open(dataclasses.replace(work, source=dataclasses.replace(work.source, form=BFLOAT16)))


def test_claiming_a_folder_of_another_form(tmp_path: Path) -> None:
    first, second = (DatasetFolder(tmp_path, "render", fake_plan()) for _ in range(2))
    first.record["convolutions"] = {"format": "bfloat16", "layout": "channels last", "processor": "A"}
    second.record["convolutions"] = {"format": "bfloat16", "layout": "channels last", "processor": "B"}
    first.claim()
    second.claim()  # another processor of the same form
    second.record["convolutions"] = {"format": "bfloat16", "layout": "contiguous", "processor": "A"}
    with pytest.raises(
        OutputError, match="run in bfloat16, channels last, while this machine chose bfloat16, contiguous; repeat"
    ):
        second.claim()


def test_a_model_and_a_subject_in_another_form(tiny_demo: Path) -> None:
    model = Model.load(tiny_demo)
    other = model.with_convolutions(FLOAT32_CONTIGUOUS)
    assert other.convolutions == FLOAT32_CONTIGUOUS and other.generator is model.generator and other.branch is model.branch
    assert model.with_convolutions(model.convolutions) is model
    subject = model.subject(3, truncation=0.7)
    moved = subject_in_form(subject, FLOAT32_CONTIGUOUS)
    assert moved.model.convolutions == FLOAT32_CONTIGUOUS and torch.equal(moved.ws, subject.ws)
    assert subject_in_form(subject, None) is subject and subject_in_form(subject, model.convolutions) is subject
    tuned = other.with_generator_tensors({})
    assert tuned.convolutions == FLOAT32_CONTIGUOUS


def test_the_demos_bytes_are_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was begun in float32 goes on in it, where the machine would take bfloat16 now; that one's pictures are others."""
    call = ["render", "--seeds", "0", "--views", "1", "--resolution", "128", "--channels", "rgb", "-o"]
    monkeypatch.setenv(choice.VARIABLE, "float32")
    assert cli.run([*call, str(tmp_path / "begun")]) == 0
    image = tmp_path / "begun" / "images" / "s0000_v00.png"
    before = image.read_bytes()
    image.unlink()
    monkeypatch.setenv(choice.VARIABLE, "bfloat16")
    assert cli.run([*call, str(tmp_path / "begun")]) == 0
    assert image.read_bytes() == before
    if choice.cpu_measurement().seconds[BFLOAT16.name] is None:
        pytest.skip("this processor has no bfloat16, whose pictures would differ")
    assert cli.run([*call, str(tmp_path / "other")]) == 0
    assert (tmp_path / "other" / "images" / "s0000_v00.png").read_bytes() != before


def test_doctor_tells_the_form_and_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    taken = {FLOAT32.name: 0.0423, BFLOAT16.name: 0.0119, FLOAT32_CONTIGUOUS.name: None}
    measured = Measurement(taken, "2026-12-01T03:22:40+00:00", Path("/home/me/.cache/datasetnerf/convolutions-0.json"))
    monkeypatch.setattr(choice, "cpu_measurement", lambda: measured)
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    told = (
        "bfloat16, channels last; measured 2026-12-01T03:22:40+00:00: float32, channels last 42.3 ms; bfloat16, channels last 11.9 ms; "
        "float32, contiguous not usable; kept in /home/me/.cache/datasetnerf/convolutions-0.json"
    )
    assert convolutions_finding().value == told
    monkeypatch.setenv(choice.VARIABLE, "float32")
    assert convolutions_finding().value == f"float32 by DNERF_CONVOLUTIONS; else {told}"
    cli.run(["doctor", "--json"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["value"] for event in events if event.get("name") == "cpu convolutions"] == [
        f"float32 by DNERF_CONVOLUTIONS; else {told}"
    ]
