"""This Blender's one worker: started by the first click, heard by a timer, ended with the file.

A job is what a click asks for: one at a time, with progress, cancelled by ESC. A quiet request is what the interface asks for
beside it, such as a preview. Results arrive on Blender's main thread, in `Session.poll`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import bpy

from dnerf_core.errors import DNeRFError
from dnerf_core.worker_protocol import Code

from .bridge.client import WorkerClient
from .bridge.errors import WorkerError, WorkerFault
from .bridge.launch import worker_command
from .preferences import chosen_interpreter, preferences

Level = Literal["INFO", "ERROR", "CANCELLED"]
Done = Callable[[dict[str, Any]], None]

_BUSY_INTERVAL_S = 0.02
_WAIT_INTERVAL_S = 0.005
EXPECTED = (DNeRFError, WorkerError, OSError)
"""What goes wrong for a reason that a user can act on; its text is the line that is shown."""


@dataclass
class Job:
    """What is being done for the user.

    Attributes:
        title: such as `Rendering views`.
        done, total: steps; total 0: not known yet.
        text: what the worker says of the step.
        number: of the request that runs; None between two of them.
        cancelled: the user wants it to end.
        keeps_best: it can be ended with the best so far.
        stopping: the user wants that.
        at_end: called when it has ended, however it did.
    """

    title: str
    done: int = 0
    total: int = 0
    text: str = ""
    number: int | None = None
    cancelled: bool = False
    keeps_best: bool = False
    stopping: bool = False
    at_end: Callable[[], None] | None = None

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


class Session:
    """The worker of this Blender and what it is busy with.

    Attributes:
        job: what runs now; None: nothing.
        status, level: the status line when nothing runs.
    """

    def __init__(self) -> None:
        self.client: WorkerClient | None = None
        self.job: Job | None = None
        self.status = ""
        self.level: Level = "INFO"
        self._quiet: set[int] = set()

    @property
    def worker_state(self) -> str:
        """ "starting", "ready", "lost" or "stopped"."""
        return "stopped" if self.client is None else self.client.state

    def start_job(
        self,
        title: str,
        method: str,
        params: dict[str, Any],
        on_done: Done,
        *,
        on_part: Done | None = None,
    ) -> None:
        """Ask the worker for what a click wants; goes on at once. `on_done` may start the next step of the same job by `continue_job`.

        Raises:
            WorkerError: another job runs, or no worker can be had.
        """
        if self.job is not None:
            raise WorkerError(f"worker: expected nothing else to do, it is busy with: {self.job.title}; wait or cancel it")
        client = self.ready_client()
        self.job = Job(title)
        self.say("")
        self._send(client, method, params, on_done, on_part)
        self._keep_time()

    def continue_job(
        self,
        method: str,
        params: dict[str, Any],
        on_done: Done,
        *,
        title: str = "",
        on_part: Done | None = None,
        keeps_best: bool = False,
    ) -> None:
        """The next request of the job whose `on_done` is running."""
        assert self.job is not None and self.client is not None
        if title:
            self.job.title = title
        self.job.done = self.job.total = 0
        self.job.keeps_best, self.job.stopping, self.job.text = keeps_best, False, ""
        self._send(self.client, method, params, on_done, on_part)

    def ask(
        self,
        method: str,
        params: dict[str, Any],
        on_done: Done,
        *,
        on_part: Done | None = None,
        on_error: Callable[[WorkerFault], None],
    ) -> int:
        """A quiet request: no status line, no ESC. The worker runs already.

        Raises:
            WorkerError: it does not.
        """
        if self.client is None:
            raise WorkerError("worker: expected a started one, found none; press a button that needs it")

        def finished(then: Callable[[Any], None]) -> Callable[[Any], None]:
            def ended(value: Any) -> None:
                self._quiet.discard(number)
                then(value)

            return ended

        number = self.client.request(method, params, on_part=on_part, on_done=finished(on_done), on_error=finished(on_error))
        self._quiet.add(number)
        self._keep_time()
        return number

    def ready_client(self) -> WorkerClient:
        """The worker's client; a new worker where there is none, or where the last one was lost.

        Raises:
            WorkerError: none can be started.
        """
        if self.client is None or self.client.state not in ("starting", "ready"):
            self.end_worker()
            settings = preferences()
            client = WorkerClient(worker_command(chosen_interpreter(settings), settings.device))
            client.start()
            self.client = client
        return self.client

    def array(self, name: str) -> Any:
        """The array that a result names."""
        assert self.client is not None
        return self.client.array(name)

    def cancel(self) -> None:
        """End the job that runs; the status line says so when the worker has let go of it."""
        if self.job is None or self.client is None or self.job.cancelled:
            return
        self.job.cancelled = True
        self.job.text = "cancelling"
        if self.job.number is not None:
            self.client.cancel(self.job.number)
        redraw()

    def stop_early(self) -> None:
        """Let the search that runs end with the best so far."""
        if self.job is None or self.client is None or not self.job.keeps_best or self.job.number is None:
            return
        self.job.stopping = True
        self.client.finish(self.job.number)
        redraw()

    def poll(self) -> int:
        """Hear the worker; runs the callbacks. Returns the number of messages."""
        if self.client is None:
            return 0
        handled = self.client.poll()
        if handled:
            redraw()
        return handled

    def wait(self, timeout_s: float) -> bool:
        """Hear the worker until nothing is to be done: for scripts and Blender without a window, where no timer runs.

        Returns:
            False where the time was up first.
        """
        end = time.monotonic() + timeout_s
        while self.job is not None or self._quiet:
            if time.monotonic() > end:
                return False
            if not self.poll():
                time.sleep(_WAIT_INTERVAL_S)
        return True

    def end_worker(self) -> None:
        """End the worker's process; nobody is called back any more."""
        if self.client is not None:
            self.client.stop()
        self.client = None
        self.job = None
        self._quiet.clear()

    def finish(self, line: str) -> None:
        """The job went well; `line` says what came of it."""
        self._end_job()
        self.say(line)

    def fail(self, line: str, level: Level = "ERROR") -> None:
        """The job ended otherwise; `line` says why, and what to do."""
        self._end_job()
        self.say(line, level)

    def _end_job(self) -> None:
        job, self.job = self.job, None
        if job is not None and job.at_end is not None:
            job.at_end()

    def _send(self, client: WorkerClient, method: str, params: dict[str, Any], on_done: Done, on_part: Done | None) -> None:
        job = self.job
        assert job is not None

        def progressed(done: int, total: int, text: str) -> None:
            job.done, job.total = done, total
            job.text = job.text if job.cancelled else text

        def ended(result: dict[str, Any]) -> None:
            job.number = None
            if job.cancelled:
                self.fail(f"{job.title}: cancelled", "CANCELLED")
            else:
                self._guarded(on_done, result)

        def part_came(part: dict[str, Any]) -> None:
            if on_part is not None and not job.cancelled:
                self._guarded(on_part, part)

        try:
            job.number = client.request(
                method, params, on_part=part_came, on_progress=progressed, on_done=ended, on_error=self._failed
            )
        except WorkerError:
            self.job = None
            raise

    def _guarded(self, callback: Done, result: dict[str, Any]) -> None:
        """Run a callback; what goes wrong in it ends the job with its line."""
        try:
            callback(result)
        except EXPECTED as error:
            if self.job is not None and self.job.number is not None and self.client is not None:
                self.client.cancel(self.job.number)
            self.fail(str(error))

    def _failed(self, fault: WorkerFault) -> None:
        title = "" if self.job is None else self.job.title
        if self.job is None:  # a part of it failed before, and has told why
            return
        if fault.code == Code.CANCELLED:
            self.fail(f"{title}: cancelled", "CANCELLED")
        elif fault.code == Code.LOST:
            self.fail(f"{fault.message}; the next click starts a new worker")
        else:
            self.fail(fault.message)

    def say(self, line: str, level: Level = "INFO") -> None:
        """Set the status line."""
        self.status, self.level = line, level
        redraw()

    def _keep_time(self) -> None:
        if not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=_BUSY_INTERVAL_S, persistent=True)

    def _has_work(self) -> bool:
        return self.job is not None or bool(self._quiet)


_session = Session()


def current() -> Session:
    """This Blender's session."""
    return _session


def busy() -> bool:
    """Whether a job runs."""
    return _session.job is not None


def redraw() -> None:
    """Let every side panel show what is new."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "IMAGE_EDITOR", "PREFERENCES"):
                area.tag_redraw()


def _tick() -> float | None:
    _session.poll()
    return _BUSY_INTERVAL_S if _session._has_work() else None


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    """Results of the old file must not land in the new one."""
    title = "" if _session.job is None else _session.job.title
    _session.end_worker()
    _session.status, _session.level = "", "INFO"
    if title:
        _session.status = f"{title}: stopped, because another file was opened; start it again in the file it belongs to"
        _session.level = "CANCELLED"


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    bpy.app.handlers.load_pre.remove(_before_load)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _session.end_worker()
    _session.status = ""
