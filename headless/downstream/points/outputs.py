"""What a training of points writes: the network file with its record, the curve, and the picture of a few clouds."""

from __future__ import annotations

from typing import Any

from dnerf_core import __version__
from dnerf_core.downstream.network_file import read_network_header, save_network
from dnerf_core.downstream.points.networks import PointSettings
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.scoring import CloudScores
from dnerf_core.downstream.points.strangeness import Familiar
from dnerf_core.downstream.points.training import TrainingState
from dnerf_core.downstream.precision import Precision
from headless.annotating import training_files
from headless.annotating.training_files import CURVE, TABLE, file_beside
from headless.downstream.points.plan import PointPlan
from headless.pictures.loss_curve import LossStage, write_loss_curve
from headless.scores.scoring import rounded


def finished_record(plan: PointPlan) -> dict[str, Any] | None:
    """The record of this very training if the output holds its result already, see `training_files.finished_record`."""
    return training_files.finished_record(
        plan.call.output, plan.identity_sha256(), lambda path: read_network_header(path).training
    )


def check_places(plan: PointPlan, size_bytes: int) -> None:
    """See `training_files.check_network_places`."""
    training_files.check_network_places(plan.call.output, plan.identity_sha256(), plan.call.onnx, size_bytes)


def record_of(
    plan: PointPlan, state: TrainingState, scores: CloudScores | None, precision: Precision, seconds: float
) -> dict[str, Any]:
    """What the network file will say of the training."""
    import torch

    call, last = plan.call, state.losses[-50:]
    sets = [
        {
            "place": str(path),
            "sha256": digest,
            "clouds": sum(cloud.folder == index for cloud in plan.trained),
            "clouds_validation": sum(cloud.folder == index for cloud in plan.validation),
        }
        for index, (path, digest) in enumerate(zip(plan.sets.folders, plan.folder_sums, strict=True))
    ]
    return {
        "written_by": f"datasetnerf {__version__}",
        "torch": torch.__version__,
        "call_sha256": plan.identity_sha256(),
        "sets": sets,
        "clouds": plan.clouds_trained,
        "clouds_validation": len(plan.validation),
        "seed": call.seed,
        "steps": len(state.losses),
        "batch": call.batch,
        "learning_rate": call.learning_rate,
        "mix": call.mix,
        "repeat": None if call.repeat is None else list(call.repeat),
        "loss_first": rounded(state.losses[0]),
        "loss_last_50": rounded(sum(last) / len(last)),
        "scores": [{"step": step, "miou": rounded(miou)} for step, miou in state.validated],
        "validation": None if scores is None else scores_json(plan, scores),
        "precision": precision.name,
        "seconds_a_step": {name: rounded(value) for name, value in precision.seconds},
        "seconds": round(seconds, 1),
    }


def scores_json(plan: PointPlan, scores: CloudScores) -> dict[str, Any]:
    """Scores as records and summaries have them; null where there is nothing to score."""
    per_part = dict(zip(plan.labels.names, scores.points.iou_per_class, strict=True))
    del per_part[plan.labels.names[0]]
    values = {"miou": scores.points.miou, "part_miou": scores.part_miou, "accuracy": scores.points.accuracy}
    return {
        **{name: rounded(value) for name, value in values.items()},
        "iou_per_class": {name: rounded(value) for name, value in per_part.items()},
    }


def save_trained(plan: PointPlan, state: TrainingState, record: dict[str, Any], familiar: Familiar) -> None:
    """Write the curve of the loss and the network file.

    Raises:
        OutputError: a file cannot be written.
    """
    call = plan.call
    stages = [LossStage("cross-entropy", tuple(state.losses))]
    write_loss_curve(file_beside(call.output, CURVE), file_beside(call.output, TABLE), call.output.name, stages)
    save_network(
        call.output,
        kind="points",
        network=call.network,
        labels=plan.labels,
        settings=PointSettings(call.recipe, call.points, familiar).to_json(),
        state=state.network,
        training=record,
    )


def write_onnx_of(plan: PointPlan) -> None:
    """See `training_files.write_onnx_once`.

    Raises:
        OutputError: it cannot be written.
    """
    from dnerf_core.downstream.points.onnx_file import write_onnx

    training_files.write_onnx_once(plan.call.onnx, lambda path: write_onnx(path, PointSegmenter.load(plan.call.output)))
