"""Running a planned training of points: from the kept state, if one was interrupted, to the network file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dnerf_core.downstream.points.networks import PointSettings, built
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.scoring import CloudScores, score_clouds
from dnerf_core.downstream.points.strangeness import familiar_features
from dnerf_core.downstream.points.training import PointTraining, TrainingState, train_network, training_loss
from dnerf_core.downstream.precision import Precision, gpu_precision, measured_precision
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files.camera_files.turning import FileUp, to_y_up
from dnerf_core.files.whole import remove_files, write_bytes_whole
from headless import models
from headless.annotating.training_files import GRID, file_beside
from headless.annotating.training_state import KeptState, read_state, state_path, write_state
from headless.downstream.points import outputs
from headless.pictures.cloud_pictures import clouds_grid
from headless.scores.scoring import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from dnerf_core.downstream.points.sets.labelled_clouds import LabelledCloud
    from headless.downstream.points.plan import PointPlan
    from headless.work.reporting import Reporter

GRID_ROWS = 6
VALIDATIONS = 10
"""On the way, at even steps."""
_STEPS_AN_EVENT = 10
_STATE_EVERY = 50
_STATE = {"network": dict, "optimizer": dict, "losses": list, "validated": list, "precision": list}
_REMEDY = "remove the file to start anew"


def run_training(plan: PointPlan, reporter: Reporter) -> dict[str, Any]:
    """Train, score, and write the curve, the picture and the network file; returns the training record.

    Raises:
        DNeRFError: a state file of another call, a loss that explodes, or a result that cannot be written.
    """
    started = time.monotonic()
    call, state_file = plan.call, state_path(plan.call.output)
    device = models.pick_device(call.device)
    network = built(call.network, plan.labels, call.seed)
    outputs.check_places(plan, 4 * sum(value.numel() for value in network.state_dict().values()))
    kept = read_state(state_file, plan.identity(), _STATE)
    resume = None if kept is None else _resumed(kept.state, network, state_file)
    before = 0.0 if kept is None else kept.seconds
    segmenter = PointSegmenter(network.to(device), plan.labels, PointSettings(call.recipe, call.points))
    training = PointTraining(
        recipe=call.recipe,
        points=call.points,
        batch=call.batch,
        steps=call.steps,
        learning_rate=call.learning_rate,
        seed=call.seed,
        checkpoint_every=_STATE_EVERY,
        validate_every=max(1, call.steps // VALIDATIONS) if plan.validation else 0,
    )

    precision = _precision(plan, network, None if kept is None else kept.state)
    reporter.event("precision", name=precision.name, seconds_a_step=dict(precision.seconds))

    def keep(state: TrainingState) -> None:
        whole = vars(state) | {"precision": [precision.name, [list(row) for row in precision.seconds]]}
        write_state(state_file, plan.identity(), KeptState(whole, before + time.monotonic() - started))

    tensors = {cloud: _tensors(cloud, call.up) for cloud in plan.trained}
    with reporter.progress("steps", call.steps - (0 if resume is None else len(resume.losses))) as advance:
        state = train_network(
            network,
            [[tensors[cloud] for cloud in group] for group in plan.training],
            training,
            precision,
            progress=_follower(reporter, call.steps, call.learning_rate, advance),
            validate=(lambda _: _quick_miou(plan, segmenter, reporter)) if plan.validation else None,
            keep=keep,
            resume=resume,
        )
    scores = _score_and_draw(plan, segmenter, reporter)
    record = outputs.record_of(plan, state, scores, precision, before + time.monotonic() - started)
    familiar = familiar_features(network, list(tensors.values()), call.recipe, call.points, call.seed)
    outputs.save_trained(plan, state, record, familiar)
    outputs.write_onnx_of(plan)
    remove_files([state_file])
    return record


def _precision(plan: PointPlan, network: nn.Module, kept: dict[str, Any] | None) -> Precision:
    """The format that the call names, that a training so far was in, or the faster one."""
    device = next(network.parameters()).device
    if kept is not None:
        name, seconds = kept["precision"]
        return Precision(name, tuple((key, float(value)) for key, value in seconds))
    if plan.call.precision != "auto":
        return Precision(plan.call.precision)
    if device.type == "cuda":
        return Precision("bfloat16" if gpu_precision(device).name == "bfloat16" else "float32")
    points = torch.rand(plan.call.batch, plan.call.points, 3, generator=torch.Generator().manual_seed(0))
    return measured_precision(network, training_loss, points)


def _resumed(kept: dict[str, Any], network: nn.Module, path: Path) -> TrainingState:
    """A state out of a file, held against the fresh network.

    Raises:
        OutputError: it is no such network's.
    """
    shapes = {name: getattr(value, "shape", None) for name, value in kept["network"].items()}
    ours = {name: value.shape for name, value in network.state_dict().items()}
    try:
        validated = [(int(step), float(miou)) for step, miou in kept["validated"]]
        name, seconds = kept["precision"]
        whole = name in ("float32", "bfloat16") and all(len(row) == 2 for row in seconds)
    except (TypeError, ValueError):
        whole = False
    if not whole or shapes != ours:
        raise OutputError(f"{path}: expected the whole state of an interrupted training, found less or something else; {_REMEDY}")
    return TrainingState(kept["network"], kept["optimizer"], kept["losses"], validated)


def upright(cloud: LabelledCloud, up: FileUp | None) -> NDArray[np.float32]:
    """A cloud's points with y up, float32 [N, 3]; `up` is the axis that points up in its file, None: the one that the file tells."""
    turn = to_y_up(cloud.up if up is None else up)[:3, :3]
    return np.ascontiguousarray(cloud.points @ turn.T, np.float32)


