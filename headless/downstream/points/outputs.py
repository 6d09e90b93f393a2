"""What a training of points writes: the network file with its record, the curve, and the picture of a few clouds."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from dnerf_core import __version__
from dnerf_core.downstream.network_file import read_network_header, save_network
from dnerf_core.downstream.points.networks import PointSettings
from dnerf_core.downstream.points.scoring import CloudScores
from dnerf_core.downstream.points.training import TrainingState
from dnerf_core.errors import CheckpointError, OutputError
from dnerf_core.files.whole import check_writable, make_folder, output_error, remove_files, write_bytes_whole
from headless.downstream.points.plan import PointPlan
from headless.downstream.points.state import state_path
from headless.pictures.loss_curve import LossStage, loss_curve
from headless.pictures.picture_grid import drawn_by, png_of_call

GRID, CURVE, TABLE = "-grid.png", "-curve.png", "-curve.csv"
_TABLE_HEAD = "step,loss,validation_miou"


def finished_record(plan: PointPlan) -> dict[str, Any] | None:
    """The record of this very training if the output holds its result already; None if there is no output.

    Raises:
        OutputError: the output is something else.
    """
    output = plan.call.output
    try:
        exists = output.exists()
    except OSError as error:
        raise output_error(output, error) from error
    if not exists:
        make_folder(output.parent)
        return None
    try:
        record: dict[str, Any] = read_network_header(output).training
    except CheckpointError:
        record = {}
    if record.get("call_sha256") != plan.identity_sha256():
        raise OutputError(f"{output}: expected a new file, it holds something else; remove it, or choose another --output")
    remove_files([state_path(output)])
    return record


def check_places(plan: PointPlan, size_bytes: int) -> None:
    """Make sure that everything a training writes has a place to go, before it costs any time.

    Raises:
        OutputError: a file cannot be written, the disk is too full, or a file that this training did not write is in the way.
    """
    for ending in (GRID, CURVE):
        _refuse_others(plan.beside(ending), drawn_by(plan.beside(ending)) == plan.identity_sha256())
    _refuse_others(plan.beside(TABLE), _begins_as_table(plan.beside(TABLE)))
    check_writable(plan.call.output, size_bytes)
    for path in (plan.beside(GRID), plan.beside(CURVE), plan.beside(TABLE), state_path(plan.call.output)):
        check_writable(path)
    if plan.call.onnx is not None:
        make_folder(plan.call.onnx.parent)
        check_writable(plan.call.onnx, size_bytes)


def _refuse_others(path: Path, ours: bool) -> None:
    if os.path.lexists(path) and not ours:
        raise OutputError(
            f"{path}: expected no file where this training writes one, found another; remove it, or choose another --output"
        )


def _begins_as_table(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.readline(100).decode("ascii", "replace").strip() == _TABLE_HEAD
    except OSError:
        return False


def record_of(plan: PointPlan, state: TrainingState, scores: CloudScores | None, seconds: float) -> dict[str, Any]:
    """What the network file will say of the training."""
    import torch

    call, last = plan.call, state.losses[-50:]
    sets = [
        {
            "folder": path.name,
            "sha256": digest,
            "clouds_trained": sum(cloud.folder == index for group in plan.training for cloud in group),
            "clouds_held_out": sum(cloud.folder == index for cloud in plan.validation),
        }
        for index, (path, digest) in enumerate(zip(plan.sets.folders, plan.folder_sums, strict=True))
    ]
    return {
        "written_by": f"datasetnerf {__version__}",
        "torch": torch.__version__,
        "call_sha256": plan.identity_sha256(),
        "data_sets": sets,
        "seed": call.seed,
        "steps": len(state.losses),
        "batch": call.batch,
        "learning_rate": call.learning_rate,
        "mix": call.mix,
        "precision": state.precision,
        "loss_first": round(state.losses[0], 6),
        "loss_last_50": round(sum(last) / len(last), 6),
        "held_out": None if scores is None else scores_json(plan, scores),
        "seconds": round(seconds, 1),
    }


def scores_json(plan: PointPlan, scores: CloudScores) -> dict[str, Any]:
    """Scores as records and summaries have them; null where there is nothing to score."""
    per_part = dict(zip(plan.labels.names, scores.points.iou_per_class, strict=True))
    del per_part[plan.labels.names[0]]
    values = {"miou": scores.points.miou, "part_miou": scores.part_miou, "accuracy": scores.points.accuracy}
    return {
        **{name: _number(value) for name, value in values.items()},
        "iou_per_class": {name: _number(value) for name, value in per_part.items()},
    }


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def save_trained(plan: PointPlan, state: TrainingState, record: dict[str, Any]) -> None:
    """Write the curve and the network file.

    Raises:
        OutputError: a file cannot be written.
    """
    call = plan.call
    title = f"{call.output.name}: {call.network}, {call.recipe}, {plan.clouds_trained} clouds"
    picture = loss_curve(title, [LossStage("training", tuple(state.losses))])
    write_bytes_whole(plan.beside(CURVE), png_of_call(picture, plan.identity_sha256()))
    write_bytes_whole(plan.beside(TABLE), curve_table(state).encode())
    save_network(
        call.output,
        kind="points",
        network=call.network,
        labels=plan.labels,
        settings=PointSettings(call.recipe, call.points).to_json(),
        state=state.network,
        training=record,
    )


def curve_table(state: TrainingState) -> str:
    """The curve as CSV, a line a step counted from 1; the validation's mIoU where it was scored."""
    scored = dict(state.validated)
    rows = (f"{step},{loss!r},{scored.get(step, '')}" for step, loss in enumerate(state.losses, 1))
    return "\n".join([_TABLE_HEAD, *rows]) + "\n"
