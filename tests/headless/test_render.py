"""`render` with a stand-in engine: what is written, what a second run does, and what is refused."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import arc_cameras, cameras_from_json
from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import CheckpointError, OutputError
from dnerf_core.files import whole as files
from dnerf_core.files.pictures import DepthFormat, read_depth, read_image, write_depth
from dnerf_core.generator.config import CameraConfig
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from headless import cli, models
from headless.datasets import view_writer
from headless.datasets.plan import view_generator
from headless.work.reporting import Reporter
from tests.headless.fake_engine import PITCH_DEG, SIZE_PX, FakeModel, fake_facts

TOP_FILES = {"images", "masks", "depth", "cameras.json", "labels.json", "metadata.jsonl", "statistics.json", "README.md"} | {
    "contact-sheet.png",
    "dataset.json",
    "checksums.sha256",
    "id2label.json",
}


def render(output: Path, *args: str) -> int:
    return cli.run(["render", "--seeds", "0-2", "--views", "2", "--output", str(output), *args])


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and time, and every folder's time: a run that changes nothing leaves it equal."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in sorted([folder, *folder.rglob("*")])
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (data, _) in snapshot(folder).items()}


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_the_folder_holds_what_the_formats_say(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "deep" / "cars"
    assert render(output) == 0
    assert {path.name for path in output.iterdir()} == TOP_FILES
    names = [f"s{seed:04d}_v{view:02d}" for seed in range(3) for view in range(2)]
    for kind, suffix in (("images", "png"), ("masks", "png"), ("depth", "exr")):
        assert sorted(path.name for path in (output / kind).iterdir()) == [f"{name}.{suffix}" for name in names]
    rows = [json.loads(line) for line in (output / "metadata.jsonl").read_text().splitlines()]
    assert rows[3] == {
        "image_file_name": "images/s0001_v01.png",
        "mask_file_name": "masks/s0001_v01.png",
        "depth_file": "depth/s0001_v01.exr",
        "seed": 1,
        "view": 1,
    }
    assert [(row["seed"], row["view"]) for row in rows] == [(s, v) for s in range(3) for v in range(2)]
    assert LabelSet.from_json((output / "labels.json").read_text()) == SHAPENET_CAR_LABELS
    text = (output / "cameras.json").read_text()
    assert json.loads(text)["image_size_px"] == [SIZE_PX, SIZE_PX]
    cameras = cameras_from_json(text)
    assert list(cameras) == names
    expected = arc_cameras(CameraConfig(pitch_deg=PITCH_DEG), (-30, 30), (PITCH_DEG, PITCH_DEG), count=2)
    for index, name in enumerate(names):
        np.testing.assert_array_equal(cameras[name].cam2world, expected[index % 2].cam2world)
    assert fake_model.subjects_made == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith(f"{output}: 6 views of 3 subjects, 24 x 24 px: 6 written in ")
    assert captured.out.endswith(f"look at {output}/contact-sheet.png\n")


def test_palette_masks_have_exact_ids_too(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path / "out", "--masks", "palette") == 0
    seed, camera = fake_model.views_made[1]
    expected = fake_model.subject(seed).render(camera)
    with Image.open(tmp_path / "out" / "masks" / "s0000_v01.png") as image:
        assert image.mode == "P"
        palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
        ids = np.asarray(image)
    assert expected.mask is not None
    np.testing.assert_array_equal(ids, expected.mask)
    assert {0, 1, 2, 3, 4, 255} == set(np.unique(ids))
    np.testing.assert_array_equal(palette[:256], SHAPENET_CAR_LABELS.palette())
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "images" / "s0000_v01.png"), expected.rgb)


def test_depth_comes_back_bit_for_bit_from_exr_and_npy(fake_model: FakeModel, tmp_path: Path) -> None:
    import OpenEXR

    assert render(tmp_path / "exr") == 0
    assert render(tmp_path / "npy", "--depth-format", "npy") == 0
    seed, camera = fake_model.views_made[0]
    expected = fake_model.subject(seed).render(camera).depth_planar
    assert np.isinf(expected).any()
    path = tmp_path / "exr" / "depth" / "s0000_v00.exr"
    with OpenEXR.File(str(path)) as file:
        assert file.header()["compression"] == OpenEXR.ZIP_COMPRESSION
        stored = file.channels()["Y"].pixels
        assert stored.dtype == np.float32
        np.testing.assert_array_equal(stored, np.where(np.isinf(expected), 0, expected))
    np.testing.assert_array_equal(read_depth(path), expected)
    np.testing.assert_array_equal(np.load(tmp_path / "npy" / "depth" / "s0000_v00.npy"), expected)
    np.testing.assert_array_equal(read_depth(tmp_path / "npy" / "depth" / "s0000_v00.npy"), expected)


def test_the_same_call_again_changes_nothing(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tmp_path / "out") == 0
    before = snapshot(tmp_path / "out")
    made = list(fake_model.subjects_made)
    capsys.readouterr()
    assert render(tmp_path / "out") == 0
    assert snapshot(tmp_path / "out") == before
    assert fake_model.subjects_made == made
    assert "nothing to do" in capsys.readouterr().out
    # --subjects 3 is another spelling of the same call.
    assert cli.run(["render", "--subjects", "3", "--views", "2", "-o", str(tmp_path / "out")]) == 0
    assert snapshot(tmp_path / "out") == before


def test_parts_in_any_order_make_the_same_folder(fake_model: FakeModel, tmp_path: Path) -> None:
    """Each subject is made by its own part; the part that ends last writes what tells of all."""
    call = ["render", "--seeds", "0-6", "--views", "2"]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    parts = tmp_path / "parts"
    for number, expected in ((3, [2, 5]), (1, [0, 3, 6]), (2, [1, 4])):
        assert not (parts / "metadata.jsonl").exists()
        fake_model.subjects_made.clear()
        assert cli.run([*call, "--shard", f"{number}/3", "-o", str(parts)]) == 0
        assert fake_model.subjects_made == expected
    assert contents(parts) == contents(tmp_path / "whole")
    # more parts than subjects, and another split of what is there: nothing is left to do
    fake_model.subjects_made.clear()
    assert cli.run([*call, "--shard", "9/9", "-o", str(parts)]) == 0
    assert cli.run([*call, "-o", str(parts)]) == 0
    assert fake_model.subjects_made == []


def test_parts_side_by_side_make_the_same_folder(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["render", "--seeds", "0-7", "--views", "2"]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    for attempt in range(5):
        parts = tmp_path / f"parts{attempt}"
        with ThreadPoolExecutor(4) as pool:
            codes = pool.map(lambda n, to=parts: cli.run([*call, "--shard", f"{n}/4", "-o", str(to)]), range(1, 5))
            assert list(codes) == [0] * 4
        assert contents(parts) == contents(tmp_path / "whole")


def test_a_part_leaves_alone_what_other_parts_are_writing(fake_model: FakeModel, tmp_path: Path) -> None:
    output = tmp_path / "out"
    call = ["render", "--seeds", "0-2", "--views", "1", "-o", str(output)]
    assert cli.run([*call, "--shard", "1/3"]) == 0
    own, other, top = (
        output / name for name in ("images/.tmp-7-s0001_v00.png", "images/.tmp-7-s0002_v00.png", ".tmp-7-labels.json")
    )
    for path in (own, other, top):
        path.write_bytes(b"half")
    assert cli.run([*call, "--shard", "2/3"]) == 0
    assert (own.exists(), other.exists(), top.exists()) == (False, True, True)
    assert cli.run([*call, "--shard", "3/3"]) == 0
    assert not any(".tmp-" in name for name in contents(output))


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "1/3/5", "-1/3", "1/9999999"])
def test_a_part_that_is_none_is_refused(
    text: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["render", "--shard", text, "-o", str(tmp_path / "out")]) == 2
    assert f"expected a part such as 2/8, from 1/N to N/N with N up to 100000, found '{text}'" in error_line(capsys)


def test_the_number_of_workers_changes_nothing(fake_model: FakeModel, tmp_path: Path) -> None:
    """Nor what is made: each subject once, each view once."""
    call = ["render", "--seeds", "0-5", "--views", "3"]
    for count in (1, 2, 7):
        fake_model.subjects_made.clear()
        fake_model.views_made.clear()
        assert cli.run([*call, "--workers", str(count), "-o", str(tmp_path / str(count))]) == 0
        assert sorted(fake_model.subjects_made) == list(range(6))
        assert len(fake_model.views_made) == 18
        assert contents(tmp_path / str(count)) == contents(tmp_path / "1")


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), CheckpointError("boom"), ZeroDivisionError("boom")])
def test_an_interrupted_run_is_finished_by_the_same_call(
    interruption: BaseException, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["render", "--seeds", "0-5", "--views", "2", "-o", str(tmp_path / "whole")]) == 0
    fake_model.subjects_made.clear()
    fake_model.views_made.clear()

    def stop_before_view_8() -> None:
        if len(fake_model.views_made) == 7:
            raise interruption

    fake_model.before_view = stop_before_view_8
    half = tmp_path / "half"
    again = ["render", "--seeds", "0-5", "--views", "2", "-o", str(half)]
    assert cli.run(again) == (130 if isinstance(interruption, KeyboardInterrupt) else 1)
    error_line(capsys)
    kept = snapshot(half)
    images = {name for name in kept if name.startswith("images/")}
    assert 1 <= len(images) <= 7
    assert not any(".tmp-" in name for name in kept)
    assert "metadata.jsonl" not in kept
    fake_model.before_view = lambda: None
    fake_model.subjects_made.clear()
    assert cli.run(again) == 0
    assert contents(half) == contents(tmp_path / "whole")
    after = snapshot(half)
    # Whole files of the first run keep their bytes and times; folders get newer as files are added.
    assert all(after[name] == state for name, state in kept.items() if (half / name).is_file())
    complete = {seed for seed in range(6) if all(f"depth/s{seed:04d}_v{v:02d}.exr" in kept for v in range(2))}
    assert fake_model.subjects_made == sorted(set(range(6)) - complete)


def test_only_what_is_missing_is_made_again(fake_model: FakeModel, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert render(output) == 0
    whole = snapshot(output)
    (output / "masks" / "s0001_v01.png").unlink()
    (output / "metadata.jsonl").unlink()
    (output / "labels.json").unlink()
    fake_model.subjects_made.clear()
    fake_model.views_made.clear()
    assert render(output) == 0
    assert fake_model.subjects_made == [1]
    assert len(fake_model.views_made) == 1
    after = snapshot(output)
    assert contents(output) == {name: data for name, (data, _) in whole.items()}
    touched = {name for name in whole if after[name] != whole[name] and (output / name).is_file()}
    assert touched == {"masks/s0001_v01.png", "metadata.jsonl", "labels.json", "checksums.sha256"}
    (output / "contact-sheet.png").unlink()
    assert render(output) == 0
    assert fake_model.subjects_made == [1]
    assert contents(output) == {name: data for name, (data, _) in whole.items()}


@pytest.mark.parametrize("depth_format", ["exr", "npy"])
def test_a_damaged_file_of_an_earlier_run_is_named_when_the_sheet_is_drawn(
    depth_format: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert render(output, "--depth-format", depth_format) == 0
    (output / "contact-sheet.png").unlink()
    for kind, suffix in (("images", "png"), ("depth", depth_format)):
        path = output / kind / f"s0001_v00.{suffix}"
        whole = path.read_bytes()
        for content in (b"", b"x" * 500, whole[:70], whole[: len(whole) - 40]):
            path.write_bytes(content)
            capsys.readouterr()
            assert render(output, "--depth-format", depth_format) == 1
            line = error_line(capsys)
            assert line.startswith(f"error: {path}: expected a file that this command wrote, it cannot be read: ")
            assert line.endswith("; remove it and repeat the command, which makes it again\n")
        path.unlink()
        path.mkdir()
        assert render(output, "--depth-format", depth_format) == 1
        assert f"{path}: expected a file that this command wrote, it cannot be read: " in error_line(capsys)
        path.rmdir()
        other = tmp_path / f"other.{suffix}"
        if suffix == "png":
            Image.new("RGB", (SIZE_PX, SIZE_PX + 1)).save(other)
        else:
            write_depth(other, np.ones((SIZE_PX + 1, SIZE_PX), np.float32), depth_format)  # type: ignore[arg-type]
        path.write_bytes(other.read_bytes())
        assert render(output, "--depth-format", depth_format) == 1
        assert f"{path}: expected values [{SIZE_PX}, {SIZE_PX}" in error_line(capsys)
        path.write_bytes(whole)
    path = output / "masks" / "s0001_v00.png"
    path.write_bytes(b"x")
    assert render(output, "--depth-format", depth_format) == 1
    assert f"{path}: expected a PNG image, it cannot be read: " in error_line(capsys)
    path.unlink()
    assert render(output, "--depth-format", depth_format) == 0


def test_half_written_files_of_a_killed_run_are_removed(fake_model: FakeModel, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / ".tmp-77-dataset.json").write_text("{")  # killed before the folder was even claimed
    assert render(output) == 0
    (output / "images" / ".tmp-77-s0000_v00.png").write_bytes(b"half")
    (output / ".tmp-77-metadata.jsonl").write_bytes(b"half")
    (output / "images" / "s0000_v00.png").unlink()
    assert render(output) == 0
    assert not list(output.rglob(".tmp-*"))
    assert (output / "images" / "s0000_v00.png").exists()


def test_temporary_files_of_other_programs_are_neither_removed_nor_overlooked(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = [".tmp-upload", ".tmp-77-holiday.jpg", ".tmp-x-dataset.json", ".tmp-77-s0000_v00.png"]
    for name in foreign:
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(b"years of work")
        assert render(folder) == 1
        assert f"found {name!r} and no dataset.json; choose another --output" in error_line(capsys)
        assert contents(folder) == {".": b"", name: b"years of work"}
    output = tmp_path / "out"
    assert render(output) == 0
    for folder in (output, output / "images"):
        for name in foreign[:3]:
            (folder / name).write_bytes(b"years of work")
    (output / ".tmp-77-labels.json").mkdir()
    (output / "images" / ".tmp-77-s0000_v00.exr").write_bytes(b"years of work")
    before = contents(output)
    assert render(output) == 0
    assert contents(output) == before


def test_a_foreign_folder_or_file_is_refused(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"x")
    before = snapshot(folder)
    assert render(folder) == 1
    line = error_line(capsys)
    assert str(folder) in line
    assert "found 'holiday.jpg' and no dataset.json; choose another --output" in line
    assert snapshot(folder) == before
    assert render(folder / "holiday.jpg") == 1
    assert "holiday.jpg" in error_line(capsys)
    assert render(folder / "holiday.jpg" / "below") == 1
    assert "Not a directory" in error_line(capsys)
    (folder / "dataset.json").write_text('{"format": "something"}')
    assert render(folder) == 1
    assert "expected format datasetnerf-views 1, found another" in error_line(capsys)
    (folder / "dataset.json").write_text("{")
    assert render(folder) == 1
    assert "cannot be read" in error_line(capsys)
    assert fake_model.subjects_made == []


@pytest.mark.parametrize(
    ("args", "difference"),
    [
        (["--seeds", "0-3"], "--seeds was 0-2 and is now 0-3"),
        (["--views", "4"], "--views was 2 and is now 4"),
        (["--yaw", "-45:45"], "--yaw was -30:30 and is now -45:45"),
        (["--pitch", "-5"], "--pitch was 12:12 and is now -5:-5"),
        (["--truncation", "0.7"], "--truncation was 1.0 and is now 0.7"),
        (["--resolution", "32"], "--resolution was 24 and is now 32"),
        (["--random-views"], "--view-distribution was even and is now uniform"),
        (["--depth-format", "npy"], "--depth-format was exr and is now npy"),
        (["--model", "other"], "--model (sha256) was demo-cars-hash and is now other-hash"),
    ],
)
def test_the_results_of_another_call_are_refused(
    args: list[str], difference: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert render(output) == 0
    before = snapshot(output)
    capsys.readouterr()
    assert render(output, *args) == 1
    line = error_line(capsys)
    assert f"{output}: holds the results of another call, {difference}" in line
    assert "choose another --output" in line
    assert snapshot(output) == before


def test_results_of_another_version_or_command_are_refused(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert render(output) == 0
    for key, value, expected in (
        ("written_by", "datasetnerf 0.0.1", "the version was datasetnerf 0.0.1"),
        ("command", "sample", "the command was sample and is now render"),
    ):
        record = json.loads((output / "dataset.json").read_text())
        kept = dict(record)
        record[key] = value
        (output / "dataset.json").write_text(json.dumps(record))
        capsys.readouterr()
        assert render(output) == 1
        assert expected in error_line(capsys)
        (output / "dataset.json").write_text(json.dumps(kept))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000 + "]" * 100_000, "expected the record of an earlier call, it cannot be read (maximum recursion depth"),
        ({"yaw_deg": [{}, "x"]}, "--yaw was [{}, 'x'] and is now -30:30"),
        ({"seeds": {"x": "y" * 10**6}}, "--seeds was {'x': 'yyy"),
    ],
)
def test_a_record_that_holds_anything_is_one_line(
    content: object, message: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "out") == 0
    path = tmp_path / "out" / "dataset.json"
    if isinstance(content, dict):
        record = json.loads(path.read_text())
        record["plan"] |= content
        content = json.dumps(record)
    path.write_text(str(content))
    capsys.readouterr()
    assert render(tmp_path / "out") == 1
    line = error_line(capsys)
    assert message in line
    assert len(line) < 400


@pytest.mark.parametrize("command", ["render", "sample", "evaluate"])
def test_absurdly_many_views_are_refused_at_once(
    command: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    args = ["--truth"] if command == "evaluate" else []
    assert cli.run([command, *args, "--subjects", "200000", "--views", "10000"]) == 2
    line = error_line(capsys)
    assert "--seeds and --views: expected at most 1000000 views in one call, found 200000 x 10000 = 2000000000; split" in line
    assert list(tmp_path.iterdir()) == []


def test_a_large_plan_says_at_once_what_it_is(fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_cameras(*args: object) -> None:
        raise AssertionError("cameras were computed before the start was told")

    told = []

    def start(self: Reporter, text: str, **fields: object) -> None:
        told.append((text, fields))
        raise KeyboardInterrupt

    monkeypatch.setattr(view_writer, "plan_subject", no_cameras)
    monkeypatch.setattr(Reporter, "start", start)
    assert cli.run(["render", "--subjects", "10000", "--views", "3", "-o", str(tmp_path / "out")]) == 130
    [(text, fields)] = told
    assert text == f"{tmp_path}/out: 30000 views of 10000 subjects, 30000 of them to be made"
    assert fields["views_missing"] == 30000


def test_people_are_told_the_start_and_how_far_it_is(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = []

    @contextlib.contextmanager
    def progress(self: Reporter, description: str, total: int) -> Iterator[Callable[[], None]]:
        steps: list[None] = []
        yield lambda: steps.append(None)
        bars.append((description, total, len(steps)))

    monkeypatch.setattr(Reporter, "progress", progress)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert render(tmp_path / "out") == 0
    assert capsys.readouterr().err == f"{tmp_path}/out: 6 views of 3 subjects, 6 of them to be made\n"
    assert bars == [("cameras", 6, 6), ("views", 6, 6), ("statistics", 6, 6)]


def test_two_machines_write_the_same_bytes(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path / "a") == 0
    assert render(tmp_path / "b") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_random_views_are_keyed_by_seed_and_view_alone(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path / "all", "--random-views", "--pitch", "0:20") == 0
    other = ["render", "--seeds", "7,2", "--views", "5", "--random-views", "--pitch", "0:20", "-o", str(tmp_path / "part")]
    assert cli.run(other) == 0
    all_cameras = cameras_from_json((tmp_path / "all" / "cameras.json").read_text())
    part = cameras_from_json((tmp_path / "part" / "cameras.json").read_text())
    for name in ("s0002_v00", "s0002_v01"):
        np.testing.assert_array_equal(all_cameras[name].cam2world, part[name].cam2world)
    poses = {camera.cam2world.tobytes() for camera in (*all_cameras.values(), *part.values())}
    assert len(poses) == 6 + 10 - 2
    # The stream itself is pinned: another one would silently change everybody's data sets.
    assert view_generator(2, 1).random() == pytest.approx(0.5672741232387088, abs=0)
    for camera in all_cameras.values():
        x, y, z = camera.position
        assert -30 <= np.degrees(np.arctan2(x, z)) <= 30
        assert 0 <= np.degrees(np.arcsin(y / np.linalg.norm(camera.position))) <= 20


def test_negative_numbers_are_taken_as_values(fake_model: FakeModel, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert cli.run(["render", "--subjects", "1", "--yaw", "-20:-10", "--pitch", "-5", "-o", str(output)]) == 0
    plan = json.loads((output / "dataset.json").read_text())["plan"]
    assert (plan["yaw_deg"], plan["pitch_deg"], plan["views"], plan["seeds"]) == ([-20, -10], [-5, -5], 3, "0")


def test_json_lines_all_parse_and_the_last_is_the_summary(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "out", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert [event["event"] for event in events] == ["start", *["view"] * 6, "summary"]
    assert events[0]["plan"]["seeds"] == "0-2"
    assert [event["name"] for event in events[1:3]] == ["s0000_v00", "s0000_v01"]
    summary = events[-1]
    assert (summary["status"], summary["views"], summary["views_written"], summary["nothing_to_do"]) == ("done", 6, 6, False)
    assert render(tmp_path / "out", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["start", "summary"]
    assert events[-1]["nothing_to_do"] is True


def test_a_model_without_semantic_branch_writes_no_masks(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_model.masks = False
    assert render(tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == TOP_FILES - {"masks", "labels.json", "id2label.json"}
    row = json.loads((tmp_path / "out" / "metadata.jsonl").read_text().splitlines()[0])
    assert "mask_file_name" not in row
    captured = capsys.readouterr()
    assert captured.err == "warning: demo-cars: the model has no semantic branch, so no masks and no labels.json are written\n"
    before = snapshot(tmp_path / "out")
    assert render(tmp_path / "out") == 0
    assert snapshot(tmp_path / "out") == before


def test_a_mask_promised_but_not_made_is_an_error(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_facts, "describe_model", lambda name: fake_facts(name, masks=True))
    fake_model.masks = False
    assert render(tmp_path / "out") == 1
    assert "expected a mask of s0000_v00" in error_line(capsys)


def test_empty_masks_are_told(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_model.empty = True
    assert render(tmp_path / "out", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    warned = [event for event in events if event["event"] == "warning"]
    assert [event["name"] for event in warned[:6]] == [event["name"] for event in events if event["event"] == "view"]
    of_the_set = [
        "a class vanished: no view has a pixel of hood, roof, wheels, other; the model, its label set or the cameras may be the reason",
        "6 of 6 masks are empty, every pixel is background",
    ]
    assert [event["message"] for event in warned[6:]] == [f"{tmp_path}/out: {text}" for text in of_the_set]
    assert (events[-1]["empty_masks"], events[-1]["vanished"]) == (6, ["hood", "roof", "wheels", "other"])
    # a run that has nothing to do says it again: it may be the first that somebody looks at
    assert render(tmp_path / "out", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["start", "warning", "warning", "summary"]
    assert events[-1]["empty_masks"] == 6


@pytest.mark.parametrize("victim", ["s0001_v00.png", "s0001_v00.exr", "dataset.json", "metadata.jsonl"])
def test_a_refusing_disk_is_one_line_and_the_run_can_be_repeated(
    victim: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    for number, remedy in ((errno.ENOSPC, "free some space on that disk"), (errno.EROFS, "choose a folder you can write to")):
        with refusing_disk(victim, number):
            assert render(output) == 1
        line = error_line(capsys)
        assert victim in line
        assert os.strerror(number) in line
        assert remedy in line
        assert not list(output.rglob(".tmp-*"))
    assert render(output) == 0
    assert {path.name for path in output.iterdir()} == TOP_FILES


@contextlib.contextmanager
def refusing_disk(victim: str, number: int) -> Iterator[None]:
    """A system that refuses to sync any temporary file for `victim`."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(f"-{victim}"):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "fsync", fsync)
        yield


