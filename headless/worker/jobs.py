"""One request that is being done, as the code that does it sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dnerf_core.worker_protocol import Number, Request, notification
from headless.work.reporting import Reporter
from headless.worker.exchange import Exchange
from headless.worker.wire import Wire

_PROGRESS_INTERVAL_S = 0.05
"""Progress is sent 20 times a second at most: a screen shows no more."""


class CancelledError(Exception):
    """The job was cancelled, or a newer one takes its place."""


class Job:
    """A request with a number, the way back to its client, and whether it is still wanted.

    Attributes:
        cancelled: the client drops it.
        superseded: a newer preview waits.
        finishing: the client wants what it has so far; only searches look at it.
    """

    def __init__(self, request: Request, number: Number, wire: Wire, exchange: Exchange) -> None:
        self.number, self.method, self.params = number, request.method, request.params
        self.exchange = exchange
        self.cancelled = threading.Event()
        self.superseded = threading.Event()
        self.finishing = threading.Event()
        self._wire = wire
        self._progress_sent_at = 0.0

    def check(self) -> None:
        """Raises:
        CancelledError: the job is not wanted any more.
        """
        if self.cancelled.is_set():
            raise CancelledError("cancelled")

    def part(self, **fields: Any) -> None:
        """Tell a part of the result."""
        self._wire.send(notification("part", {"id": self.number, **fields}))

    def progress(self, done: int, total: int, text: str) -> None:
        """Tell how far the job is; the last step always, others as often as a screen can show.

        Raises:
            CancelledError: as `check`.
        """
        self.check()
        now = time.monotonic()
        if now - self._progress_sent_at >= _PROGRESS_INTERVAL_S or done in (0, total):
            self._progress_sent_at = now
            self._wire.send(notification("progress", {"id": self.number, "done": done, "total": total, "text": text}))


class JobReporter(Reporter):
    """A command's voice that tells the job's client; what commands print for people goes nowhere.

    Attributes:
        warnings: what the command warned of.
        results: the fields of its summary.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(as_json=False)
        self.job = job
        self.warnings: list[str] = []
        self.results: dict[str, Any] = {}

    def start(self, text: str, **fields: Any) -> None:
        self.job.check()

    def warning(self, message: str, **fields: Any) -> None:
        self.warnings.append(message)

    def summary(self, lines: Any, **fields: Any) -> None:
        self.results = fields

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[], None]]:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            self.job.progress(done, total, description)

        self.job.progress(0, total, description)
        yield advance
