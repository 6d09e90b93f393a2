"""Requests in, jobs one after the other on a thread of their own, answers out. Stdin is read all the time, so cancelling works at once."""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from dnerf_core.errors import DNeRFError, UsageError, did_you_mean
from dnerf_core.worker_protocol import (
    MAX_LINE_BYTES,
    Code,
    Refusal,
    Request,
    error_message,
    read_request,
    result_message,
)
from headless.worker.exchange import Exchange
from headless.worker.jobs import CancelledError, Job
from headless.worker.wire import Wire

Method = Callable[[Job], dict[str, Any]]
Immediate = Callable[[dict[str, Any]], dict[str, Any]]

_END_S = 2.0
"""How long a job may take to end when the worker is told to."""

PREVIEW = "preview"


class Server:
    """Answers one client.

    Args:
        methods: done as jobs, in the order in which they were asked for; of waiting previews only the newest is kept.
        immediate: answered at once, while a job runs.
        out_of_memory: whether an exception says that memory ran out, whereupon what can be let go has been.
    """

    def __init__(
        self,
        wire: Wire,
        exchange: Exchange,
        methods: Mapping[str, Method],
        immediate: Mapping[str, Immediate],
        out_of_memory: Callable[[BaseException], bool],
    ) -> None:
        self.wire, self.exchange, self.methods, self.immediate = wire, exchange, methods, immediate
        self.out_of_memory = out_of_memory
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._ending = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def serve(self, stdin: BinaryIO) -> None:
        """Answer until stdin ends or `shutdown` is asked for."""
        self._thread.start()
        while line := stdin.readline(MAX_LINE_BYTES):
            if not line.strip():
                continue
            request = read_request(line)
            if isinstance(request, Refusal):
                self.wire.send(error_message(request.number, request.code, request.message))
            elif request.method == "shutdown":
                if request.number is not None:
                    self.wire.send(result_message(request.number, {}))
                return
            else:
                self._take(request)

    def end(self) -> bool:
        """Cancel everything; whether the running job has ended within a short time."""
        with self._changed:
            self._ending = True
            self._waiting.clear()
            if self._running is not None:
                self._running.cancelled.set()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(_END_S)
        return not self._thread.is_alive()

    def _take(self, request: Request) -> None:
        if request.number is None:
            if request.method == "cancel":
                self._cancel(request.params.get("id"))
            elif request.method == "finish":
                self._finish(request.params.get("id"))
            return  # other notifications want nothing
        if request.method in self.immediate:
            self._answer_now(request, request.number)
        elif request.method in self.methods:
            job = Job(request, request.number, self.wire, self.exchange)
            with self._changed:
                if request.method == PREVIEW:
                    self._supersede()
                self._waiting.append(job)
                self._changed.notify()
        else:
            known = ", ".join(sorted({*self.methods, *self.immediate, "shutdown"}))
            near = did_you_mean(request.method[:60], [*self.methods, *self.immediate])
            text = f"method: expected one of {known}, found {request.method[:60]!r}{near}; update datasetnerf or its client"
            self.wire.send(error_message(request.number, Code.NO_SUCH_METHOD, text))

    def _answer_now(self, request: Request, number: int | str) -> None:
        try:
            self.wire.send(result_message(number, self.immediate[request.method](request.params)))
        except DNeRFError as error:
            self.wire.send(error_message(number, Code.WRONG_CALL, str(error)))

    def _cancel(self, number: Any) -> None:
        with self._changed:
            for job in [job for job in self._waiting if job.number == number]:
                self._drop(job, "cancelled")
            if self._running is not None and self._running.number == number:
                self._running.cancelled.set()

    def _finish(self, number: Any) -> None:
        """Let a search end with the best so far; one that waits will end after its first step."""
        with self._changed:
            for job in [*self._waiting, *([] if self._running is None else [self._running])]:
                if job.number == number:
                    job.finishing.set()

    def _supersede(self) -> None:
        """A newer preview has come: older ones that wait end, and the one that runs leaves out its fine step."""
        for job in [job for job in self._waiting if job.method == PREVIEW]:
            self._drop(job, "superseded by a newer preview")
        if self._running is not None:
            self._running.superseded.set()

    def _drop(self, job: Job, why: str) -> None:
        self._waiting.remove(job)
        self.wire.send(error_message(job.number, Code.CANCELLED, why))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._changed.wait_for(lambda: self._waiting or self._ending)
                if self._ending:
                    return
                job = self._running = self._waiting.popleft()
            self.wire.send(self._done(job))

    def _done(self, job: Job) -> dict[str, Any]:
        """Do a job; the answer to it."""
        try:
            return result_message(job.number, self.methods[job.method](job))
        except CancelledError as error:
            return error_message(job.number, Code.CANCELLED, str(error))
        except DNeRFError as error:
            code = Code.WRONG_CALL if isinstance(error, UsageError) else Code.FAILED
            return error_message(job.number, code, str(error))
        except Exception as error:
            # The outermost edge of a job: a fault of ours becomes an answer, and the worker stays.
            if self.out_of_memory(error):
                text = "expected enough memory, the device has too little; make it smaller, or choose the device cpu"
                return error_message(job.number, Code.OUT_OF_MEMORY, f"{job.method}: {text}")
            traceback.print_exc(file=sys.stderr)
            return error_message(job.number, Code.FAULT, f"{job.method}: {type(error).__name__}: {error}")
