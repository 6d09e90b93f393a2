"""How a labelled view's time grows: with views a subject, resolution, samples, classes, views in one convolution, and processes.

    python benchmarks/growth.py [--model full-size|demo] [--only NAME ...]

One factor at a time, the others as they are by default: all channels, 10 views a subject, its making included and shared out. Prints rows
of a table: the factor's value, milliseconds a view (median of the rounds), and peak resident memory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator

import torch

from dnerf_core.camera import arc_cameras
from dnerf_core.model import Model
from headless.bench.measuring import peak_mb, start_peak
from headless.bench.models import full_size_model
from headless.models import load_model

ROUNDS = 3
CPU = torch.device("cpu")

Row = tuple[str, float, float | None]


def make_model(name: str, **rays: int) -> Model:
    """The benchmark's model; `rays` only of the full-size one."""
    return load_model("demo-cars", "cpu") if name == "demo" else full_size_model(CPU, **rays)


def view_ms(model: Model, views: int = 10, size_px: int | None = None, rounds: int = ROUNDS) -> tuple[float, float | None]:
    """Milliseconds a view when a subject is seen `views` times, and the peak memory in MiB."""
    times = []
    model.subject(99).render(arc_cameras(model.config.cameras, (0.0, 0.0), count=1)[0], size_px)
    start_peak(CPU)
    for seed in range(rounds):
        subject = model.subject(seed)
        began = time.perf_counter()
        for camera in arc_cameras(model.config.cameras, (-30.0, 30.0), count=views):
            subject.render(camera, size_px)
        times.append((time.perf_counter() - began) / views * 1e3)
    return statistics.median(times), peak_mb(CPU)


def by_views(name: str) -> Iterator[Row]:
    """Views a subject."""
    model = make_model(name)
    for views in (1, 2, 5, 10, 30, 100):
        yield f"{views}", *view_ms(model, views, rounds=1 if views > 10 else ROUNDS)


def by_size(name: str) -> Iterator[Row]:
    """Side of the pictures that are handed out, in pixels; the network's own is the same."""
    model = make_model(name)
    for size in (64, 128, 256, 512, 1024):
        yield f"{size}", *view_ms(model, size_px=size)


def by_neural_resolution(name: str) -> Iterator[Row]:
    """Rays a side."""
    for resolution in (32, 64, 96, 128):
        yield f"{resolution}", *view_ms(make_model(name, neural_resolution=resolution))


def by_samples(name: str) -> Iterator[Row]:
    """Coarse and fine samples a ray."""
    for count in (12, 24, 48, 96):
        yield f"{count} + {count}", *view_ms(make_model(name, samples_coarse=count, samples_fine=count))


def by_classes(name: str) -> Iterator[Row]:
    """Classes with background."""
    for classes in (2, 8, 20, 35, 100):
        yield f"{classes}", *view_ms(full_size_model(CPU, num_parts=classes - 1))


def by_batch(name: str) -> Iterator[Row]:
    """Views in one call of the super-resolution, the one stage that could take several; time of that stage alone."""
    model = make_model(name)
    prepared = model.subject(0).superresolution
    channels, side = model.config.backbone.plane_channels, model.config.rays.neural_resolution
    for batch in (1, 2, 4, 8):
        features = torch.randn(batch, channels, side, side).contiguous(memory_format=torch.channels_last)
        times = []
        with torch.no_grad():
            for _ in range(ROUNDS + 1):
                began = time.perf_counter()
                prepared(features)
                times.append((time.perf_counter() - began) / batch * 1e3)
        yield f"{batch}", statistics.median(times[1:]), None


def by_workers(name: str) -> Iterator[Row]:
    """Processes side by side, and threads in each; milliseconds are of the wall, shared out over all their views."""
    cores = torch.get_num_threads()
    layouts = sorted({(1, 1), (1, cores), (cores, 1), (2 * cores, 1)})
    spawn = multiprocessing.get_context("spawn")
    for processes, threads in layouts:
        ready, go = spawn.Barrier(processes + 1), spawn.Barrier(processes + 1)
        workers = [spawn.Process(target=_work, args=(name, threads, number, ready, go)) for number in range(processes)]
        for worker in workers:
            worker.start()
        ready.wait()
        began = time.perf_counter()
        go.wait()
        for worker in workers:
            worker.join()
        seconds = time.perf_counter() - began
        yield f"{processes} x {threads} threads", seconds / (processes * _SUBJECTS[name] * 10) * 1e3, None


_SUBJECTS = {"demo": 8, "full-size": 1}


def _work(name: str, threads: int, number: int, ready: object, go: object) -> None:
    torch.set_num_threads(threads)
    model = make_model(name)
    cameras = arc_cameras(model.config.cameras, (-30.0, 30.0), count=10)
    model.subject(99).render(cameras[0])
    ready.wait()  # type: ignore[attr-defined]
    go.wait()  # type: ignore[attr-defined]
    for seed in range(_SUBJECTS[name]):
        subject = model.subject(1000 * number + seed)
        for camera in cameras:
            subject.render(camera)


FACTORS: dict[str, tuple[str, Callable[[str], Iterator[Row]], bool]] = {
    "views": ("views a subject", by_views, True),
    "size": ("picture side, pixels", by_size, True),
    "neural": ("rays a side", by_neural_resolution, False),
    "samples": ("samples a ray", by_samples, False),
    "classes": ("classes", by_classes, False),
    "batch": ("views a call of the super-resolution (that stage alone)", by_batch, True),
    "workers": ("processes", by_workers, True),
}
"""What is varied, how, and whether the demo can vary it."""


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["full-size", "demo"], default="full-size")
    parser.add_argument("--only", nargs="+", choices=list(FACTORS), default=list(FACTORS))
    arguments = parser.parse_args()
    for factor in arguments.only:
        title, rows, on_demo = FACTORS[factor]
        if arguments.model == "demo" and not on_demo:
            continue
        print(f"\n| {title} | ms a view | peak MB |\n|---|---|---|")
        for value, milliseconds, peak in rows(arguments.model):
            print(f"| {value} | {milliseconds:.1f} | {'' if peak is None else f'{peak:.0f}'} |", flush=True)


if __name__ == "__main__":
    main()