def _tensors(cloud: LabelledCloud, up: FileUp | None) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(upright(cloud, up)), torch.from_numpy(cloud.labels.astype(np.int64))


def _follower(reporter: Reporter, steps: int, learning_rate: float, advance: Callable[[], None]) -> Callable[[int, float], None]:
    def progress(step: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise UsageError(
                f"--learning-rate {learning_rate:g}: expected a loss that falls, found {loss} at step {step}; use a lower one"
            )
        if step % _STEPS_AN_EVENT == 0 or step == steps:
            reporter.event("step", step=step, steps=steps, loss=round(loss, 6))
        advance()

    return progress


def _quick_miou(plan: PointPlan, segmenter: PointSegmenter, reporter: Reporter) -> float:
    """The mIoU of the validation by one draw at one heading."""
    pairs = [(cloud.labels, segmenter.predict(upright(cloud, plan.call.up), headings=1, draws=1)[0]) for cloud in plan.validation]
    miou = score_clouds(pairs, plan.labels.num_classes).points.miou
    reporter.event("score", clouds=len(pairs), miou=rounded(miou))
    return miou


def _score_and_draw(plan: PointPlan, segmenter: PointSegmenter, reporter: Reporter) -> CloudScores | None:
    """Score the held-out clouds, and draw some, or where there are none the first that were trained on."""
    shown: Sequence[LabelledCloud] = plan.validation or plan.trained[:GRID_ROWS]
    predicted = []
    with reporter.progress("clouds scored", len(shown)) as advance:
        for cloud in shown:
            predicted.append(segmenter.predict(upright(cloud, plan.call.up))[0])
            advance()
    pairs = [(cloud.labels, labels) for cloud, labels in zip(shown, predicted, strict=True)]
    rows = []
    for index in _even(len(shown), GRID_ROWS):
        cloud = shown[index]
        own = score_clouds([pairs[index]], plan.labels.num_classes)
        text = f"{cloud.name}\nIoU {own.part_miou:.3f}"
        rows.append((text, upright(cloud, plan.call.up), cloud.labels, predicted[index]))
    kind = "for validation" if plan.validation else "trained on"
    grid = clouds_grid(f"{plan.call.output.name}: clouds {kind}", rows, plan.labels, plan.identity_sha256())
    write_bytes_whole(file_beside(plan.call.output, GRID), grid)
    return score_clouds(pairs, plan.labels.num_classes) if plan.validation else None


def _even(total: int, count: int) -> list[int]:
    """At most `count` of so many indices, at even steps."""
    return list(range(total)) if total <= count else [k * total // count for k in range(count)]
