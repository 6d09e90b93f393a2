"""The actors of one command: who makes which subject, and what becomes of it when one dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import ray

from dnerf_core import __version__
from dnerf_core.errors import DNeRFError
from headless.cluster.actor import ActorWork, SubjectActor
from headless.datasets.view_writer import MadeView
from headless.work.reporting import Reporter

MAX_TRIES = 3
"""Actors that may die in one subject, or one after the other while they start, before the job is given up."""
START_PATIENCE_S = 60.0
"""Then it is told that no actor has started yet."""


@dataclass
class Subject:
    """A subject, the views of it that have not been told of yet, and how many actors have died in it."""

    seed: int
    left: set[str]
    deaths: int = 0


class Crew:
    """The actors of one command and what each is doing: starting, idle, or making a subject."""

    def __init__(self, work: ActorWork, subjects: Iterator[Subject], size: int, gpu: bool, reporter: Reporter) -> None:
        """Args:
        size: how many actors.
        gpu: whether each has a GPU of its own; else it has a core.
        """
        # an actor whose process dies is never started again by Ray, so that this class alone knows what was lost with it
        needs = {"num_gpus": 1, "num_cpus": 0} if gpu else {"num_cpus": 1}
        self._actor_class: Any = ray.remote(SubjectActor).options(max_restarts=0, max_task_retries=0, **needs)
        self._work, self._work_ref = work, ray.put(work)
        self._fresh, self._again, self._size, self._reporter = subjects, deque[Subject](), size, reporter
        self._starting: dict[Any, tuple[Any, Any]] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Subject]] = {}
        self._deaths_while_starting = 0
        self._patience_s: float | None = START_PATIENCE_S

    def views(self) -> Generator[MadeView, None, None]:
        """Every view of every subject, as they get done.

        Raises:
            DNeRFError: what an actor raised; or actors die again and again.
        """
        try:
            for _ in range(self._size):
                self._start()
            while self._hand_out():
                for done in self._next_done():
                    if done in self._starting:
                        self._take_started(done)
                    else:
                        yield from self._take_view(done)
        finally:
            for actor in self._actors():
                ray.kill(actor)

    def _actors(self) -> list[Any]:
        return [*(actor for actor, _ in [*self._starting.values(), *self._busy.values()]), *self._idle]

    def _start(self) -> None:
        actor = self._actor_class.remote()
        checked = actor.check_version.remote(__version__)
        self._starting[actor.open.remote(self._work_ref)] = actor, checked

    def _hand_out(self) -> bool:
        """Give each idle actor a subject; returns whether any subject is being made or waits for an actor."""
        while self._idle or not self._busy:
            subject = self._again.popleft() if self._again else next(self._fresh, None)
            if subject is None:
                break
            if not self._idle:
                self._again.appendleft(subject)
                return True
            actor = self._idle.pop()
            views = actor.make.options(num_returns="streaming").remote(subject.seed, frozenset(subject.left))
            self._busy[views] = actor, subject
        return bool(self._busy)

    def _next_done(self) -> list[Any]:
        """What has been started, or has a view or its end to tell; waits for one."""
        pending = [*self._starting, *self._busy]
        patience_s = None if self._busy else self._patience_s
        done, _ = ray.wait(pending, num_returns=1, timeout=patience_s)
        if not done:
            self._patience_s = None
            self._reporter.warning(
                f"no actor has started in {patience_s:g} s: the cluster's cores or GPUs are in use or its nodes are slow; still waiting"
            )
            return []
        # all that are done by now, so that none waits for a busier one
        return ray.wait(pending, num_returns=len(pending), timeout=0)[0] or done

    def _take_started(self, opened: Any) -> None:
        actor, checked = self._starting.pop(opened)
        try:
            ray.get(checked)
            ray.get(opened)
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from error
        except ray.exceptions.RayError as error:
            self._deaths_while_starting += 1
            if self._deaths_while_starting == MAX_TRIES:
                raise DNeRFError(
                    f"--engine ray: expected actors to start, {MAX_TRIES} ended one after the other, the last because "
                    f"{_reason(error)}; look at the nodes' datasetnerf, memory and Ray's logs, then repeat the command"
                ) from error
            self._reporter.warning(f"an actor died while it started, another one is started: {_reason(error)}")
            ray.kill(actor)
            self._start()
        else:
            self._deaths_while_starting = 0
            self._idle.append(actor)

    def _take_view(self, views: Any) -> Iterator[MadeView]:
        actor, subject = self._busy[views]
        try:
            made_view: MadeView = ray.get(next(views))
        except StopIteration:
            del self._busy[views]
            self._idle.append(actor)
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from error
        except ray.exceptions.RayError as error:
            del self._busy[views]
            ray.kill(actor)
            self._lose(subject, error)
            self._start()
        else:
            subject.left.discard(made_view.view.name)
            yield made_view

    def _lose(self, subject: Subject, error: Exception) -> None:
        """An actor has died in a subject: what is left of it waits for another one."""
        subject.deaths += 1
        if subject.deaths == MAX_TRIES:
            raise DNeRFError(
                f"subject {subject.seed}: expected an actor to make it, {MAX_TRIES} died in it one after the other, the last because "
                f"{_reason(error)}; look at the nodes' memory and Ray's logs, then repeat the command, which keeps what is done"
            ) from error
        self._reporter.warning(f"subject {subject.seed}: the actor that made it died, another one goes on: {_reason(error)}")
        self._again.append(subject)


def _cause(error: ray.exceptions.RayTaskError) -> BaseException:
    """What was raised in the actor, as it was."""
    return error.cause if isinstance(error.cause, BaseException) else error


def _reason(error: Exception) -> str:
    """What Ray knows of a death, on one line without its advice."""
    text = str(error).strip().splitlines()[-1].partition(" Some common causes")[0]
    return text.removeprefix("The actor is dead because ").rstrip(".")
