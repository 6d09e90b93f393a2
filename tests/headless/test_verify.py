"""`--verify`: what was altered, truncated or lost is found by the sums of when it was written, and made again by the same call."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headless import cli
from headless.work.checksums import SUMS_NAME, Journal, recorded, take_in
from tests.headless.fake_engine import FakeModel
from tests.headless.fake_render import RenderProcesses

CALL = ["render", "--seeds", "0-3", "--views", "3", "--channels", "rgb,mask,depth,uncertainty"]
CALL += ["--format", "coco,nerfstudio,webdataset", "--reject-uncertain", "10%"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return dict(lines[-1])


@pytest.fixture
def folder(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert cli.run([*CALL, "-o", str(tmp_path / "set")]) == 0
    capsys.readouterr()
    return tmp_path / "set"


def test_every_file_but_the_sums_has_a_sum_that_sha256sum_reads(folder: Path) -> None:
    names = [name for name, _ in recorded(folder)]
    assert names == sorted(set(contents(folder)) - {SUMS_NAME})
    tool = shutil.which("sha256sum")
    if tool is not None:
        done = subprocess.run([tool, "--check", "--strict", SUMS_NAME], cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr, done.stdout.count(": OK\n")) == (0, "", len(names))


def one_of_each_kind(names: list[str]) -> list[str]:
    """The last of each folder and ending; files of the top folder are each of their own kind."""
    return list({(Path(name).parent, Path(name).suffix) if "/" in name else name: name for name in names}.values())


@pytest.mark.parametrize("fault", ["altered", "truncated", "gone"])
def test_every_kind_of_file_is_found_and_made_again(
    fault: str, folder: Path, fake_model: FakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = contents(folder)
    for name in one_of_each_kind(sorted(set(whole) - {SUMS_NAME})):
        path, data = folder / name, bytearray(whole[name])
        if fault == "altered":
            data[len(data) // 2] ^= 4
        if fault == "gone":
            if name == "dataset.json":
                continue  # without it the folder is nobody's
            path.unlink()
        else:
            path.write_bytes(data if fault == "altered" else data[:-1])
        assert cli.run([*CALL, "--verify", "--json", "-o", str(folder)]) == 0
        told = summary(capsys)
        expected = ([], 1) if fault == "gone" else ([name], 0)
        assert (told["damaged"], told["missing"], told["unrecorded"]) == (*expected, 0), name
        assert contents(folder) == whole, name
    assert cli.run([*CALL, "--verify", "-o", str(folder)]) == 0
    assert f"verified {len(whole) - 1} files: all as written" in capsys.readouterr().out


def test_many_at_once_are_named_and_only_those_are_made(
    folder: Path, fake_model: FakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, made = contents(folder), len(fake_model.views_made)
    names = ["images/s0001_v02.png", "depth/s0003_v00.exr", "metadata.jsonl", "webdataset/views-000003.tar"]
    for name in names:
        (folder / name).write_bytes(whole[name][:-7])
    assert cli.run([*CALL, "--verify", "-o", str(folder)]) == 0
    said = capsys.readouterr()
    for name in names:
        assert f"{folder / name}: altered or truncated since it was written; made again" in said.err
    assert "4 damaged, 0 missing; 4 of the damaged made again" in said.out
    assert contents(folder) == whole
    assert len(fake_model.views_made) == made + 2


def test_without_the_option_nothing_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "images" / "s0000_v00.png").write_bytes(b"painted over")
    assert cli.run([*CALL, "-o", str(folder)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (folder / "images" / "s0000_v00.png").read_bytes() == b"painted over"


def test_files_of_a_format_that_the_call_does_not_write_stay(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "panoptic" / "s0000_v00.png").write_bytes(b"x")
    call = [*CALL[: CALL.index("--format")], "--reject-uncertain", "10%"]
    assert cli.run([*call, "--verify", "-o", str(folder)]) == 0
    assert (
        "panoptic/s0000_v00.png: altered or truncated since it was written; this call does not make it" in capsys.readouterr().err
    )
    assert (folder / "panoptic" / "s0000_v00.png").read_bytes() == b"x"
    assert cli.run([*CALL, "--verify", "-o", str(folder)]) == 0
    assert (folder / "panoptic" / "s0000_v00.png").read_bytes() != b"x"


def test_a_folder_without_sums_is_only_read(folder: Path, fake_model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    whole = contents(folder)
    (folder / SUMS_NAME).unlink()
    (folder / "masks" / "s0002_v01.png").write_bytes(whole["masks/s0002_v01.png"][:-20])
    assert cli.run([*CALL, "--verify", "-o", str(folder)]) == 0
    said = capsys.readouterr()
    assert "masks/s0002_v01.png: it cannot be read: " in said.err
    assert f"{len(whole) - 2} files have no check sum from when they were written" in said.err
    assert contents(folder) == whole


def test_damaged_sums_are_told_and_written_anew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = contents(folder)
    for data in (whole[SUMS_NAME][:-300], whole[SUMS_NAME].replace(b"a", b"b", 1), b""):
        (folder / SUMS_NAME).write_bytes(data)
        assert cli.run([*CALL, "--verify", "-o", str(folder)]) == 0
        assert f"{SUMS_NAME}: damaged" in capsys.readouterr().err
        assert contents(folder) == whole


def test_another_calls_folder_is_not_touched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "images" / "s0000_v00.png").write_bytes(b"x")
    before = contents(folder)
    assert cli.run(["render", "--seeds", "0-2", "--verify", "-o", str(folder)]) == 1
    assert "--seeds was 0-3 and is now 0-2" in capsys.readouterr().err
    assert contents(folder) == before
    assert cli.run([*CALL, "--verify", "--shard", "1/2", "-o", str(folder)]) == 2
    assert "--verify: expected a whole call, found --shard 1/2" in capsys.readouterr().err


def test_a_name_in_the_sums_that_leads_out_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    journal = Journal(folder, lambda name: True)
    journal.note("../mine.txt", "1" * 64)
    journal.note("/etc/passwd", "1" * 64)
    journal.close()
    assert cli.run([*CALL, "--verify", "-o", str(folder)]) == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.fixture(scope="module")
def processes() -> Iterator[RenderProcesses]:
    with RenderProcesses() as found:
        yield found


def test_what_a_killed_call_wrote_has_its_sums(
    processes: RenderProcesses, tmp_path: Path, capsys: pytest.CaptureFixture[str], fake_model: FakeModel
) -> None:
    call = ["render", "--seeds", "0-9", "--views", "4", "--workers", "2", "-o", str(tmp_path)]
    for count in (1, 6, 11):
        pid, deadline = processes.start(call), time.monotonic() + 60
        while len(list((tmp_path / "images").glob("s*.png"))) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        processes.wait(pid)
    images = sorted((tmp_path / "images").glob("s*.png"))  # not what the kill left half written
    assert images
    images[0].write_bytes(images[0].read_bytes()[:-3])
    assert cli.run([*call, "--verify", "--json"]) == 0
    told = summary(capsys)
    assert (told["damaged"], told["unrecorded"]) == ([f"images/{images[0].name}"], 0)
    assert not [name for name in contents(tmp_path) if name.split("/")[-1].startswith(".")]


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (
            ["video", "--frames", "4"],
            ["s0000-labels.mkv", "s0000-overlay.mp4", "s0000-cameras.json", "labels.json", "dataset.json"],
        ),
    ],
)
def test_videos(
    call: list[str], names: list[str], fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [*call, "-o", str(tmp_path)]
    assert cli.run(call) == 0
    whole = contents(tmp_path)
    assert [name for name, _ in recorded(tmp_path)] == sorted(set(whole) - {SUMS_NAME})
    for name in names:
        (tmp_path / name).write_bytes(whole[name][:-1])
        assert cli.run([*call, "--verify"]) == 0
        assert "1 damaged, 0 missing; 1 of the damaged made again" in capsys.readouterr().out
        assert contents(tmp_path) == whole


def test_painted_masks_are_never_made_again(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["sample", "--model", str(tiny_model), "--seeds", "0-1", "--views", "2", "--labels", "hood,roof", "-o", str(tmp_path)]
    assert cli.run(call) == 0
    mask = tmp_path / "masks" / "s0000_v00.png"
    with Image.open(mask) as image:
        palette, ids = image.getpalette(), np.array(image)
    ids[3:9, 4:20] = 1
    painted = Image.fromarray(ids)
    painted.putpalette(palette)
    painted.save(mask)
    bytes_painted = mask.read_bytes()
    (tmp_path / "masks" / "s0001_v01.png").write_bytes(b"torn")
    image = tmp_path / "images" / "s0001_v00.png"
    image_bytes = image.read_bytes()
    image.write_bytes(image_bytes[:-5])
    capsys.readouterr()
    assert cli.run([*call, "--verify"]) == 0
    said = capsys.readouterr()
    assert mask.read_bytes() == bytes_painted
    assert (tmp_path / "masks" / "s0001_v01.png").read_bytes() == b"torn"
    assert "masks/s0001_v01.png: it cannot be read" in said.err
    assert "this call does not make it, so it stays as it is" in said.err
    assert image.read_bytes() == image_bytes
    assert "what masks hold is yours, and only looked at" in said.out


def test_sums_of_many_files_take_little_memory(tmp_path: Path) -> None:
    """Those of 100,000 views with three files each, in two journals, the later sums counting; and a torn last line."""
    (tmp_path / "images").mkdir()
    count = 300_000
    for value in ("1", "2"):
        journal = Journal(tmp_path, lambda name: True)
        for number in range(count):
            journal.note(f"images/s{number * 7919 % count:06d}.png", value * 64)
        journal.close()
    with next(iter(sorted(tmp_path.glob(".checksums-*")))).open("ab") as file:
        file.write(b"3" * 64 + b"  images/s0000")
    tracemalloc.start()
    take_in(tmp_path)
    last = sum(1 for _, sha256 in recorded(tmp_path) if sha256 == "2" * 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last == count
    assert peak < 40e6
    assert not list(tmp_path.glob(".checksums-*"))
