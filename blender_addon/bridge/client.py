"""The worker's client: requests out, answers in by `poll`, nothing that waits. docs/worker.md has the methods."""

from __future__ import annotations

import atexit
import itertools
import os
import queue
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dnerf_core.worker_protocol import PROTOCOL, Code, read_line, request_line

from .errors import WorkerError, WorkerFault
from .exchange import Exchange, clear_stale
from .launch import worker_environment
from .losses import lost_after, lost_before, wrong_protocol
from .process import Ended, Line, WorkerProcess

State = Literal["starting", "ready", "lost", "stopped"]
_STOP_TIMEOUT_S = 3.0


@dataclass
class _Request:
    """A request that has not ended, and whom it tells."""

    method: str
    line: bytes
    on_part: Callable[[dict[str, Any]], None] | None
    on_progress: Callable[[int, int, str], None] | None
    on_done: Callable[[dict[str, Any]], None] | None
    on_error: Callable[[WorkerFault], None] | None


class WorkerClient:
    """One worker process and the requests to it. Every method is for one and the same thread, which also runs the callbacks.

    Attributes:
        ready: the worker's greeting; None until it has come.
        state: "starting", "ready", "lost" (it has gone, `loss` says why) or "stopped" (by `stop`, or never started).
        loss: one line: what happened and what to do.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        """Args:
        command: as `interpreter.worker_command` gives it.
        environment: the worker's; None: `interpreter.worker_environment()`.
        """
        self.command = list(command)
        self.environment = dict(worker_environment() if environment is None else environment)
        self.ready: dict[str, Any] | None = None
        self.state: State = "stopped"
        self.loss = ""
        self._process: WorkerProcess | None = None
        self._exchange: Exchange | None = None
        self._numbers = itertools.count(1)
        self._requests: dict[int, _Request] = {}
        self._unsent: list[int] = []
        self._dropped: list[int] = []

    @property
    def pid(self) -> int | None:
        """The worker's process; None before the start and after the end."""
        return self._process.pid if self._process is not None and self.state in ("starting", "ready") else None

    def start(self) -> int:
        """Start the worker; it is heard of by `poll`.

        Returns:
            Its process.

        Raises:
            WorkerError: it has been started before, or cannot be started.
        """
        if self._process is not None:
            raise WorkerError("worker: expected a client that was not started before, found one that was; make a new one")
        clear_stale()
        self._exchange = Exchange()
        options = ["--exchange", str(self._exchange.path), "--parent", str(os.getpid())]
        try:
            self._process = WorkerProcess([*self.command, *options], self.environment)
        except WorkerError:
            self._exchange.remove()
            raise
        self.state = "starting"
        atexit.register(self.stop)
        return self._process.pid

    def request(
        self,
        method: str,
        params: dict[str, Any],
        *,
        on_part: Callable[[dict[str, Any]], None] | None = None,
        on_progress: Callable[[int, int, str], None] | None = None,
        on_done: Callable[[dict[str, Any]], None] | None = None,
        on_error: Callable[[WorkerFault], None] | None = None,
    ) -> int:
        """Ask for something; returns the request's number. `poll` calls back: parts and progress, then `on_done` or `on_error`, once.

        Raises:
            WorkerError: the worker is lost or stopped.
            TypeError, ValueError: the params cannot be sent; nothing has been asked for.
        """
        if self.state not in ("starting", "ready"):
            raise WorkerError(self.loss or "worker: expected a started one, found none; start it")
        number = next(self._numbers)
        line = request_line(method, params, number)
        self._requests[number] = _Request(method, line, on_part, on_progress, on_done, on_error)
        if self.state == "ready":
            self._send(line)
        else:
            self._unsent.append(number)
        return number

    def cancel(self, number: int) -> None:
        """Ask that a request ends, which it does by `on_error` with `Code.CANCELLED`, or well if it was done by then."""
        if number in self._unsent:
            self._unsent.remove(number)
            self._dropped.append(number)
        elif number in self._requests and self.state == "ready":
            self._send(request_line("cancel", {"id": number}))

    def finish(self, number: int) -> None:
        """Ask that a search ends with the best so far, by `on_done`; other requests take no notice."""
        if number in self._requests and number not in self._unsent and self.state == "ready":
            self._send(request_line("finish", {"id": number}))

    def cancel_all(self) -> None:
        """`cancel` of every request that has not ended."""
        for number in list(self._requests):
            self.cancel(number)

    def poll(self) -> int:
        """Take in what the worker has said since the last time, and call back. Never waits.

        Returns:
            The number of messages.
        """
        handled = 0
        while self._dropped:
            self._fail(self._dropped.pop(0), WorkerFault(Code.CANCELLED, "cancelled"))
            handled += 1
        while self._process is not None and self.state in ("starting", "ready"):
            try:
                item = self._process.received.get_nowait()
            except queue.Empty:
                break
            handled += 1
            self._take(item)
        return handled

    def array(self, name: str) -> np.ndarray:
        """The array that a part or a result names; it can be taken once.

        Raises:
            WorkerError: it is not there, or the name is no plain one.
        """
        return self._open_exchange().take(name)

    def discard(self, fields: dict[str, Any]) -> None:
        """Remove the arrays that a part or a result names, which nobody takes."""
        self._open_exchange().discard(fields)

    def put_array(self, array: np.ndarray) -> str:
        """Write an array for the worker; returns the name to give in a request.

        Raises:
            WorkerError: it cannot be written.
        """
        return self._open_exchange().put(array)

    def new_file(self, suffix: str) -> Path:
        """A place in the private folder for a file that the worker is to read; what is put there goes with the worker at the latest.

        Raises:
            WorkerError: the worker was not started.
        """
        return self._open_exchange().new_file(suffix)

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """End the worker, by force where it has not ended within the time, and remove what it left. Nobody is called back any more."""
        self.state = "stopped"
        self._requests.clear()
        self._unsent.clear()
        self._dropped.clear()
        if self._process is not None:
            self._process.stop(timeout_s)
        if self._exchange is not None:
            self._exchange.remove()
        atexit.unregister(self.stop)

    def _take(self, item: Line | Ended) -> None:
        if isinstance(item, Ended):
            assert self._process is not None
            lines = list(self._process.last_lines)
            working = [request.method for request in self._requests.values()]
            program = self.command[0]
            self._lose(lost_after(item.exit_code, lines, working) if self.ready else lost_before(program, item.exit_code, lines))
            return
        message = read_line(item.data) if item.whole else None
        if message is None:
            shown = item.data[:80].decode("utf-8", "replace").strip()
            self._lose(
                f"{self.command[0]}: expected the worker's messages, found {shown!r}; choose an interpreter that has datasetnerf"
            )
        elif self.ready is None:
            self._greet(message)
        elif "method" in message:
            self._hear(message["method"], message.get("params"))
        else:
            self._answer(message)

    def _greet(self, message: dict[str, Any]) -> None:
        facts = message.get("params")
        if message.get("method") != "ready" or not isinstance(facts, dict) or facts.get("protocol") != PROTOCOL:
            self._lose(wrong_protocol(self.command[0], facts if isinstance(facts, dict) else {}))
            return
        self.ready, self.state = facts, "ready"
        for number in self._unsent:
            self._send(self._requests[number].line)
        self._unsent.clear()

    def _hear(self, method: Any, params: Any) -> None:
        """A notification. One of another kind, or of a request that has ended, is let go with the arrays that it names."""
        fields = dict(params) if isinstance(params, dict) else {}
        request = self._requests.get(fields.pop("id", None))
        if request is not None and method == "progress" and request.on_progress is not None:
            request.on_progress(int(fields.get("done", 0)), int(fields.get("total", 0)), str(fields.get("text", "")))
        elif request is not None and method == "part" and request.on_part is not None:
            request.on_part(fields)
        else:
            self._open_exchange().discard(fields)

    def _answer(self, message: dict[str, Any]) -> None:
        number, error, result = message.get("id"), message.get("error"), message.get("result")
        if isinstance(error, dict):
            code = error.get("code")
            self._fail(number, WorkerFault(_known(code), str(error.get("message", "no reason given"))))
            return
        request = self._requests.pop(number, None) if isinstance(number, int) else None
        fields = result if isinstance(result, dict) else {}
        if request is not None and request.on_done is not None:
            request.on_done(fields)
        else:
            self._open_exchange().discard(fields)

    def _fail(self, number: Any, fault: WorkerFault) -> None:
        request = self._requests.pop(number, None) if isinstance(number, int) else None
        if request is not None and request.on_error is not None:
            request.on_error(fault)

    def _lose(self, line: str) -> None:
        """The worker is of no use any more: end it, and tell everybody who waits."""
        self.state, self.loss = "lost", line
        assert self._process is not None
        self._process.kill()
        self._unsent.clear()
        self._dropped.clear()
        with ExitStack() as stack:  # everybody is told, also where telling another one raises
            for number in reversed(self._requests):
                stack.callback(self._fail, number, WorkerFault(Code.LOST, line))

    def _send(self, line: bytes) -> None:
        assert self._process is not None
        self._process.send(line)

    def _open_exchange(self) -> Exchange:
        if self._exchange is None:
            raise WorkerError("worker: expected a started one, found none; start it")
        return self._exchange


def _known(code: Any) -> int:
    try:
        return Code(code)
    except ValueError:
        return Code.FAULT
