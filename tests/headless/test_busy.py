"""`dnerf-headless bench --busy`: what it prints, that its processes are busy, and that they end with it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dnerf_core.model import Model
from headless import cli
from headless.bench import busy, measuring
from headless.bench import models as bench_models
from headless.bench.busy import BusyMeasured, ViewTimes, busy_processes, measure_busy
from headless.bench.ran_on import RanOn
from tests.headless.worker_talk import ROOT, is_gone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processor time of POSIX")


@pytest.fixture
def small_bench(monkeypatch: pytest.MonkeyPatch, trained_model: Path) -> Model:
    """A tiny model in the demo's place, and few views."""
    model = Model.load(trained_model)
    monkeypatch.setattr(bench_models, "bench_model", lambda name, device: model)
    monkeypatch.setattr(busy, "VIEWS", 4)
    monkeypatch.setattr(busy, "SIZE_PX", 16)
    return model


def test_times_by_hand() -> None:
    quiet, hard = ViewTimes.of_views([0.1, 0.3, 0.2]), ViewTimes.of_views([0.4, 1.0])
    assert (quiet, hard) == (ViewTimes(0.2, 0.3), ViewTimes(0.7, 1.0))
    measured = BusyMeasured(2, quiet, hard, None)
    assert (measured.median_ratio, measured.slowest_ratio) == (pytest.approx(3.5), pytest.approx(5.0))


def test_the_machines_seconds_by_hand(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    (tmp_path / "stat").write_text(
        f"cpu  {ticks} {2 * ticks} {4 * ticks} 777 888 {8 * ticks} {16 * ticks} {32 * ticks} 5 0\ncpu0 1 1\n"
    )
    assert measuring.machine_seconds(tmp_path / "stat") == 63.0
    assert measuring.machine_seconds(tmp_path / "none") is None


def test_busy_processes_take_their_cores_and_end_with_the_block() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with busy_processes(2) as processes:
        assert len({process.pid for process in processes}) == 2
        deadline = time.monotonic() + 30
        while min(_user_seconds(process.pid) for process in processes) < 0.2:
            assert time.monotonic() < deadline, "they are not at work"
            time.sleep(0.02)
    assert [process.poll() for process in processes] == [-signal.SIGKILL] * 2
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before > 0.3


def _user_seconds(pid: int) -> float:
    """Processor seconds of a running process."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell a running process's time")
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")


def test_busy_processes_end_with_a_bench_that_is_killed() -> None:
    code = "from headless.bench.busy import busy_processes; import time\n"
    code += "with busy_processes(1) as processes: print(processes[0].pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        pid = int(bench.stdout.readline())
        bench.kill()
    assert is_gone(pid, 30), "the busy process outlived its bench"


def test_every_view_is_timed_and_told(small_bench: Model) -> None:
    steps: list[None] = []
    measured = measure_busy(small_bench, 1, lambda: steps.append(None))
    assert len(steps) == 2 * busy.VIEWS
    assert measured.processes == 1
    for times in (measured.quiet, measured.busy):
        assert 0 < times.median_s <= times.slowest_s


def test_json_has_a_line_with_both_machines(small_bench: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--busy", "1", "--json", "--device", "cpu"]) == 0
    start, *warnings, line, summary = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (start["event"], start["busy"], start["machine"]) == ("start", 1, RanOn.here("cpu").to_json())
    assert {event["event"] for event in warnings} <= {"warning"}
    assert (line["event"], line["processes"], line["views"]) == ("busy", 1, 4)
    assert line["median_ratio"] == pytest.approx(line["busy_median_s"] / line["quiet_median_s"], rel=0.2)
    assert line["slowest_ratio"] >= line["median_ratio"]
    assert (summary["event"], summary["status"], summary["busy"]) == ("summary", "done", 1)


@pytest.mark.parametrize(("others", "warns"), [(None, False), (0.05, False), (1.2, True)])
def test_text_has_a_row_a_machine_and_says_whether_it_was_quiet(
    others: float | None, warns: bool, small_bench: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = BusyMeasured(3, ViewTimes(0.05, 0.06), ViewTimes(0.12, 0.24), others)
    monkeypatch.setattr(busy, "measure_busy", lambda model, processes, progress: measured)
    assert cli.run(["bench", "--busy", "3", "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    head, *rows, machine = captured.out.splitlines()
    assert head.split() == ["machine", "median", "s", "times", "slowest", "s", "times"]
    assert [row.split() for row in rows] == [
        ["quiet", "0.050", "1.0x", "0.060", "1.2x"],
        ["3", "busy", "0.120", "2.4x", "0.240", "4.8x"],
    ]
    assert all(len(row) == len(head) for row in rows)
    assert machine == RanOn.here("cpu").line
    assert ("other programs took the time of 1.2 cores" in captured.err) == warns


@pytest.mark.parametrize(("other", "name"), [(["--quick"], "--quick"), (["--claim", "rgb-view"], "--claim")])
def test_busy_is_measured_alone(other: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--busy", "2", *other]) == 2
    assert f"--busy: expected alone, found {name}" in capsys.readouterr().err
