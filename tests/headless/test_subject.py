"""`--subject`: files in place of seeds, in every command that takes them, and what `info` tells of one."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.camera import sphere_camera
from dnerf_core.checkpoints.subject_file import record_of, write_subject_file
from dnerf_core.errors import CheckpointError
from dnerf_core.files.annotated_folder import read_annotations
from dnerf_core.files.pictures import read_image
from dnerf_core.model import Model
from dnerf_core.subject_key import SubjectFile, SubjectKey, checked_subject_files
from headless import cli
from headless.datasets.view_source import ViewSource
from tests.headless.test_ray import fake_plan
from tests.headless.test_render import snapshot
from tests.headless.tiny_engine import TINY, paint, save_tiny

TUNED = "backbone.synthesis.b8.conv0.weight"
RENDER = ("render", "--views", "2", "--resolution", "32")


@dataclass(frozen=True)
class Given:
    """A model and subject files of it, by their content."""

    model: Path
    seven: Path
    three: Path
    tuned: Path
    other_model: Path

    def of(self, *names: str) -> list[str]:
        """The options that name the model and some of the files."""
        return ["--model", str(self.model), *(word for name in names for word in ("--subject", str(getattr(self, name))))]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, trained_model: Path) -> Given:
    folder, model = tmp_path_factory.mktemp("subjects"), Model.load(trained_model)
    files = {name: folder / f"{name}.safetensors" for name in ("seven", "three", "tuned")}
    camera = sphere_camera(np.radians(40.0), np.radians(-10.0), radius=2.5, focal=1.25)
    made = {"kind": "image", "source": "photo.png", "scores": {"lpips": 0.21}}
    write_subject_file(files["seven"], record_of(model, model.subject(7).ws, camera, made))
    write_subject_file(files["three"], record_of(model, model.subject(3).ws, None, {"kind": "edit"}))
    weight = model.generator.state_dict()[TUNED]
    write_subject_file(files["tuned"], record_of(model, model.subject(7).ws, None, {}, {TUNED: weight.roll(1, 0)}))
    return Given(trained_model, **files, other_model=save_tiny(folder / "other.safetensors", TINY, seed=4))


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def views_of(folder: Path, stem: str) -> dict[str, bytes]:
    """The files of a subject's views by kind and view."""
    return {f"{p.parent.name}/{p.stem[-3:]}": p.read_bytes() for p in folder.rglob(f"{stem}_v*") if p.is_file()}


def test_files_of_seeds_latents_give_the_seeds_bytes(given: Given, tmp_path: Path) -> None:
    assert cli.run([*RENDER, *given.of("seven", "three"), "--consistent", "-o", str(tmp_path / "files")]) == 0
    assert cli.run([*RENDER, *given.of(), "--seeds", "7,3", "--consistent", "-o", str(tmp_path / "seeds")]) == 0
    for number, seed in ((0, 7), (1, 3)):
        views = views_of(tmp_path / "files", f"s{number:04d}")
        assert len(views) == 6
        assert views == views_of(tmp_path / "seeds", f"s{seed:04d}")
    assert views_of(tmp_path / "files", "s0000") != views_of(tmp_path / "files", "s0001")


