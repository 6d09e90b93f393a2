"""Whether the threads and workers that are chosen on so many cores are the best of the candidates: demo views, milliseconds each.

    python benchmarks/threads.py                # on 1, 2, 4... cores, as many as there are

Each number of cores is a process of its own that is bound to them, as `taskset` does, before torch is loaded. The candidates take turns of
a few views, and of each the fastest turn counts, since other programs can only make one slower.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable

from dnerf_core import prepare_torch

VIEWS = 8
ROUNDS = 12


def candidates(cores: int) -> list[int]:
    """Half as many as cores, as many, and twice as many."""
    return sorted({max(1, cores // 2), cores, 2 * cores})


def measure(cores: int) -> None:
    """Print the two rows of so many cores: a view alone by its threads, and views side by side by their workers."""
    prepare_torch()
    import torch

    from dnerf_core import Model, arc_cameras
    from headless.models import one_thread_a_view, threads_a_view
    from headless.work.workers import default_workers, run_tasks

    model = Model.load("demo-cars")
    subject = model.subject(0)
    cameras = arc_cameras(model.config.cameras, (-60.0, 60.0), count=VIEWS)

    def alone(threads: int) -> None:
        with threads_a_view(threads):
            for camera in cameras:
                subject.render(camera, 256)

    def side_by_side(workers: int) -> None:
        with one_thread_a_view():
            list(run_tasks([cameras], lambda camera: subject.render(camera, 256), workers))

    chosen_threads = torch.get_num_threads()
    alone(1)
    row(f"{cores} | a view alone, by threads", alone, cores, chosen_threads)
    row(f"{cores} | side by side, by workers", side_by_side, cores, default_workers())


def row(name: str, render: Callable[[int], None], cores: int, chosen: int) -> None:
    """Time every candidate in turn, since a machine's speed drifts, and print them with what is chosen."""
    seconds = dict.fromkeys(sorted({*candidates(cores), chosen}), math.inf)
    for _ in range(ROUNDS):
        for count in seconds:
            began = time.perf_counter()
            render(count)
            seconds[count] = min(seconds[count], (time.perf_counter() - began) / VIEWS)
    cells = ", ".join(f"{count}: {1e3 * time_s:.1f}" for count, time_s in seconds.items())
    print(f"| {name} | {cells} | {chosen} | {seconds[chosen] / min(seconds.values()):.2f} |", flush=True)


def main() -> None:
    """One process for each number of cores; `--cores` is that of one such process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, help="measure in this process, bound to so many cores")
    arguments = parser.parse_args()
    usable = sorted(os.sched_getaffinity(0))
    if arguments.cores is not None:
        os.sched_setaffinity(0, usable[: arguments.cores])
        measure(arguments.cores)
        return
    print("| cores | what | ms a view | chosen | times the best |\n|---|---|---|---|---|", flush=True)
    cores = 1
    while cores <= len(usable):
        subprocess.run([sys.executable, __file__, "--cores", str(cores)], check=True)
        cores *= 2


if __name__ == "__main__":
    main()