@pytest.mark.parametrize("gone", ["out", "out/masks"])
def test_a_folder_that_goes_away_meanwhile_is_one_line_and_the_run_can_be_repeated(
    gone: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def remove_after_a_few_views() -> None:
        if len(fake_model.views_made) >= 3:
            with contextlib.suppress(FileNotFoundError):  # the other worker was here first
                (tmp_path / gone).rename(tmp_path / "away")  # all at once, which removing is not

    fake_model.before_view = remove_after_a_few_views
    assert render(tmp_path / "out", "--workers", "2") == 1
    assert "expected to write this file or folder, the system says: No such file or directory" in error_line(capsys)
    fake_model.before_view = lambda: None
    assert render(tmp_path / "out") == 0
    assert render(tmp_path / "whole") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("depth_format", ["exr", "npy"])
def test_a_depth_that_does_not_fit_the_disk_is_an_error_not_a_torso(depth_format: DepthFormat, tmp_path: Path) -> None:
    """A file size limit stands for the full disk: the system refuses to write past it."""
    depth = np.random.default_rng(0).random((8, 8), np.float32)
    write_depth(tmp_path / "fits", depth, depth_format)
    whole = (tmp_path / "fits").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (whole - 1, limits[1]))
        with pytest.raises(OutputError, match=r"full: expected to write this file or folder, the system says: File too large"):
            write_depth(tmp_path / "full", depth, depth_format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["fits"]


def test_nothing_touches_the_network(fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert render(tmp_path / "out") == 0


def test_the_contact_sheet_shows_image_labels_and_depth(fake_model: FakeModel, tmp_path: Path) -> None:
    assert cli.run(["render", "--seeds", "0-11", "--views", "6", "-o", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out" / "contact-sheet.png") as image:
        assert image.mode == "RGB"
        colors = {color for _, color in image.getcolors(maxcolors=2**20) or []}
        width, height = image.size
    # 4 views of 3 tiles and 8 subjects, not 6 views and 12 subjects.
    assert 12 * 144 < width < 15 * 144
    assert 8 * 144 < height < 10 * 144
    for label in SHAPENET_CAR_LABELS.labels:  # the legend's swatches
        assert label.color in colors


def test_cuda_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(model_facts, "describe_model", lambda name: fake_facts(name, masks=True))
    assert render(tmp_path / "out", "--device", "cuda") == 2
    assert "--device cuda: expected a CUDA device, torch sees none" in error_line(capsys)
    assert not (tmp_path / "out").exists()
    assert models.pick_device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [models.pick_device(name) for name in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
