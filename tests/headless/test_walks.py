"""Values go one way from the edges to where they are used: no call holds the spelling of a seed, a square, a path or a label set."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import numpy as np
import pytest
from numpy.typing import NDArray

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.checkpoints.model_facts import describe_model
from dnerf_core.checkpoints.subject_file import record_of, write_subject_file
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files.squares import Square
from dnerf_core.model import Model
from headless.cli import group
from headless.runs.sampling.call import SampleCall
from headless.runs.video import VideoCall, given_cameras
from headless.searches.calls import EditCall, InvertCall
from headless.searches.made_subjects import earlier_result
from headless.worker.annotating import sample_call
from headless.worker.editing import edit_fields, given_mask
from headless.worker.inverting import invert_call
from headless.worker.jobs import Job
from headless.worker.params import Params
from tests.headless.tiny_engine import TINY

ROOT = Path(__file__).parents[2]
NAMES = {
    *("model_name", "device", "config", "network", "category", "anny", "armature", "licence", "world", "experiment", "scale"),
    *("blend_file", "blender"),
}
"""Fields whose value is a name, or terms of use in words, or a version that a record tells. A model's, and the configuration of an imported
checkpoint, may also be the path of a file: which of them it is, only the engine's list of names decides."""
FACTS = describe_model("demo-cars")
CAMERA = arc_cameras(TINY.cameras, (20.0, 20.0), count=1)[0]


# --- what calls hold


def call_fields() -> Iterator[tuple[str, str, ast.expr]]:
    """(call, field, annotation) of every call that the package defines."""
    for path in sorted((ROOT / "headless").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Call"):
                for item in node.body:
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                        yield node.name, item.target.id, item.annotation


def holds_text(annotation: ast.expr) -> bool:
    """Whether an annotation lets any text in, unlike `Literal["a", "b"]` or names in a tuple."""
    if isinstance(annotation, ast.BinOp):
        return holds_text(annotation.left) or holds_text(annotation.right)
    return isinstance(annotation, ast.Name) and annotation.id == "str"


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("str", True),
        ("str | None", True),
        ("int | Path | str", True),
        ("int | Path", False),
        ('Literal["arc", "orbit"] | Path', False),
        ("tuple[str, ...] | None", False),
    ],
)
def test_a_field_that_lets_any_text_in_is_seen(annotation: str, expected: bool) -> None:
    assert holds_text(ast.parse(annotation, mode="eval").body) == expected


def test_no_call_holds_a_text_but_names() -> None:
    fields = list(call_fields())
    assert {name for name, _, _ in fields} >= {"EditCall", "InfoCall", "InvertCall", "RenderCall", "SampleCall", "VideoCall"}
    held = {(call, field) for call, field, annotation in fields if holds_text(annotation)}
    assert {field for _, field in held} == NAMES, sorted(held)


# --- the command's call is the worker's


def read(job: str, call: Any, *args: object) -> Any:
    """The call that a command line means."""
    command = group.get_command(click.Context(group), job)
    assert command is not None
    values = command.make_context(job, [str(arg) for arg in args]).params
    fields = {field.name for field in dataclasses.fields(call)}  # `sample` asks for what to paint next, too
    return call(**{name: value for name, value in values.items() if name in fields})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "any.png"
    path.write_bytes(b"any")
    return path


def worker_edit(file: Path, output: Path, **subject: object) -> EditCall:
    """The call that a request to edit means."""
    request = {"model": "demo-cars", "camera": CAMERA.to_json(), "steps": 7, **subject}
    mask = given_mask(cast("Job", SimpleNamespace()), str(file))
    return EditCall(mask=mask, device="auto", output=output, **edit_fields(Params(request)))


def same_but_camera(one: EditCall, other: EditCall) -> bool:
    return {**vars(one), "camera": None} == {**vars(other), "camera": None}


def test_the_workers_edit_of_a_seed_is_the_commands(file: Path, tmp_path: Path) -> None:
    command = read("edit", EditCall, 4294967295, "--mask", file, "--truncation", 0.5, "--steps", 7, "-o", tmp_path)
    worker = worker_edit(file, tmp_path, seed=4294967295, truncation=0.5)
    assert command.subject == worker.subject == 4294967295
    assert type(command.subject) is type(worker.subject) is int
    assert same_but_camera(command, worker)
    assert isinstance(worker.camera, Camera)
    assert np.array_equal(worker.camera.cam2world, CAMERA.cam2world)


