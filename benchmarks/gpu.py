"""What a machine with a GPU is to be asked, in one go of at most 8 minutes, as one table.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cpu --quick     # shows that it runs; a CPU's figures answer nothing

Parity: the exact views of the device against the CPU's. Agreement: its fast views against its exact ones. Waits: how often torch itself
says that the host waited for the device in a view, and once more for the view's own download. Speeds: labelled views (picture, mask,
depth) as arrays on the host, nothing encoded or written, the making of subjects included. Full-size and PanoHead models have weights from
a formula, whose field is fog: the slowest there is. Labels that a branch is trained on are the model's own; the picture that is inverted
is a view of it.

A row that was not measured says why. The exit code is 1 where a goal was missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.inversion.invert import invert_picture
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.model import Model
from dnerf_core.semantic.config import BranchTrainingConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch
from headless.bench.claims import Difference, difference
from headless.bench.measuring import peak_mb, start_peak, timed
from headless.bench.models import EMBEDDED, bench_model
from headless.models import pick_device

MINUTES = 8.0
VIEWS_A_SECOND, PAIRS_A_MINUTE, MAX_GB, MAX_WAITS = 300.0, 10_000.0, 6.0, 3
VIEWS_A_SUBJECT = 10
LEAST_LABELS, LEAST_DB = 0.998, 42.0
"""Of the embedded models; in fog labels are near ties, and pictures are measured without a goal."""


@dataclass(frozen=True)
class Row:
    """A line of the table; `met` is None where there is no goal, or none for this device."""

    what: str
    found: str
    goal: str = ""
    met: bool | None = None


@dataclass
class Run:
    """One call: where it runs, how much of everything, and the models it has loaded."""

    device: torch.device
    quick: bool
    models: dict[str, Model] = field(default_factory=dict)

    @property
    def is_gpu(self) -> bool:
        """Whether goals are judged."""
        return self.device.type == "cuda"

    def model(self, name: str) -> Model:
        """A model of `headless.bench.models` on the device."""
        if name not in self.models:
            self.models[name] = bench_model(name, self.device)
        return self.models[name]

    def count(self, usual: int, quick: int) -> int:
        """How many of something."""
        return quick if self.quick else usual

    def judged(self, met: bool) -> bool | None:
        """Whether a goal of a GPU is met; None on a CPU."""
        return met if self.is_gpu else None


def cameras_of(model: Model, count: int) -> list[Camera]:
    """Cameras about the front."""
    return arc_cameras(model.config.cameras, (-30.0, 30.0), count=count)


def in_words(apart: Difference) -> str:
    """A difference in words."""
    labels = "" if apart.agreement is None else f"{apart.agreement:.3%} of labels, "
    psnr = "" if apart.psnr_db is None else f"{apart.psnr_db:.1f} dB, "
    return f"{labels}{psnr}depth {0 if apart.depth_error is None else apart.depth_error:.4%}"


def judged_difference(run: Run, what: str, apart: Difference) -> Row:
    """A row of a difference that has the embedded models' goal."""
    assert apart.agreement is not None
    assert apart.psnr_db is not None
    met = apart.agreement >= LEAST_LABELS and apart.psnr_db >= LEAST_DB
    return Row(what, in_words(apart), f"{LEAST_LABELS:.1%}, {LEAST_DB:.0f} dB", met)


def parity(run: Run, name: str) -> Iterator[Row]:
    """Exact views of the device against the CPU's."""
    there, here = run.model(name), bench_model(name, "cpu")
    pairs = [
        tuple(model.subject(seed).channels(camera, exact=True) for model in (here, there))
        for seed in range(run.count(2, 1))
        for camera in cameras_of(here, run.count(2, 1))
    ]
    sides = "device against CPU" if run.is_gpu else "the CPU against itself"
    yield judged_difference(run, f"parity, {name}: exact, {sides}", difference(pairs, here.config.box_side))  # type: ignore[arg-type]


def agreement(run: Run, name: str) -> Iterator[Row]:
    """Fast views against exact ones."""
    model, pairs = run.model(name), []
    for seed in range(run.count(2, 1)):
        subject = model.subject(seed)
        pairs += [
            (subject.channels(camera, exact=True), subject.channels(camera)) for camera in cameras_of(model, run.count(3, 1))
        ]
    apart, what = difference(pairs, model.config.box_side), f"agreement, {name}: fast against exact"
    yield judged_difference(run, what, apart) if name in EMBEDDED else Row(what, in_words(apart))


