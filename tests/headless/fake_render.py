"""Commands with the stand-in engine, each in a process of its own, forked from one that has loaded everything: `RenderProcesses`.

`python -m tests.headless.fake_render` reads a line of JSON a request, seconds a view and a command's arguments, or a process's number,
and answers with the number of the new process, or with the exit code of the one that is waited for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import headless.commands.render
import headless.commands.video  # noqa: F401  loaded once, before the processes are made
from dnerf_core.checkpoints import model_facts
from headless import cli, models
from tests.headless.fake_engine import FakeModel, fake_facts

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS_A_VIEW = 0.01


class RenderProcesses:
    """Starts commands, and waits for them; use it in a `with` block."""

    def __enter__(self) -> RenderProcesses:
        call = [sys.executable, "-m", "tests.headless.fake_render"]
        self._source = subprocess.Popen(call, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._source.communicate(timeout=30)
        assert self._source.returncode == 0

    def start(self, command: list[str], *, seconds_a_view: float = SECONDS_A_VIEW) -> int:
        """The number of the process that runs the command, whose views take so long; what it prints is dropped."""
        return self._asked([str(seconds_a_view), *command])

    def wait(self, pid: int) -> int:
        """Its exit code, once it has ended; below 0: the signal that ended it."""
        return self._asked(pid)

    def _asked(self, request: list[str] | int) -> int:
        assert self._source.stdin and self._source.stdout
        self._source.stdin.write(json.dumps(request) + "\n")
        self._source.stdin.flush()
        return int(self._source.stdout.readline())


def run(seconds_a_view: float, command: list[str]) -> None:
    """The command with the stand-in engine, in a process that has been forked; does not return."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        model = FakeModel(before_view=lambda: time.sleep(seconds_a_view))
        model_facts.describe_model = lambda name: fake_facts(name, masks=True)  # type: ignore[assignment]
        models.load_model = lambda name, device, exact=False: model  # type: ignore[assignment, return-value]
        models.one_thread_a_view = nullcontext  # type: ignore[assignment]  # would load torch
        code = cli.run(command)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, int):
            answer = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
        elif (answer := os.fork()) == 0:
            run(float(request[0]), request[1:])
        print(answer, flush=True)
