"""One call at a time in a folder: locks between real processes, which end with them; parts of one call go side by side."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnerf_core.errors import OutputError
from headless import cli
from headless.work.at_work import PREFIX, at_work
from tests.headless.fake_engine import FakeModel
from tests.headless.fake_render import REPOSITORY, RenderProcesses

LONG = ["render", "--seeds", "0-99", "--views", "3", "--workers", "1"]


@pytest.fixture(scope="module")
def processes() -> Iterator[RenderProcesses]:
    with RenderProcesses() as found:
        yield found


def locks(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(f"{PREFIX}*"))


def until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.01)


def at_it(folder: Path) -> bool:
    """Whether the first image is there."""
    return any((folder / "images").glob("*.png"))


def test_a_second_call_is_refused_and_a_killed_one_leaves_no_lock(
    processes: RenderProcesses, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    pid = processes.start([*LONG, "-o", str(out)])
    until(lambda: at_it(out))
    assert len(locks(out)) == 1
    before = set(out.rglob("*.json"))
    for call, what in (
        (LONG, f"the same call is at work there, process {pid}; wait for it"),
        (["render", "--seeds", "0-1"], f"another call is at work there, process {pid}; wait for it, or choose another --output"),
        (["video"], f"another call is at work there, process {pid}"),
        (["video", "--seeds", "3"], f"another call is at work there, process {pid}"),
        ([*LONG, "--shard", "1/2"], f"the same call is at work there, process {pid}"),
    ):
        capsys.readouterr()
        assert cli.run([*call, "-o", str(out)]) == 1
        assert f"error: {out}: {what}" in capsys.readouterr().err
    assert set(out.rglob("*.json")) == before
    os.kill(pid, signal.SIGKILL)
    assert processes.wait(pid) == -signal.SIGKILL
    assert len(locks(out)) == 1  # of nobody
    assert cli.run([*LONG, "-o", str(out)]) == 0
    assert locks(out) == []


def test_parts_of_one_call_go_side_by_side_and_no_part_twice(
    processes: RenderProcesses, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, call = tmp_path / "out", ["render", "--seeds", "0-29", "--views", "3", "--workers", "1"]
    # on a busy machine one begins a second or two after another
    pids = [processes.start([*call, "--shard", f"{number}/3", "-o", str(out)], seconds_a_view=0.2) for number in (1, 2, 3)]
    until(lambda: len([name for name in locks(out) if "of3" in name]) == 3)
    for part, refused in (("2/3", "the same call, part 2/3, is at work there"), ("1/2", "the same call, part")):
        capsys.readouterr()
        assert cli.run([*call, "--shard", part, "-o", str(out)]) == 1
        assert refused in capsys.readouterr().err
    capsys.readouterr()
    assert cli.run(["render", "--seeds", "0-28", "--views", "3", "--shard", "1/3", "-o", str(out)]) == 1
    assert "another call, part" in capsys.readouterr().err
    assert [processes.wait(pid) for pid in pids] == [0, 0, 0]
    assert locks(out) == []
    assert cli.run([*call, "-o", str(out)]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_two_calls_into_a_new_folder_at_once_never_mix(processes: RenderProcesses, tmp_path: Path) -> None:
    for number in range(6):
        out = tmp_path / str(number)
        calls = [["render", "--seeds", f"{first}-{first + 5}", "--views", "2"] for first in (0, 10)]
        pids = [processes.start([*call, "-o", str(out)]) for call in calls]
        codes = [processes.wait(pid) for pid in pids]
        assert sorted(codes) == [0, 1]
        seeds = {int(path.name[1:5]) // 10 for path in (out / "images").iterdir()}
        assert seeds == {codes.index(0)}


def test_a_refused_call_leaves_no_folder_and_no_lock(fake_model: FakeModel, tmp_path: Path) -> None:
    with at_work(tmp_path / "a" / "b", "0" * 16, pytest.fail):
        assert len(locks(tmp_path / "a" / "b")) == 1
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    assert cli.run(["render", "-o", str(tmp_path / "other")]) == 1
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]


def test_files_of_a_folder_are_locked_one_by_one(tmp_path: Path) -> None:
    def both(first: str, second: str) -> None:
        with (
            at_work(tmp_path, "0" * 16, pytest.fail, file_name=first),
            at_work(tmp_path, "1" * 16, pytest.fail, file_name=second),
        ):
            pass

    both("a.safetensors", "b.safetensors")
    with pytest.raises(OutputError, match=r"a.safetensors: another call is at work there, process"):
        both("a.safetensors", "a.safetensors")
    assert locks(tmp_path) == []


def test_a_file_system_without_locks_is_told_and_the_call_goes_on(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert cli.run(["render", "--seeds", "0", "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "this file system keeps no locks (No locks available), so nothing keeps a second call from writing there" in told
    assert locks(tmp_path / "out") == []


def test_train_holds_its_output(trained_model: Path, painted_folder: Path, tmp_path: Path) -> None:
    """By the command line in a process of its own, while this one holds the file."""
    call = [
        sys.executable,
        "-m",
        "headless.cli",
        "train",
        str(painted_folder),
        "-o",
        str(tmp_path / "x.safetensors"),
        "--steps",
        "1",
    ]
    with at_work(tmp_path, "0" * 16, pytest.fail, file_name="x.safetensors"):
        done = subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert f"x.safetensors: another call is at work there, process {os.getpid()}" in done.stderr
