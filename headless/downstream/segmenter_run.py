"""Running a planned training of a segmenter, alone or as one of several processes, from a kept state where there is one."""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import multiprocessing, nn

from dnerf_core.downstream.images.augment import Augmenter
from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.images.stream import CACHE_BYTES, ChangedViews, drawn_number
from dnerf_core.downstream.images.training import Step, TrainedSegmenter, Watch, train_segmenter, training_loss
from dnerf_core.downstream.images.weights import StartWeights, fill_from
from dnerf_core.downstream.precision import Precision, gpu_precision, measured_precision
from dnerf_core.downstream.processes import Process
from dnerf_core.downstream.sharing import joined
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files.whole import remove_files
from dnerf_core.metrics import pooled_scores
from dnerf_core.work.cores import usable_cores
from headless import models
from headless.annotating.training_state import KeptState, read_state, state_path, write_state
from headless.downstream import segmenter_results as results
from headless.downstream.segmenter_calibration import calibrated
from headless.downstream.segmenter_plan import SegmenterPlan, identity_sha256

if TYPE_CHECKING:
    from dnerf_core.downstream.images.sets.joined import ReadSets
    from headless.work.reporting import Reporter

_STEPS_AN_EVENT = 10
_USUAL_WORKERS = 8
_STATE = {"network": dict, "optimizer": dict, "scaler": dict, "losses": list, "scores": list, "precision": list}


@dataclass(frozen=True, eq=False)
class _Shared:
    """What every process of a training is given."""

    plan: SegmenterPlan
    read: ReadSets
    identity: dict[str, Any]
    device: str


def run_training(plan: SegmenterPlan, read: ReadSets, process: Process, reporter: Reporter) -> dict[str, Any] | None:
    """Train, score, and write the network file, its grid and curves; returns the record, or None in a process that is not the first.

    Raises:
        DNeRFError: a state file of another call, weights or a device that cannot be used, a loss that explodes, or a result that cannot be
            written.
    """
    identity = plan.identity(read)
    device = models.pick_device(plan.call.device)
    if device == "cuda" and plan.call.gpus > torch.cuda.device_count():
        raise UsageError(f"--gpus {plan.call.gpus}: expected so many CUDA devices, found {torch.cuda.device_count()}; use fewer")
    if device == "cpu" and plan.call.gpus > 1:
        raise UsageError(f"--gpus {plan.call.gpus}: expected CUDA devices, torch sees none; leave it out")
    if process.is_first:
        results.check_places(plan, identity_sha256(identity))
    return train_together(_Shared(plan, read, identity, device), process, plan.call.gpus, reporter)


def train_together(work: _Shared, process: Process, count: int, reporter: Reporter) -> dict[str, Any] | None:
    """`run_training` with `count` processes of this program; of 1 there is this one, as torchrun or nobody numbered it."""
    if count == 1:
        return _train(work, process, reporter)
    with tempfile.TemporaryDirectory() as folder:
        first = Process(0, count, 0, Path(folder) / "processes")
        followers = [
            multiprocessing.get_context("spawn").Process(
                target=_follow, args=(work, replace(first, rank=rank, local_rank=rank)), daemon=True
            )
            for rank in range(1, count)
        ]
        for follower in followers:
            follower.start()
        try:
            return _train(work, first, reporter)
        except RuntimeError as error:
            if dead := [f.exitcode for f in followers if f.exitcode]:
                raise OutputError(
                    f"--gpus {count}: expected {count} processes at work, found one ended with code {dead[0]}; repeat the call"
                ) from error
            raise
        finally:
            for follower in followers:
                follower.join(timeout=10)
                if follower.is_alive():
                    follower.terminate()


def _follow(work: _Shared, process: Process) -> None:
    """One process that is not the first."""
    from headless.work.reporting import Quiet

    _train(work, process, Quiet())


def _train(work: _Shared, process: Process, reporter: Reporter) -> dict[str, Any] | None:
    plan, call = work.plan, work.plan.call
    started = time.monotonic()
    device = torch.device(work.device, process.local_rank) if work.device == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    kept = read_state(state_path(call.output), work.identity, _STATE)
    seconds_before = 0.0 if kept is None else kept.seconds
    network, start = _network(plan)
    network.to(device)
    with joined(process, device), contextlib.ExitStack() as bars:
        precision = _precision(plan, network, device, process, kept)
        if process.is_first:
            reporter.event("precision", name=precision.name, seconds_a_step=dict(precision.seconds))
        watch = _watch(work, precision, reporter, bars, lambda: seconds_before + time.monotonic() - started)
        workers = _workers(call.workers, device, process)
        views = ChangedViews(
            plan.joined,
            plan.division.trained,
            Augmenter(plan.augmentation, plan.mirrored_ids, plan.photographs()),
            call.seed,
            CACHE_BYTES // (process.count * max(1, workers)),
        )
        trained = train_segmenter(
            network,
            views,
            plan.training(work.read),
            precision=precision,
            process=process,
            workers=workers,
            watch=watch,
            resume=None if kept is None else kept.state,
        )
    if not process.is_first:
        return None
    return _finish(
        work, network, trained, start, precision, process, reporter, lambda: seconds_before + time.monotonic() - started
    )


