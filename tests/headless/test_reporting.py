"""What a command says while it works: a bar with rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from headless.work.reporting import rate_text

SCRIPT = """
import time
from headless.work.reporting import Reporter
with Reporter(as_json={as_json}).progress("views", 20) as advance:
    for _ in range(20):
        time.sleep(0.05)
        advance()
"""


@pytest.mark.parametrize(
    ("steps_per_s", "text"), [(None, ""), (0.0, ""), (12.345, "12.3/s"), (1.0, "1.0/s"), (0.5, "30.0/min"), (1 / 600, "0.1/min")]
)
def test_rates_are_told_in_the_unit_that_reads_best(steps_per_s: float | None, text: str) -> None:
    assert rate_text(steps_per_s) == text


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_sees_count_rate_and_time_left() -> None:
    shown = on_terminal(SCRIPT.format(as_json=False))
    assert re.search(r"views .* 1[0-9]/20 1[0-9]\.[0-9]/s 0:00:0[01]", shown), shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_json_has_no_bar_on_a_terminal_either() -> None:
    assert on_terminal(SCRIPT.format(as_json=True)) == ""


def test_there_is_no_bar_where_there_is_no_terminal() -> None:
    """And no line of a job that is done within a minute."""
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(as_json=False)], capture_output=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_what_is_being_done_is_told_soon_where_there_is_no_terminal() -> None:
    """On stderr, once, while the job is still in its first minute; with --json on stdout alone."""
    script = """
import sys, time
from headless.work import reporting
reporter = reporting.Reporter(as_json={as_json})
reporter.start("render: 2 views", views=2)
with reporter.progress("views", 2):
    sys.stdin.read()
reporting.START_SECONDS = 0.0
with reporter.progress("lists", 1):
    time.sleep(0.2)
"""
    for as_json, line in ((False, b"render: 2 views\n"), (True, b'{"event": "start", "views": 2}\n')):
        command = [sys.executable, "-c", script.format(as_json=as_json)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as job:
            assert job.stdout is not None and job.stderr is not None
            assert (job.stdout if as_json else job.stderr).readline() == line
            out, err = job.communicate()
            assert (job.returncode, out, err) == (0, b"", b"")


def test_a_long_job_tells_how_far_it_is_where_there_is_no_terminal() -> None:
    """A line each so many seconds, by a clock of its own: a slow step does not keep it from telling; and one at the end."""
    script = """
import time
from headless.work import reporting
reporting.START_SECONDS = 0.1
reporting.LINE_SECONDS = 0.2
reporter = reporting.Reporter(as_json={as_json})
reporter.start("render: 2 views")
with reporter.progress("views", 2) as advance:
    advance()
    time.sleep(1)
    advance()
"""
    done = subprocess.run(
        [sys.executable, "-c", script.format(as_json=False)], capture_output=True, timeout=60, check=True, text=True
    )
    lines = done.stderr.splitlines()
    assert done.stdout == "" and lines.pop(0) == "render: 2 views"
    assert 3 <= len(lines) <= 6
    assert all(re.fullmatch(r"views: 1 of 2, [01] s, [0-9.]+/(s|min)", line) for line in lines[:-1]), lines
    assert re.fullmatch(r"views: 2 of 2, [1-9] s, [0-9.]+/s", lines[-1])
    done = subprocess.run(
        [sys.executable, "-c", script.format(as_json=True)], capture_output=True, timeout=60, check=True, text=True
    )
    assert (done.stdout, done.stderr) == ('{"event": "start"}\n', "")


def on_terminal(script: str) -> str:
    """All that a script writes to its stderr, which is a terminal."""
    leader, follower = os.openpty()
    with subprocess.Popen([sys.executable, "-c", script], stderr=follower, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"}):
        os.close(follower)
        shown = b""
        while data := read_or_end(leader):
            shown += data
    os.close(leader)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def read_or_end(terminal: int) -> bytes:
    """The next bytes; none when the other side has gone, which Linux tells as an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
