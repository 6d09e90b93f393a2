"""The worker as a process: started without a shell, read and written by threads of its own, so that its user never waits."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from dnerf_core.worker_protocol import MAX_LINE_BYTES

from .errors import WorkerError
from .groups import group_options

_KEPT_LINES = 20
_END_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Line:
    """A line of the worker's stdout; `whole` is false where it is longer than a message may be."""

    data: bytes
    whole: bool


@dataclass(frozen=True)
class Ended:
    """The worker has closed its stdout and is no more: its exit code (negative: the signal that ended it)."""

    exit_code: int


class WorkerProcess:
    """A started worker. `received` gives what it says, in order, closed by one `Ended`; `last_lines` are the last of its stderr."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it.

        Raises:
            WorkerError: the program cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                bufsize=0,
                **group_options(),  # Ctrl-C in the terminal is not the worker's business: it ends with its client
            )
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the command
            raise WorkerError(_start_fault(command[0], error)) from error
        self.received: queue.SimpleQueue[Line | Ended] = queue.SimpleQueue()
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._errors = threading.Thread(target=self._read_errors, name="worker stderr", daemon=True)
        others = (threading.Thread(target=target, daemon=True) for target in (self._read, self._write))
        self._threads = [self._errors, *others]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Give it a line; returns at once."""
        self._outgoing.put(line)

    def kill(self) -> None:
        """End it now; returns at once."""
        try:
            self._process.kill()
        except OSError:
            return  # it has ended on its own

    def stop(self, timeout_s: float) -> None:
        """Close its stdin, which asks it to end, and end it where it has not within the time."""
        self._outgoing.put(None)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(_END_TIMEOUT_S)
        for thread in self._threads:
            thread.join(_END_TIMEOUT_S)

    def _read(self) -> None:
        out = _pipe(self._process.stdout)
        reader = open(out.fileno(), "rb", closefd=False)  # noqa: SIM115  # buffered; the pipe itself stays the process's
        try:
            while data := reader.readline(MAX_LINE_BYTES):
                self.received.put(Line(data, data.endswith(b"\n")))
        except (OSError, ValueError):
            pass  # as at its end
        try:
            exit_code = self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:  # it lives on and cannot be heard
            self.kill()
            exit_code = self._process.wait()
        self._errors.join(_END_TIMEOUT_S)
        self._outgoing.put(None)
        self.received.put(Ended(exit_code))
        out.close()

    def _read_errors(self) -> None:
        with _pipe(self._process.stderr) as pipe, open(pipe.fileno(), "rb", closefd=False) as reader:
            while data := reader.readline(2**16):
                text = data.decode("utf-8", "replace").strip()
                if text:
                    self.last_lines.append(text)

    def _write(self) -> None:
        with _pipe(self._process.stdin) as pipe:
            while (data := self._outgoing.get()) is not None:
                try:
                    view = memoryview(data)
                    while view:
                        view = view[pipe.write(view) :]
                except OSError:
                    return  # it has gone, and `Ended` says so


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _start_fault(program: str, error: OSError | ValueError) -> str:
    remedy = "choose another interpreter in the preferences"
    if isinstance(error, FileNotFoundError):
        return f"{program}: expected the Python interpreter that has datasetnerf, found no such program; {remedy}"
    if isinstance(error, PermissionError):
        return f"{program}: expected a Python interpreter, found something that may not be run; {remedy}"
    return (
        f"{program}: expected a Python interpreter, it cannot be started: {getattr(error, 'strerror', None) or error}; {remedy}"
    )
