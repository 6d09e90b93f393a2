"""This Blender's one worker: started by the first click, heard by a timer, ended with the file.

A job is what a click asks for: one at a time, with progress, cancelled by ESC. A quiet request is what the interface asks for
beside it, such as a preview. Results arrive on Blender's main thread, in `Session.poll`; an error there ends the job with its line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import bpy

from dnerf_core.worker_protocol import Code

from .bridge.client import WorkerClient
from .bridge.errors import EXPECTED, WorkerError, WorkerFault, error_line
from .bridge.launch import worker_command
from .environments.generations import note_worker
from .feedback.alerts import alert
from .feedback.outcomes import Level, Outcomes
from .lasting.job import Job
from .lasting.showing import redraw, redraw_panels, undo_step
from .lasting.timers import Timer
from .preferences import chosen_interpreter, preferences

__all__ = ["EXPECTED", "Job", "Session", "busy", "current", "redraw", "undo_step"]

Done = Callable[[dict[str, Any]], None]
Failed = Callable[[WorkerFault], None]

_BUSY_INTERVAL_S = 0.02
_WAIT_INTERVAL_S = 0.005


class Session:
    """The worker of this Blender and what it is busy with.

    Attributes:
        job: what runs now; None: nothing.
        status, level: the status line when nothing runs.
        outcomes: the lines of each button.
    """

    def __init__(self) -> None:
        self.client: WorkerClient | None = None
        self.job: Job | None = None
        self.status = ""
        self.level: Level = "INFO"
        self.outcomes = Outcomes()
        self._quiet: dict[int, Failed] = {}

    @property
    def worker_state(self) -> str:
        """ "starting", "ready", "lost" or "stopped"."""
        return "stopped" if self.client is None else self.client.state

    def start_job(self, title: str, method: str, params: dict[str, Any], on_done: Done, *, on_part: Done | None = None) -> None:
        """Ask the worker for what a click wants; goes on at once. `on_done` may start the next step of the same job by `continue_job`.

        Raises:
            WorkerError: another job runs, or no worker can be had.
        """
        if self.job is not None:
            raise WorkerError(f"worker: expected nothing else to do, it is busy with: {self.job.title}; wait or cancel it")
        client, job = self.ready_client(), Job(title, button=self.outcomes.button)
        self._send(client, job, method, params, on_done, on_part)
        self.job = job
        self.say("")
        _timer.start()

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
        self._send(self.client, self.job, method, params, on_done, on_part)

    def ask(
        self,
        method: str,
        params: dict[str, Any],
        on_done: Done,
        *,
        on_part: Done | None = None,
        on_error: Failed,
    ) -> int:
        """A quiet request: no status line, no ESC. The worker runs already. What goes wrong, here too, is heard by `on_error`, once.

        Raises:
            WorkerError: the worker does not run.
        """
        client = self.client
        if client is None:
            raise WorkerError("worker: expected a started one, found none; press a button that needs it")

        def take(then: Done, fields: dict[str, Any]) -> None:
            def deal_with(_kind: object, error: BaseException | None, _trace: object) -> bool:
                if error is not None and self._quiet.pop(number, None) is not None:
                    client.cancel(number)
                    on_error(WorkerFault(Code.FAULT, error_line(error)))
                return isinstance(error, EXPECTED)

            if number not in self._quiet:  # an error of an earlier part has ended it
                client.discard(fields)
                return
            with ExitStack() as stack:
                stack.push(deal_with)
                then(fields)

        def ended(result: dict[str, Any]) -> None:
            take(on_done, result)
            self._quiet.pop(number, None)

        def failed(fault: WorkerFault) -> None:
            if self._quiet.pop(number, None) is not None:
                on_error(fault)

        def part_came(part: dict[str, Any]) -> None:
            take(on_part or client.discard, part)

        number = client.request(method, params, on_part=part_came, on_done=ended, on_error=failed)
        self._quiet[number] = on_error
        _timer.start()
        return number

    def ready_client(self) -> WorkerClient:
        """The worker's client; a new worker where there is none, or where the last one was lost.

        Raises:
            WorkerError: none can be started.
        """
        if self.client is None or self.client.state not in ("starting", "ready"):
            self.end_worker()
            settings = preferences()
            python = chosen_interpreter(settings)
            client = WorkerClient(worker_command(python, settings.device))
            note_worker(python, client.start())
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
        """Hear the worker; runs the callbacks. Returns the number of messages.

        An error in a callback ends the job with its line. One of `EXPECTED` goes no further; any other is a fault of the extension, and is
        raised, so that the console, or the calling script, has all of it.
        """
        if self.client is None:
            return 0
        job, state, handled = self.job, self.worker_state, 1
        with ExitStack() as stack:
            stack.push(self._deal_with)
            handled = self.client.poll() + (0 if self.job is None else self.job.take_own_step(self._cancelled))
        if handled and (job or self.job or state != self.worker_state):  # a preview's picture is no matter of the panel
            redraw_panels()
        return handled

    def wait(self, timeout_s: float) -> bool:
        """Hear the worker until nothing is to be done; False where the time was up first. For scripts, and Blender without a window,
        where no timer runs."""
        end = time.monotonic() + timeout_s
        while self.has_work:
            if time.monotonic() > end:
                return False
            if not self.poll():
                time.sleep(_WAIT_INTERVAL_S)
        return True

    def end_worker(self, *, undo_step: bool = True) -> None:
        """End the worker's process and what it was busy with; quiet requests are told that they are cancelled.

        Args:
            undo_step: whether a job that has changed the scene makes its step of undo; not where the file is being left.
        """
        client, self.client = self.client, None
        quiet, self._quiet = self._quiet, {}
        if self.job is not None and not undo_step:
            self.job.undo_step = ""
        with ExitStack() as stack:  # each of these also where another raises
            for on_error in quiet.values():
                stack.callback(on_error, WorkerFault(Code.CANCELLED, "cancelled"))
            stack.callback(self._end_job)
            if client is not None:
                stack.callback(client.stop)

    def finish(self, line: str) -> None:
        """The job went well; `line` says what came of it."""
        self._end(line, "INFO")

    def fail(self, line: str, level: Level = "ERROR") -> None:
        """The job ended otherwise; `line` says why, and what to do."""
        self._end(line, level)

    def say(self, line: str, level: Level = "INFO") -> None:
        """Set the status line, and that of the button that is being pressed, or whose job it is; errors are shown by `alert` besides."""
        self.status, self.level = line, level
        self.outcomes.note(line, level)
        if level == "ERROR":
            alert(line)
        redraw()

    def break_off(self, error: BaseException) -> None:
        """End the job, if any, with the line of an error."""
        job = self.job
        if job is not None and job.number is not None and self.client is not None:
            self.client.cancel(job.number)
        self.fail(error_line(error, "" if job is None else job.title))

    @property
    def has_work(self) -> bool:
        """Whether anything has been asked for that has not ended."""
        return self.job is not None or bool(self._quiet)

    def _end(self, line: str, level: Level) -> None:
        button = self.outcomes.button if self.job is None else self.job.button
        try:
            self._end_job()
        finally:  # or the status would be that of the job before
            with self.outcomes.pressed(button):
                self.say(line, level)

    def _end_job(self) -> None:
        job, self.job = self.job, None
        if job is None:
            return
        if job.at_end is not None:
            job.at_end()
        if job.undo_step:
            undo_step(job.undo_step)

    def _deal_with(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is not None:
            self.break_off(error)
        return isinstance(error, EXPECTED)

    def _send(
        self, client: WorkerClient, job: Job, method: str, params: dict[str, Any], on_done: Done, on_part: Done | None
    ) -> None:
        """Send a request of a job. What comes after the job has ended, such as parts of a cancelled one, is let go."""

        def progressed(done: int, total: int, text: str) -> None:
            job.done, job.total = done, total
            job.text = job.text if job.cancelled else text

        def ended(result: dict[str, Any]) -> None:
            job.number = None
            if self.job is not job or job.cancelled:
                client.discard(result)
                self._cancelled(job)
            else:
                on_done(result)

        def part_came(part: dict[str, Any]) -> None:
            if on_part is None or self.job is not job or job.cancelled:
                client.discard(part)
            else:
                on_part(part)

        def failed(fault: WorkerFault) -> None:
            job.number = None
            if fault.code == Code.CANCELLED:
                self._cancelled(job)
            elif self.job is job:
                self.fail(fault.message)

        job.number = client.request(method, params, on_part=part_came, on_progress=progressed, on_done=ended, on_error=failed)

    def _cancelled(self, job: Job) -> None:
        """The worker has let go of it; a job that has ended already has said why."""
        if self.job is job:
            self.fail(f"{job.title}: cancelled", "CANCELLED")


_session = Session()


def current() -> Session:
    """This Blender's session."""
    return _session


def busy() -> bool:
    """Whether a job runs."""
    return _session.job is not None


def _tick() -> float | None:
    _session.poll()
    return _BUSY_INTERVAL_S if _session.has_work else None


_timer = Timer(_tick, _BUSY_INTERVAL_S, on_error=lambda error: None)  # `poll` has ended the job with the error's line


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    """Results of the old file must not land in the new one."""
    title = "" if _session.job is None else _session.job.title
    _session.end_worker(undo_step=False)
    _session.status, _session.level = "", "INFO"
    _session.outcomes.forget()
    if title:
        _session.status = f"{title}: stopped, because another file was opened; start it again in the file it belongs to"
        _session.level = "CANCELLED"


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    bpy.app.handlers.load_pre.remove(_before_load)
    _session.end_worker(undo_step=False)
    _session.status = ""