def _finish(
    work: _Shared,
    network: nn.Module,
    trained: TrainedSegmenter,
    start: StartWeights | None,
    precision: Precision,
    process: Process,
    reporter: Reporter,
    seconds: Callable[[], float],
) -> dict[str, Any]:
    plan, call_sha256 = work.plan, identity_sha256(work.identity)
    scored = list(plan.division.scored)
    with reporter.progress("views scored", len(scored)) as advance:
        confusion = results.confusions(plan, network, scored, advance)
    results.draw(plan, network, confusion, trained.losses, call_sha256)
    record = results.record_of(
        plan,
        work.read,
        trained,
        confusion,
        call_sha256=call_sha256,
        start=start,
        precision=precision,
        device=work.device,
        processes=process.count,
        seconds=seconds(),
    )
    results.save(plan, network, record, calibrated(plan, network))
    results.write_onnx_of(plan)
    remove_files([state_path(plan.call.output)])
    return record


def _network(plan: SegmenterPlan) -> tuple[nn.Module, StartWeights | None]:
    """The network as it begins: drawn by the seed, and filled from the file that the call names."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(drawn_number(plan.call.seed, "weights"))
        network = build_network(plan.call.network, plan.labels.num_classes)
    start = None if plan.call.weights is None else fill_from(network, plan.call.network, plan.call.weights)
    return network, start


def _precision(
    plan: SegmenterPlan, network: nn.Module, device: torch.device, process: Process, kept: KeptState | None
) -> Precision:
    """The format that the call names, that a training so far was in, or the faster one; the first process decides for all."""
    call = plan.call
    if kept is not None:
        name, seconds = kept.state["precision"]
        return Precision(name, tuple((key, float(value)) for key, value in seconds))
    if call.precision != "auto":
        return Precision(call.precision)
    if device.type == "cuda":
        return gpu_precision(device)
    found = Precision("float32")
    if process.is_first:
        side = plan.size_px
        inputs = torch.zeros(call.batch // process.count, 3, side, side).contiguous(memory_format=torch.channels_last)
        nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
        found = measured_precision(network.train(), training_loss, inputs)
    if process.count > 1:
        chosen = torch.tensor(float(found.name == "bfloat16"))
        dist.broadcast(chosen, 0)
        found = replace(found, name="bfloat16" if chosen else "float32")
    return found


def _workers(wanted: int | None, device: torch.device, process: Process) -> int:
    if wanted is not None:
        return wanted
    return 0 if device.type == "cpu" else max(1, min(_USUAL_WORKERS, usable_cores() // process.count - 1))


def _watch(
    work: _Shared, precision: Precision, reporter: Reporter, bars: contextlib.ExitStack, seconds: Callable[[], float]
) -> Watch:
    plan, meanwhile = work.plan, results.scored_meanwhile(work.plan)
    learning_rate = plan.training(work.read).learning_rate
    advance: list[Callable[[], None]] = []

    def step(now: Step) -> None:
        if not math.isfinite(now.loss):
            raise UsageError(
                f"--learning-rate {learning_rate:g}: expected a loss that falls, found {now.loss} at step {now.step}; use a lower one"
            )
        if not advance:
            advance.append(bars.enter_context(reporter.progress("steps", now.steps - now.step + 1)))
        if now.step % _STEPS_AN_EVENT == 0 or now.step == now.steps:
            reporter.event("step", step=now.step, steps=now.steps, loss=round(now.loss, 6))
        advance[0]()

    def save(state: dict[str, Any]) -> None:
        whole = state | {"precision": [precision.name, [list(row) for row in precision.seconds]]}
        write_state(state_path(plan.call.output), work.identity, KeptState(whole, seconds()))

    def score(network: nn.Module) -> float:
        miou = pooled_scores(results.confusions(plan, network, meanwhile)).miou
        reporter.event("score", views=len(meanwhile), miou=round(miou, 6) if math.isfinite(miou) else None)
        return miou

    return Watch(step, save, score if meanwhile else None)
