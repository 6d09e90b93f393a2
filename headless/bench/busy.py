"""What other programs at work cost a view: the demo's, labelled, on a quiet machine and with busy processes on it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from dnerf_core.camera import arc_cameras
from dnerf_core.model import Model
from dnerf_core.subject import ALL_CHANNELS
from headless.bench.measuring import machine_seconds, timed

VIEWS = 100
SIZE_PX = 256
_WARM_VIEWS = 10
_SETTLE_S = 0.3
_ENDS_WITH_ITS_PARENT = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
print(flush=True)
while True:
    pass
"""


@dataclass(frozen=True)
class ViewTimes:
    """Seconds of views: the median and the slowest."""

    median_s: float
    slowest_s: float

    @classmethod
    def of_views(cls, seconds: list[float]) -> ViewTimes:
        """Of so many views' seconds."""
        return cls(statistics.median(seconds), max(seconds))


@dataclass(frozen=True)
class BusyMeasured:
    """The times of `VIEWS` views of one subject each.

    Attributes:
        processes: busy ones.
        quiet: half of them before the busy ones and half after, since a machine's speed drifts.
        busy: with the busy processes at work.
        others_cores: cores' worth of time that other programs took during the quiet views; None where the system does not tell.
    """

    processes: int
    quiet: ViewTimes
    busy: ViewTimes
    others_cores: float | None

    @property
    def median_ratio(self) -> float:
        """How many times longer the median view takes."""
        return self.busy.median_s / self.quiet.median_s

    @property
    def slowest_ratio(self) -> float:
        """How many times the quiet median the slowest view takes."""
        return self.busy.slowest_s / self.quiet.median_s


@contextmanager
def busy_processes(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes at work, each of which takes all that a core gives it; they end with the block, or with this process."""
    command = [sys.executable, "-I", "-S", "-c", _ENDS_WITH_ITS_PARENT]
    pipe, processes = subprocess.PIPE, list[subprocess.Popen[bytes]]()
    try:
        processes += [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) for _ in range(count)]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def measure_busy(model: Model, processes: int, progress: Callable[[], None]) -> BusyMeasured:
    """Time `VIEWS` views of a quiet machine and as many beside busy processes.

    Args:
        model: whose subject 0 is seen, in all channels at `SIZE_PX`.
        progress: called after each of the 2 * `VIEWS` views.
    """
    subject = model.subject(0)
    cameras = arc_cameras(model.config.cameras, (-60.0, 60.0), count=VIEWS)

    def seconds(first: int, last: int) -> list[float]:
        found: list[float] = []
        for camera in cameras[first:last]:
            found.append(timed(partial(subject.channels, camera, SIZE_PX, ALL_CHANNELS), model.device)[1])
            progress()
        return found

    for camera in cameras[:_WARM_VIEWS]:
        subject.channels(camera, SIZE_PX, ALL_CHANNELS)
    before, others_before = _counting_others(lambda: seconds(0, VIEWS // 2))
    with busy_processes(processes):
        time.sleep(_SETTLE_S)
        busy = seconds(0, VIEWS)
    time.sleep(_SETTLE_S)
    after, others_after = _counting_others(lambda: seconds(VIEWS // 2, VIEWS))
    others = None if others_before is None or others_after is None else (others_before + others_after) / 2
    return BusyMeasured(processes, ViewTimes.of_views(before + after), ViewTimes.of_views(busy), others)


def _counting_others(call: Callable[[], list[float]]) -> tuple[list[float], float | None]:
    """What a call gives, and how many cores' worth of time other processes took meanwhile; None where the system does not tell."""
    began, own, everyone = time.perf_counter(), time.process_time(), machine_seconds()
    result = call()
    seconds, own_after, everyone_after = time.perf_counter() - began, time.process_time(), machine_seconds()
    if everyone is None or everyone_after is None:
        return result, None
    return result, max(0.0, (everyone_after - everyone - (own_after - own)) / seconds)
