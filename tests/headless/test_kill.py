"""SIGKILL at random moments: nothing half-written is ever seen, and the same command ends with the same folder."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.headless.fake_render import RenderProcesses


@pytest.fixture(scope="module")
def processes() -> Iterator[RenderProcesses]:
    """One that has loaded everything, so that a kill comes while a command works, seldom while it is loaded."""
    with RenderProcesses() as found:
        yield found


def finish(processes: RenderProcesses, *pids: int) -> None:
    assert [processes.wait(pid) for pid in pids] == [0] * len(pids)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but those that are there while calls are at work, which a dot at the start tells."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
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
def test_killed_and_resumed_equals_uninterrupted(
    command: list[str], kills: int, processes: RenderProcesses, tmp_path: Path
) -> None:
    parts = command[-1] == "--shard"
    plain = command[:-1] if parts else command

    def start(output: Path) -> list[int]:
        calls = [[*command, f"{n}/2"] for n in (1, 2)] if parts else [command]
        return [processes.start([*call, "-o", str(output)]) for call in calls]

    began = time.monotonic()
    finish(processes, processes.start([*plain, "-o", str(tmp_path / "whole")]))
    seconds = time.monotonic() - began
    whole = contents(tmp_path / "whole")
    rng = random.Random(7)
    killed = round_ = 0
    while killed < kills:
        output = tmp_path / f"killed{round_}"
        round_ += 1
        for _ in range(min(5, kills - killed)):
            pids = start(output)
            time.sleep(rng.uniform(0.05, 0.9) * seconds)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            assert {processes.wait(pid) for pid in pids} <= {0, -signal.SIGKILL}
            killed += 1
            seen = contents(output)
            wrong = [name for name in seen if seen[name] != whole.get(name)]
            assert not wrong, "files under their final names are not whole"
        finish(processes, *start(output))
        assert contents(output) == whole
        assert not [path for path in output.rglob(".*")], "temporary files of a killed run are left"