def test_lists_name_the_file_of_each_view(given: Given, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = [*RENDER, *given.of("seven", "tuned"), "--format", "coco,nerfstudio,webdataset", "-o", str(out)]
    assert cli.run(call) == 0
    names = ["seven.safetensors"] * 2 + ["tuned.safetensors"] * 2
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    assert [(row["seed"], row["subject_file"]) for row in rows] == list(zip([0, 0, 1, 1], names, strict=True))
    for name, key in (("cameras.json", "views"), ("instances.json", "images")):
        assert [view["subject_file"] for view in json.loads((out / name).read_text())[key]] == names
    scenes = json.loads((out / "nerfstudio" / "scenes.json").read_text())["scenes"]
    assert [(scene["seed"], scene["subject_file"]) for scene in scenes] == [(0, names[0]), (1, names[2])]
    plan = json.loads((out / "dataset.json").read_text())["plan"]
    files = checked_subject_files([given.seven, given.tuned], given.model)
    assert [file.tuned for file in files] == [False, True]
    assert plan["subject_files"] == [
        {"number": number, "file": file.name, "sha256": file.sha256} for number, file in enumerate(files)
    ]
    card = (out / "README.md").read_text()
    assert "--subject seven.safetensors --subject tuned.safetensors --views 2" in card and "--seeds" not in card
    assert f"- subject 1: tuned.safetensors, sha256 `{files[1].sha256}`" in card


def test_tuned_weights_are_seen(given: Given, tmp_path: Path) -> None:
    assert cli.run([*RENDER, *given.of("seven", "tuned"), "-o", str(tmp_path / "out")]) == 0
    plain, tuned = (read_image(tmp_path / "out" / "images" / f"s000{number}_v00.png") for number in (0, 1))
    assert not np.array_equal(plain, tuned)


def test_parts_of_a_command_make_the_same_folder(given: Given, tmp_path: Path) -> None:
    call = [*RENDER, *given.of("seven", "three", "tuned"), "--splits", "train=0.5,val=0.5"]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    for part in ("2/2", "1/2"):
        assert cli.run([*call, "--shard", part, "-o", str(tmp_path / "parts")]) == 0
    whole, parts = (
        {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for folder in (tmp_path / "whole", tmp_path / "parts")
    )
    assert whole == parts and len(whole) >= 3 * 2 * 3


def test_a_call_is_known_by_its_files_content(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, moved = tmp_path / "out", tmp_path / "moved.safetensors"
    shutil.copy(given.seven, moved)
    assert cli.run([*RENDER, *given.of("seven"), "-o", str(out)]) == 0
    before = snapshot(out)
    assert cli.run([*RENDER, *given.of(), "--subject", str(moved), "-o", str(out)]) == 0
    assert "nothing to do" in capsys.readouterr().out and snapshot(out) == before
    shutil.copy(given.three, moved)
    assert cli.run([*RENDER, *given.of(), "--subject", str(moved), "-o", str(out)]) == 1
    assert "holds the results of another call, --subject (its content) was " in error_line(capsys)
    assert cli.run([*RENDER, *given.of(), "--seeds", "0", "-o", str(out)]) == 1
    assert "--subject (its content) was " in error_line(capsys)
    assert snapshot(out) == before


def test_what_is_missing_is_made_again(given: Given, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = [*RENDER, *given.of("seven", "tuned"), "-o", str(out)]
    assert cli.run(call) == 0
    before = views_of(out, "s0001")
    (out / "masks" / "s0001_v01.png").unlink()
    assert cli.run(call) == 0
    assert views_of(out, "s0001") == before


def test_videos_and_clouds_are_the_seeds(given: Given, tmp_path: Path) -> None:
    video = ["video", "--frames", "3", "--resolution", "32"]
    assert cli.run([*video, *given.of("seven"), "-o", str(tmp_path / "v")]) == 0
    assert cli.run([*video, *given.of(), "--seeds", "7", "-o", str(tmp_path / "w")]) == 0
    for kind in ("labels.mkv", "image.mp4"):
        assert (tmp_path / "v" / f"s0000-{kind}").read_bytes() == (tmp_path / "w" / f"s0007-{kind}").read_bytes()
    frames = json.loads((tmp_path / "v" / "s0000-cameras.json").read_text())["views"]
    assert [frame["subject_file"] for frame in frames] == ["seven.safetensors"] * 3 and "seeds" not in frames[0]
    cloud = ["pointcloud", "--views", "3", "--resolution", "32", "--points", "200", "--format", "npz"]
    assert cli.run([*cloud, *given.of("seven"), "-o", str(tmp_path / "c")]) == 0
    assert cli.run([*cloud, *given.of(), "--seeds", "7", "-o", str(tmp_path / "d")]) == 0
    one, other = (np.load(path) for path in (tmp_path / "c" / "npz" / "s0000.npz", tmp_path / "d" / "npz" / "s0007.npz"))
    assert one.files == other.files and all(np.array_equal(one[name], other[name]) for name in one.files)


def test_sampled_files_are_trained_on_and_scored(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file, output = tmp_path / "cloud", tmp_path / "seven.safetensors", tmp_path / "out.safetensors"
    shutil.copy(given.seven, file)
    call = ["sample", *given.of(), "--subject", str(file), *given.of("three")[2:], "--views", "2", "--labels", "left,right"]
    assert cli.run([*call, "-o", str(folder)]) == 0
    paint(folder, given.model, seeds=(0, 1))
    subjects = read_annotations([folder]).subjects
    assert [(subject.seed, subject.title) for subject in subjects] == [(0, "seven.safetensors"), (1, "three.safetensors")]
    train = ["train", str(folder), "-o", str(output), "--steps", "2", "--holdout", "1", "--allow-missing-classes"]
    assert cli.run(train) == 0
    record = Model.load(output).header.training["semantic"]
    assert (record["seeds"], record["subjects"]) == ("", 1)
    assert record["subject_files"] == ["seven.safetensors", "three.safetensors"]
    capsys.readouterr()
    assert cli.run(["evaluate", str(folder), "--model", str(output)]) == 0
    assert capsys.readouterr().err == ""
    shutil.copy(given.three, file)
    assert cli.run(["evaluate", str(folder), "--model", str(output)]) == 1
    assert "expected the subject file that the command was called with, sha256" in error_line(capsys)
    file.unlink()
    with pytest.raises(CheckpointError, match="expected a subject file, cannot read it"):
        read_annotations([folder])
    assert cli.run(["train", str(folder), "-o", str(tmp_path / "again.safetensors")]) == 1
    assert error_line(capsys).startswith(f"error: {file}: expected a subject file, cannot read it: No such file")


def test_a_record_of_other_entries_is_refused(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cloud"
    assert cli.run(["sample", *given.of("seven"), "--views", "1", "-o", str(folder)]) == 0
    path = folder / "dataset.json"
    record = json.loads(path.read_text())
    for name, value in (("subject_paths", ["relative"]), ("subject_paths", []), ("subject_files", 3), ("seeds", "4")):
        path.write_text(json.dumps(record | {"plan": record["plan"] | {name: value}}))
        capsys.readouterr()
        assert cli.run(["train", str(folder), "-o", str(tmp_path / "x.safetensors")]) == 1
        assert f"{path}: plan: " in error_line(capsys)


REFUSED: list[tuple[list[str], int, str]] = [
    (["--seeds", "1"], 2, "--subject and --seeds: expected one of them, found both"),
    (["--subjects", "1"], 2, "--subject and --subjects: expected one of them, found both"),
    (["--truncation", "0.5"], 2, "--truncation 0.5: expected 1 beside --subject"),
    (["--subject", "none.safetensors"], 2, "Invalid value for '--subject': File 'none.safetensors' does not exist"),
    (["--subject", "."], 2, "Invalid value for '--subject'"),
    (["--subject", ""], 2, "expected a path, found an empty text"),
    (["--subject", "again"], 2, "again: expected each subject once, found the content of"),
    (["--subject", "cut"], 1, "cut: expected 384 bytes of tensors, found 284; copy it again"),
    (["--subject", "model"], 1, "model: expected a subject file, found a model file; give that with --model"),
    (["--subject", "text"], 1, "text: expected a subject file (.safetensors), found"),
    (["--subject", "nan"], 1, "nan: subject.ws: expected 96 finite values, found others"),
    (["--model", "other"], 1, "seven.safetensors: expected the generator that it is a subject of, 'tiny' "),
    (["--model", "again"], 1, "again: expected a model file, found a subject file; give that with --subject"),
]


@pytest.mark.parametrize(
    ("command", "args", "code", "message"),
    [
        *(("render", *refused) for refused in REFUSED),
        *((command, *REFUSED[k]) for command in ("video", "pointcloud", "sample") for k in (0, 2, 7, -2)),
    ],
)
def test_what_is_refused_is_one_line_and_leaves_nothing(
    given: Given, command: str, args: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    data = given.seven.read_bytes()
    Path("again").write_bytes(data)
    Path("cut").write_bytes(data[:-100])
    Path("nan").write_bytes(data[:-4] + np.float32(np.nan).tobytes())
    Path("text").write_text("not a subject file at all")
    Path("model").symlink_to(given.model)
    Path("other").symlink_to(given.other_model)
    labels = ["--labels", "left,right"] if command == "sample" else []  # the other model has none
    assert cli.run([command, *given.of("seven"), *args, *labels, "-o", "out"]) == code
    assert message in error_line(capsys)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["video", "--between"], "--between: expected seeds, found --subject"),
        (["sample", "--truth"], "--truth: expected "),
        (["pointcloud", "--from", "."], "--subject: expected none beside --from"),
        (["evaluate", "--truth"], "No such option '--subject'"),
    ],
)
def test_what_needs_seeds_refuses_files(given: Given, args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*args, *given.of("seven")]) == 2
    assert message in error_line(capsys)


def test_a_tuned_subject_is_not_annotated(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sample", *given.of("tuned"), "-o", str(tmp_path / "out")]) == 2
    assert "expected a subject of the generator as it is, found tuned weights" in error_line(capsys)


def test_a_file_that_changes_meanwhile_is_not_taken_for_the_calls(given: Given, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    shutil.copy(given.seven, path)
    (file,) = checked_subject_files([path], given.model)
    model = Model.load(given.model)
    assert np.array_equal(SubjectKey(0, 1.0, file).open(model).ws, model.subject(7).ws)
    shutil.copy(given.three, path)
    with pytest.raises(
        CheckpointError, match=r"x.safetensors: expected the subject file .* sha256 .*, found sha256 .*; put the same"
    ):
        file.open(model)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"x.safetensors: expected a subject file, cannot read it: No such file"):
        file.open(model)


def test_another_process_makes_sure_of_the_files(given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from dnerf_core.checkpoints.model_file import file_sha256

    plan = replace(fake_plan(file_sha256(given.model)), subject_files=checked_subject_files([given.seven], given.model))
    source = ViewSource(str(given.model), "cpu", plan)
    source.check()
    missing = replace(plan, subject_files=(SubjectFile(tmp_path / "none", "0" * 64),))
    with pytest.raises(CheckpointError, match="none: expected a subject file, cannot read it"):
        replace(source, plan=missing).check()


def test_info_tells_what_a_subject_file_holds(given: Given, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", str(given.seven), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["generator"], told["space"], told["num_ws"], told["w_dim"]) == ("subject", "tiny", "w", 6, 16)
    assert (told["tuned_tensors"], told["made"]["scores"]) == (0, {"lpips": 0.21})
    angles = {name: told["camera"][name] for name in ("yaw_deg", "pitch_deg", "radius", "focal")}
    assert angles == {"yaw_deg": 40.0, "pitch_deg": -10.0, "radius": 2.5, "focal": 1.25}
    assert cli.run(["info", str(given.seven)]) == 0
    lines = capsys.readouterr().out
    for text in (
        "yaw 40, pitch -10 degrees, radius 2.5",
        "made kind      image",
        "made source    photo.png",
        "made scores    lpips 0.21",
    ):
        assert text in lines
    assert cli.run(["info", str(given.tuned)]) == 0
    lines = capsys.readouterr().out
    assert "tuned weights  1 tensors, " in lines and "camera         none" in lines


def test_titles() -> None:
    for name, short in (
        ("seven.safetensors", "seven"),
        ("eleven_long.safetensors", "eleven_long"),
        ("twelve_chars.sub", "twelve_ch.."),
    ):
        key = SubjectKey(0, 1.0, SubjectFile(Path("/x") / name, "0" * 64))
        assert (key.title, key.short_title) == (name, short)
    assert SubjectKey(3, 1.0).title == SubjectKey(3, 1.0).short_title == "seed 3"