def waits(run: Run, name: str) -> Iterator[Row]:
    """What torch says of the host's waits in a further view."""
    what = f"waits a view, {name}"
    if not run.is_gpu:
        yield Row(what, "not measured: no CUDA device; tests/device counts them without one")
        return
    model = run.model(name)
    subject, camera = model.subject(1), cameras_of(model, 1)[0]
    subject.channels(camera)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            subject.channels(camera)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found = 1 + sum("synchroniz" in str(warning.message) for warning in caught)
    yield Row(what, f"{found}, the download among them", f"{MAX_WAITS}", found <= MAX_WAITS)


def speed(run: Run, name: str) -> Iterator[Row]:
    """Labelled views a second, and the memory that they take."""
    model = run.model(name)
    cameras, size_px = cameras_of(model, VIEWS_A_SUBJECT), model.config.image_size
    model.subject(100).render(cameras[0])
    start_peak(run.device)
    subjects = run.count(20 if run.is_gpu else 2, 1)

    def views() -> None:
        for seed in range(subjects):
            subject = model.subject(seed)
            for camera in cameras:
                subject.render(camera)

    _, seconds = timed(views, run.device)
    rate, memory = subjects * VIEWS_A_SUBJECT / seconds, peak_mb(run.device)
    has_goal = name == "full-size"
    yield Row(
        f"labelled views a second at {size_px}, {name}, {VIEWS_A_SUBJECT} a subject",
        f"{rate:.1f}",
        f"{VIEWS_A_SECOND:.0f}" if has_goal else "",
        run.judged(rate >= VIEWS_A_SECOND) if has_goal else None,
    )
    gigabytes = math.nan if memory is None else memory / 1024
    yield Row(f"memory of that, {name}, GB", f"{gigabytes:.2f}", f"{MAX_GB:.0f}", run.judged(gigabytes < MAX_GB))


def pairs_a_minute(run: Run, name: str) -> Iterator[Row]:
    """Pairs of a picture and a mask, each of a subject of its own."""
    model = run.model(name)
    [camera] = cameras_of(model, 1)
    model.subject(100).channels(camera, channels=("rgb", "mask"))
    count = run.count(200 if run.is_gpu else 10, 3)

    def pairs() -> None:
        for seed in range(count):
            model.subject(seed).channels(camera, channels=("rgb", "mask"))

    _, seconds = timed(pairs, run.device)
    rate = 60 * count / seconds
    yield Row(
        f"pairs in 60 s, {name}, from {count}", f"{rate:,.0f}", f"{PAIRS_A_MINUTE:,.0f}", run.judged(rate >= PAIRS_A_MINUTE)
    )


def training(run: Run) -> Iterator[Row]:
    """The branch of the demo, trained anew on masks that the model itself gives."""
    model = run.model("demo")
    assert model.branch is not None
    subjects, steps = run.count(8, 2), run.count(100, 4)
    with torch.no_grad():
        ws = torch.cat([model.subject(seed).ws for seed in range(subjects)])
    views = []
    for index, camera in enumerate(cameras_of(model, subjects)):
        mask = model.subject(index).channels(camera, channels=("mask",)).mask
        assert mask is not None
        views.append(AnnotatedView(index, camera.cam2world, camera.intrinsics, mask))
    config = BranchTrainingConfig(steps=steps, seed=0)
    start_peak(run.device)
    trained, seconds = timed(lambda: train_branch(model.generator, ws, views, model.branch.config, config), run.device)  # type: ignore[union-attr]
    memory = peak_mb(run.device)
    falls = bool(np.isfinite(trained.losses).all()) and trained.losses[-1] < trained.losses[0]
    yield Row("training, demo: loss, first and last", f"{trained.losses[0]:.3f}, {trained.losses[-1]:.3f}", "falls", falls)
    yield Row(f"training, demo: seconds of {steps} steps and {subjects} views, GB", f"{seconds:.1f}, {(memory or 0) / 1024:.2f}")


