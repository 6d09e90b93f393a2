"""Workers: every task once, shared things made once, the first failure ends all, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dnerf_core.work.made_once import MadeOnce, Making
from headless.work import workers
from headless.work.workers import TaskBoard, default_workers, preview_threads, run_tasks

GROUPS = [["a1", "a2", "a3"], [], ["b1"], ["c1", "c2"]]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_task_is_done_once(count: int) -> None:
    results = list(run_tasks(GROUPS, str.upper, count))
    assert sorted(results) == [(task, task.upper()) for group in GROUPS for task in group]


def test_a_worker_stays_with_its_group_then_starts_another_then_helps() -> None:
    board = TaskBoard(GROUPS)
    first, second, third = (board.tasks_of_a_worker() for _ in range(3))
    assert [next(first), next(second), next(first)] == [(0, "a1"), (1, "b1"), (2, "a2")]
    assert next(second) == (3, "c1")
    assert next(third) == (4, "a3")  # nothing is unstarted, so it helps with the oldest
    assert next(first) == (5, "c2")
    assert list(first) == list(second) == list(third) == []


def test_groups_are_asked_for_when_they_are_needed() -> None:
    asked = []

    def groups() -> Iterator[list[int]]:
        for number in range(100):
            asked.append(number)
            yield [number]

    results = run_tasks(groups(), abs, 2)
    next(results)
    time.sleep(0.3)
    assert len(asked) < 12, "a reader that does not read must hold the workers back"
    results.close()  # type: ignore[attr-defined]


@pytest.mark.timeout(20)
def test_results_in_order_wait_for_the_slowest_and_hold_the_others_back() -> None:
    begun: list[int] = []
    most = 0

    def work(task: int) -> int:
        nonlocal most
        begun.append(task)
        most = max(most, task)
        if task == 0:
            time.sleep(0.3)
            assert most < 3 * workers.AHEAD, "the others ran away from the first"
        return task * task

    results = list(run_tasks([range(100)], work, 3, in_order=True))
    assert results == [(task, task * task) for task in range(100)]
    assert begun[0] == 0


@pytest.mark.timeout(20)
def test_the_first_failure_is_raised_after_the_others_have_ended() -> None:
    running = []

    def work(task: int) -> int:
        if task == 3:
            raise ValueError("three")
        running.append(task)
        time.sleep(0.05)
        running.remove(task)
        return task

    with pytest.raises(ValueError, match="three"):
        list(run_tasks([[0, 1], [2, 3], [4, 5], [6] * 50], work, 3))
    assert running == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker ")]


@pytest.mark.timeout(20)
def test_a_reader_that_stops_ends_the_workers() -> None:
    """As Ctrl-C in the caller's loop does."""
    with pytest.raises(KeyboardInterrupt):
        for _ in run_tasks([range(1000)], str, 4):
            raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker ")]


def test_workers_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "usable_cores", lambda: 3)
    assert (default_workers(), preview_threads()) == (3, 2)
    monkeypatch.setattr(workers, "usable_cores", lambda: 64)
    assert default_workers() == workers.MAX_DEFAULT_WORKERS


@pytest.mark.parametrize(
    ("cores", "side_by_side", "preview"), [(1, 1, 1), (2, 2, 1), (4, 4, 3), (16, workers.MAX_DEFAULT_WORKERS, 15)]
)
def test_workers_by_cores(cores: int, side_by_side: int, preview: int) -> None:
    assert (default_workers(cores), preview_threads(cores)) == (side_by_side, preview)


class Slow(Making):
    """Counts how often it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    @MadeOnce
    def thing(self) -> int:
        """Takes a while."""
        self.made += 1
        time.sleep(0.05)
        return self.made

    @MadeOnce
    def derived(self) -> int:
        """Needs the other."""
        return 10 * self.thing


def test_an_attribute_is_made_once_by_whichever_thread() -> None:
    slow = Slow()
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(slow.derived)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [10] * 8
    assert slow.made == 1
    assert Slow.thing.__doc__ == "Takes a while."


def test_instances_do_not_wait_for_each_other() -> None:
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: Slow().thing) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 0.3  # one after the other: 0.4 s
