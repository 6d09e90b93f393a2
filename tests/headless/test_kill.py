"""SIGKILL at random moments: nothing half-written is ever seen, and the same command ends with the same folder."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def start(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-m", "tests.headless.fake_render", *command, "-o", str(output)]
    return subprocess.Popen(call, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the temporary ones, which only a dot at the start tells."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".tmp-")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("command", "kills"),  # 50 together
    [
        (["render", "--seeds", "0-9", "--views", "4", "--workers", "3"], 30),
        (["render", "--seeds", "0-9", "--views", "4", "--workers", "2", "--shard"], 10),
        (["video", "--seeds", "0-3", "--frames", "20"], 10),
    ],
    ids=["render", "parts", "video"],
)
def test_killed_and_resumed_equals_uninterrupted(command: list[str], kills: int, tmp_path: Path) -> None:
    parts = command[-1] == "--shard"
    plain = command[:-1] if parts else command
    began = time.monotonic()
    finish(start(plain, tmp_path / "whole"))
    seconds = time.monotonic() - began
    whole = contents(tmp_path / "whole")
    rng = random.Random(7)
    killed = round_ = 0
    while killed < kills:
        output = tmp_path / f"killed{round_}"
        round_ += 1
        for _ in range(min(5, kills - killed)):
            processes = [start([*command, f"{n}/2"], output) for n in (1, 2)] if parts else [start(command, output)]
            time.sleep(rng.uniform(0.2, 0.9) * seconds)
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            killed += 1
            seen = contents(output)
            wrong = [name for name in seen if seen[name] != whole.get(name)]
            assert not wrong, "files under their final names are not whole"
        for process in [start([*command, f"{n}/2"], output) for n in (1, 2)] if parts else [start(command, output)]:
            finish(process)
        assert contents(output) == whole
        assert not [path for path in output.rglob(".tmp-*")], "temporary files of a killed run are left"
