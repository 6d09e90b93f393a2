"""A data set from the call to the last file: views a second, and what rendering, encoding, hashing and writing cost of it.

    python benchmarks/data_sets.py [--subjects 40] [--views 10] [--size 256] [--workers N] [--depth-format exr] [--model demo-cars]

First the command itself, as a user calls it, in a process of its own: its start, loading and lists included. Then the same call in this
process, where each stage is timed by its thread: processor time, and time by the clock, of which a thread that waits for the disk
takes more. How busy the machine was with other things is printed too, because it changes every figure.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from unittest import mock

from dnerf_core.work.processor import processor_name
from headless.bench.measuring import machine_seconds

RENDERING, PNG, EXR, NPY, HASHING, WRITING, LISTS = (
    "rendering, subjects made with it", "PNG", "EXR", "NPY", "hashing", "writing: create, sync, rename", "lists, card, contact sheet",
)  # fmt: skip
REST = "the rest: start, imports, model, plan"


class Timers:
    """Seconds of the processor and of the clock by stage, from any thread; a stage inside another is counted as itself only."""

    def __init__(self) -> None:
        self.processor: dict[str, float] = defaultdict(float)
        self.clock: dict[str, float] = defaultdict(float)
        self._lock = Lock()

    def timed(self, stage: str, call: Callable[..., Any], outer: str | None = None) -> Callable[..., Any]:
        """`call`, booked under `stage`, and taken off `outer`, which it is called from."""

        def booked(*args: Any, **options: Any) -> Any:
            processor, clock = time.thread_time(), time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                self._book(stage, outer, time.thread_time() - processor, time.perf_counter() - clock)

        return booked

    def _book(self, stage: str, outer: str | None, processor: float, clock: float) -> None:
        with self._lock:
            for name, sign in ((stage, 1), (outer, -1)):
                if name is not None:
                    self.processor[name] += sign * processor
                    self.clock[name] += sign * clock


@contextmanager
def watched(timers: Timers) -> Iterator[None]:
    """Every stage is timed meanwhile."""
    import numpy as np

    from dnerf_core.files import pictures, whole
    from headless.datasets.listing import Listing
    from headless.datasets.view_writer import ViewWriter

    stages: tuple[tuple[Any, str, str, str | None], ...] = (
        (ViewWriter, "see", RENDERING, None),
        (pictures, "rgb_png", PNG, None),
        (pictures, "ids_png", PNG, None),
        (pictures, "gray16_png", PNG, None),
        (pictures, "exr_bytes", EXR, None),
        (np, "save", NPY, None),
        (pictures, "write_bytes_whole", WRITING, None),
        (hashlib, "sha256", HASHING, WRITING),
        (Listing, "write", LISTS, None),
    )
    assert whole.hashlib is hashlib
    with ExitStack() as stack:
        for owner, name, stage, outer in stages:
            stack.enter_context(mock.patch.object(owner, name, timers.timed(stage, getattr(owner, name), outer)))
        yield


def command(given: argparse.Namespace, output: Path) -> list[str]:
    """The arguments of the call."""
    words = ["render", "--model", given.model, "--seeds", f"20000-{20000 + given.subjects - 1}", "--views", str(given.views)]
    words += ["--resolution", str(given.size), "--depth-format", given.depth_format, "--device", "cpu", "-o", str(output)]
    return words + (["--workers", str(given.workers)] if given.workers else [])


def whole_call(given: argparse.Namespace, output: Path) -> None:
    """Time the command in a process of its own, and print it."""
    before, own, started = machine_seconds(), os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "headless.cli", *command(given, output)], check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - started, os.times()
    used = after.children_user + after.children_system - own.children_user - own.children_system
    everyone = machine_seconds()
    others = "" if before is None or everyone is None else f", others used {max(0.0, everyone - before - used) / seconds:.2f}"
    count = given.subjects * given.views
    print(
        f"the command: {count} views in {seconds:.1f} s, {count / seconds:.1f} a second; {used / count * 1e3:.1f} ms of processor "
        f"a view; {used / seconds:.2f} cores used{others}"
    )


def by_stage(given: argparse.Namespace, output: Path) -> None:
    """Time the same call stage by stage in this process, and print the table."""
    from headless import cli

    timers, count = Timers(), given.subjects * given.views
    with watched(timers):
        processor, started = time.process_time(), time.perf_counter()
        assert cli.run(command(given, output)) == 0
        whole, seconds = time.process_time() - processor, time.perf_counter() - started
    rendered = timers.clock[RENDERING]
    timers.processor[REST] = whole - sum(timers.processor.values())
    files = [path for path in output.glob("*/*") if path.is_file()]
    print("\n| stage | processor, ms a view | of all | clock of its thread, ms a view |\n|---|---|---|---|")
    for stage in (RENDERING, PNG, EXR, NPY, HASHING, WRITING, LISTS, REST):
        clock = f"{timers.clock[stage] / count * 1e3:.2f}" if stage in timers.clock else ""
        if stage == REST or stage in timers.clock:
            used = timers.processor[stage]
            print(f"| {stage} | {used / count * 1e3:.2f} | {used / whole:.1%} | {clock} |")
    print(f"| **all** | **{whole / count * 1e3:.1f}** | | |")
    print(
        f"\n{seconds:.1f} s; {sum(path.stat().st_size for path in files) / count / 1e3:.1f} kB a view; rendering alone would give "
        f"{count / rendered:.1f} views a second of one thread"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-cars")
    parser.add_argument("--subjects", type=int, default=40)
    parser.add_argument("--views", type=int, default=10, help="of each subject")
    parser.add_argument("--size", type=int, default=256, help="side in pixels")
    parser.add_argument("--workers", type=int, help="as of the command")
    parser.add_argument("--depth-format", choices=["exr", "npy", "png16"], default="exr")
    given = parser.parse_args()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "not told"
    print(f"{processor_name()}, {os.cpu_count()} cores; load before: {load}")
    with tempfile.TemporaryDirectory() as folder:
        whole_call(given, Path(folder) / "command")
        by_stage(given, Path(folder) / "stages")


if __name__ == "__main__":
    main()
