"""Steps made side by side, each in a process of its own with its share of the cores.

On a CPU two steps of one thread each are done sooner than one after the other with two threads, other work on the machine holds them up
less, and what they make does not depend on how many cores there are. A process also keeps Ctrl-C from a training, which would end with
what it has so far and pass for a whole one: steps are ended instead, and go on with the next call.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.family import named
from dnerf_core.errors import DNeRFError, OutputError
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from headless.reproducing.steps import Step

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Account:
    """What a step's process says of it.

    Attributes:
        seconds: by the clock.
        warnings: what its run told.
    """

    seconds: float
    warnings: tuple[str, ...]


class Heard(Reporter):
    """The voice of a step: its warnings are kept, all else is for nobody."""

    def __init__(self) -> None:
        super().__init__(as_json=False)
        self.warnings: list[str] = []

    def event(self, kind: str, **fields: Any) -> None:
        return None

    def start(self, text: str, **fields: Any) -> None:
        return None

    def warning(self, message: str, **fields: Any) -> None:
        self.warnings.append(message)

    def summary(self, lines: Sequence[str], **fields: Any) -> None:
        return None

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[], None]]:
        yield lambda: None


class _Maker:
    """A process that makes steps, one after the other."""

    def __init__(self, threads: int) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads))
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the connection

    def ask(self, run: str, call: Any) -> None:
        """Have it make one step."""
        self.connection.send((run, call))

    def answer(self) -> Account:
        """What it says of the step, which is done or has failed."""
        try:
            found: Account | DNeRFError = self.connection.recv()
        except EOFError as error:
            self._process.join()
            raise OutputError(
                f"expected a process that makes steps, found it ended with code {self._process.exitcode}, perhaps for want of memory; "
                "repeat the call, which goes on from here"
            ) from error
        if isinstance(found, DNeRFError):
            raise found
        return found

    def end(self) -> None:
        """End it, at work or not."""
        self._process.terminate()
        self._process.join()
        self.connection.close()


def made_side_by_side(
    steps: Sequence[Step], run_and_call: Callable[[Step], tuple[str, Any]], processes: int, threads: int
) -> Iterator[tuple[Step, Account]]:
    """Every step with what its process says of it, as they get done; one begins when those that it takes are done.

    Args:
        steps: each after those that it takes; those that it takes and that are not among them are done.
        run_and_call: of a step the name of its run, "module:function", and its call.
        processes: how many steps are made at once.
        threads: of each.

    Raises:
        DNeRFError: the first step's that fails; the others that are at work are ended.
        OutputError: a process was ended from outside.
    """
    waiting, ahead = list(steps), {step.key for step in steps}
    idle = [_Maker(threads) for _ in range(min(processes, len(waiting)))]
    makers, running = tuple(idle), dict[Connection, tuple[_Maker, "Step"]]()
    try:
        while waiting or running:
            while idle and (step := _ready(waiting, ahead)) is not None:
                waiting.remove(step)
                maker = idle.pop()
                maker.ask(*run_and_call(step))
                running[maker.connection] = maker, step
            for heard in connection.wait(list(running)):
                assert isinstance(heard, Connection)
                maker, step = running.pop(heard)
                account = maker.answer()
                idle.append(maker)
                ahead.discard(step.key)
                yield step, account
    finally:
        for maker in makers:
            maker.end()


def make(run: str, call: Any) -> Account:
    """Make one step, in the process that calls this."""
    heard, started = Heard(), time.monotonic()
    named(run)(call, heard)
    return Account(round(time.monotonic() - started, 3), tuple(heard.warnings))


def _ready(waiting: Sequence[Step], ahead: set[str]) -> Step | None:
    """The first step whose parents are done."""
    return next((step for step in waiting if not any(parent.key in ahead for parent in step.parents)), None)


def _serve(caller: Connection, threads: int) -> None:
    """Make steps until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)
    while True:
        try:
            run, call = caller.recv()
        except EOFError:
            return
        try:
            caller.send(make(run, call))
        except DNeRFError as error:
            caller.send(error)


def _end_with_parent() -> None:
    """End this process when the one that began it has been killed: what it makes would be nobody's, and its folder held."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