def test_the_workers_edit_of_a_file_is_the_commands(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = tmp_path / "3"  # a file's name comes before a seed
    subject.write_bytes(b"any")
    command = read("edit", EditCall, subject, "--mask", file, "--steps", 7, "-o", tmp_path)
    assert command.subject == subject
    assert same_but_camera(command, worker_edit(file, tmp_path, subject_file=str(subject)))
    monkeypatch.chdir(tmp_path)
    assert read("edit", EditCall, "3", "--mask", file).subject == Path("3")
    assert read("edit", EditCall, "4", "--mask", file).subject == 4


def test_a_mask_comes_as_an_array_where_the_client_sends_one() -> None:
    sent = np.zeros((4, 4), np.uint8)

    def take(name: str) -> NDArray[np.uint8]:
        assert name == "c1.npy"
        return sent

    assert given_mask(cast("Job", SimpleNamespace(exchange=SimpleNamespace(take=take))), "c1.npy") is sent


def test_the_workers_square_is_the_commands(file: Path, tmp_path: Path) -> None:
    command = read("invert", InvertCall, file, "--crop", " -4, +0,120", "-o", tmp_path)
    request = {"model": "demo-cars", "photo": str(file), "fit": [-4, 0, 120]}
    assert command == invert_call(Params(request), "auto", tmp_path / "x.safetensors")
    assert command.crop == Square(-4, 0, 120)


def test_the_workers_labels_are_the_commands(tmp_path: Path) -> None:
    command = read("sample", SampleCall, "--seeds", "0,3", "--labels", "hood, roof", "-o", tmp_path)
    request = {"model": "demo-cars", "seeds": [0, 3], "labels": ["hood", "roof"], "output": str(tmp_path)}
    assert command == sample_call(Params(request), "auto")
    assert command.labels == ("hood", "roof")
    assert read("sample", SampleCall, "--labels", "Parts.JSON").labels == Path("Parts.JSON")


def test_a_path_of_cameras_is_words_a_file_or_the_cameras() -> None:
    assert [read("video", VideoCall, "--path", word).path for word in ("arc", "orbit")] == ["arc", "orbit"]
    assert read("video", VideoCall, "--path", "./arc").path == Path("arc")
    assert given_cameras(VideoCall(path="orbit"), FACTS) is None
    given = given_cameras(VideoCall(path=(CAMERA,)), FACTS)
    assert given is not None
    assert given.cameras == (CAMERA,)
    with pytest.raises(UsageError, match=r"^--frames: expected none beside a path of cameras, whose views are the frames"):
        given_cameras(VideoCall(path=(CAMERA,), frames=3), FACTS)
    with pytest.raises(UsageError, match=r"^a path of cameras: expected at least one view, found none"):
        given_cameras(VideoCall(path=()), FACTS)
    with pytest.raises(UsageError, match=r"^--cameras-up: expected none with a path of cameras, which is in the model's world"):
        given_cameras(VideoCall(path=(CAMERA,), cameras_up="z"), FACTS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: EditCall(subject="3", mask=Path("a")),
            "^subject: expected a whole number .* or the path of a subject file, found '3'",
        ),  # type: ignore[arg-type]
        (lambda: EditCall(subject=-1, mask=Path("a")), "^subject: expected a whole number .*, found -1"),
        (lambda: VideoCall(path="x.json"), "^path: expected arc, orbit, the Path of a file, or cameras, found 'x.json'"),  # type: ignore[arg-type]
        (lambda: Square(0, 0, 0), "^square: expected a side of 1 px or more, found 0"),
    ],
)
def test_a_call_refuses_a_spelling(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


# --- records of earlier versions


def test_a_square_recorded_as_it_was_spelled_is_the_same_one(trained_model: Path, tmp_path: Path) -> None:
    model = Model.load(trained_model)
    path = tmp_path / "car.safetensors"
    write_subject_file(path, record_of(model, model.subject(0).ws, None, {"fit": " 40, +0,512", "finished": True}))
    assert earlier_result(path, {"fit": "40,0,512"}) == {"fit": " 40, +0,512", "finished": True}
    for other in ("41,0,512", "pad"):
        with pytest.raises(OutputError, match="found one that differs in --fit or --crop"):
            earlier_result(path, {"fit": other})


def test_the_workers_pose_of_a_picture_is_the_commands(file: Path, tmp_path: Path) -> None:
    command = read("invert", InvertCall, file, "--pose", file, "-o", tmp_path)
    request = {"model": "demo-cars", "photo": str(file), "pose": str(file)}
    assert command == invert_call(Params(request), "auto", tmp_path / "x.safetensors") and command.pose == file
