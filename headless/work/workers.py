"""Threads that render views side by side: which view each takes next, and how a failure or Ctrl-C ends them all.

A view is computed by one thread from start to end, so results do not depend on how many threads there are. The engine computes outside
Python's lock.
"""

from __future__ import annotations

import itertools
import queue
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import copy_context
from threading import Event, Lock, Semaphore, Thread
from typing import Generic, TypeVar

from dnerf_core.work.cores import usable_cores

T = TypeVar("T")
R = TypeVar("R")

MAX_DEFAULT_WORKERS = 8
"""By default. Each may hold a subject of its own, 0.3 GB at full size, and past this many Python's own lock is what they wait for."""

AHEAD = 3
"""Tasks a worker may be ahead of the reader of the results."""


def default_workers(cores: int | None = None) -> int:
    """A thread for each core, up to `MAX_DEFAULT_WORKERS`; None: for each that this process may use."""
    return min(usable_cores() if cores is None else cores, MAX_DEFAULT_WORKERS)


def preview_threads(cores: int | None = None) -> int:
    """The cores but one, which the worker's client draws with: threads that wait for a core that is taken make a view many times slower."""
    return max(1, (usable_cores() if cores is None else cores) - 1)


class TaskBoard(Generic[T]):
    """Hands out tasks. A worker stays with its group; then it takes the next group that nobody has started; then it helps with others'."""

    def __init__(self, groups: Iterable[Iterable[T]]) -> None:
        """groups: of tasks that share what is made once; each is asked for when a worker starts it."""
        self._fresh = iter(groups)
        self._running: list[deque[T]] = []
        self._numbers = itertools.count()
        self._lock = Lock()

    def tasks_of_a_worker(self) -> Iterator[tuple[int, T]]:
        """The tasks of one worker, until none is left, each with its number in the order in which they were handed out."""
        own: deque[T] | None = None
        while True:
            with self._lock:
                if not own:
                    own = self._next_group()
                if own is None:
                    return
                task, number = own.popleft(), next(self._numbers)
                if not own:
                    self._running = [group for group in self._running if group is not own]
            yield number, task

    def _next_group(self) -> deque[T] | None:
        for tasks in self._fresh:
            group = deque(tasks)
            if group:
                self._running.append(group)
                return group
        return self._running[0] if self._running else None


def run_tasks(
    groups: Iterable[Iterable[T]], work: Callable[[T], R], workers: int, *, in_order: bool = False
) -> Generator[tuple[T, R], None, None]:
    """Every task with its result, as they get done by `workers` threads; or, `in_order`, as they were handed out.

    The first failure is raised here after every worker has ended its task; so is whatever ends the loop over the results, such as
    Ctrl-C. No more than `AHEAD` tasks a worker are begun and not yet taken by the reader, so a slow one holds the workers back.
    """
    board, stop, places = TaskBoard(groups), Event(), Semaphore(AHEAD * workers)
    done: queue.SimpleQueue[tuple[int, T, R] | BaseException | None] = queue.SimpleQueue()

    def serve() -> None:
        try:
            tasks = board.tasks_of_a_worker()
            while places.acquire() and not stop.is_set():
                taken = next(tasks, None)
                if taken is None:
                    break
                number, task = taken
                done.put((number, task, work(task)))
        except BaseException as error:  # whatever it is goes to the caller's thread, which raises it
            done.put(error)
        else:
            done.put(None)

    # each with the caller's context, so that what interrupts the caller's computations interrupts theirs
    contexts = [copy_context() for _ in range(workers)]
    threads = [
        Thread(target=context.run, args=(serve,), name=f"worker {number}", daemon=True) for number, context in enumerate(contexts)
    ]
    for thread in threads:
        thread.start()
    early: dict[int, tuple[T, R]] = {}
    following = 0
    try:
        left = workers
        while left:
            result = done.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                left -= 1
                places.release()  # the place of the task that there was not
                continue
            number, task, value = result
            early[number if in_order else following] = task, value
            while following in early:
                yield early.pop(following)
                following += 1
                places.release()
    finally:
        stop.set()
        places.release(workers)
        for thread in threads:
            thread.join()