def inversion(run: Run) -> Iterator[Row]:
    """A view of the demo found again, its camera included."""
    model = run.model("demo")
    camera = arc_cameras(model.config.cameras, (20.0, 20.0), (15.0, 15.0), count=1)[0]
    rgb = model.subject(20_000).render(camera).rgb
    settings = InversionSettings(steps=run.count(200, 8), candidates=run.count(24, 4), starts=run.count(4, 1))
    start_peak(run.device)
    found, seconds = timed(lambda: invert_picture(model, rgb, settings), run.device)
    losses = [loss for stage in found.losses for loss in stage.losses]
    psnr, memory = found.psnr_db(rgb), peak_mb(run.device)
    yield Row("inversion, demo: PSNR of what was found", f"{psnr:.1f} dB", "finite", bool(np.isfinite(losses).all()))
    yield Row(f"inversion, demo: seconds of {len(losses)} steps, GB", f"{seconds:.1f}, {(memory or 0) / 1024:.2f}")


def kernels(run: Run) -> Iterator[Row]:
    """The fused kernels against plain torch."""
    what = "fused kernels, demo"
    if not run.is_gpu or importlib.util.find_spec("triton") is None:
        yield Row(what, "not measured: needs a CUDA device and Triton; tests/core/test_kernels.py interprets them")
        return
    plain, fused = run.model("demo"), Model.load("demo-cars", run.device, kernels="triton")
    cameras, rates, seen = cameras_of(plain, VIEWS_A_SUBJECT), [], []
    for model in (plain, fused):
        subject = model.subject(1)
        seen.append([subject.channels(camera) for camera in cameras])
        _, seconds = timed(lambda subject=subject: [subject.channels(camera) for camera in cameras], run.device)  # type: ignore[misc]
        rates.append(len(cameras) / seconds)
    yield judged_difference(run, f"{what}: against plain torch", difference(list(zip(*seen, strict=True)), plain.config.box_side))
    yield Row(f"{what}: further views a second, plain and fused", f"{rates[0]:.0f}, {rates[1]:.0f}")


Section = tuple[str, Callable[[Run], Iterator[Row]], bool]


def sections() -> list[Section]:
    """What is asked, in the order of what matters first; whether a quick call leaves it out."""
    chosen: list[Section] = []
    for name in ("demo", "people"):
        chosen.append((f"parity, {name}", lambda run, name=name: parity(run, name), name == "people"))
    for name in ("demo", "people", "full-size"):
        chosen.append((f"waits, {name}", lambda run, name=name: waits(run, name), name != "demo"))
    for name in ("full-size", "demo", "people", "panohead"):
        chosen.append((f"speed, {name}", lambda run, name=name: speed(run, name), name != "demo"))
    for name in ("full-size", "demo"):
        chosen.append((f"pairs, {name}", lambda run, name=name: pairs_a_minute(run, name), name != "demo"))
    for name in ("demo", "people", "full-size", "panohead"):
        chosen.append((f"agreement, {name}", lambda run, name=name: agreement(run, name), name != "demo"))
    return [*chosen, ("training", training, False), ("inversion", inversion, False), ("kernels", kernels, False)]


def machine(device: torch.device) -> Row:
    """What it ran on."""
    if device.type != "cuda":
        return Row("machine", f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}: no GPU's figures")
    facts = torch.cuda.get_device_properties(device)
    memory = facts.total_memory / 2**30
    return Row(
        "machine",
        f"{facts.name}, compute capability {facts.major}.{facts.minor}, {memory:.0f} GB, "
        f"torch {torch.__version__}, CUDA {torch.version.cuda}",
    )


def main() -> int:
    """Measure, print the table, and say by the exit code whether every goal was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--quick", action="store_true", help="the demo alone, and little of it: whether this runs")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="no section begins after so many")
    arguments = parser.parse_args()
    run = Run(torch.device(pick_device(arguments.device)), arguments.quick)
    started, rows = time.perf_counter(), [machine(run.device)]
    for name, measure, is_long in sections():
        minutes = (time.perf_counter() - started) / 60
        if is_long and run.quick:
            rows.append(Row(name, "not measured: --quick"))
        elif minutes >= arguments.minutes:
            rows.append(Row(name, f"not measured: {arguments.minutes:g} minutes are over"))
        else:
            print(f"{minutes:4.1f} min  {name}", file=sys.stderr, flush=True)
            rows += measure(run)
    print("| what | found | goal | met |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.found} | {row.goal} | {'' if row.met is None else 'yes' if row.met else 'no'} |")
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes; goals of speed and memory are a GPU's and judged there alone.")
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
