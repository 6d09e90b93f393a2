"""A network of points trained on labelled clouds: the run."""

from __future__ import annotations

from typing import Any

from dnerf_core.errors import counted
from dnerf_core.files.whole import make_folder
from headless.downstream.points.plan import PointPlan, TrainPointnetCall, plan_points
from headless.work.at_work import at_work, call_digest
from headless.work.reporting import Reporter


def train_pointnet(call: TrainPointnetCall, reporter: Reporter) -> None:
    """Run one call of `train-pointnet`.

    Raises:
        DNeRFError: a wrong call, clouds that cannot be used, or a result that cannot be written.
    """
    plan = plan_points(call)
    fields = plan.message_fields()
    reporter.start(
        f"train-pointnet: {counted(call.steps, 'step')} of {call.network} on {counted(plan.clouds_trained, 'cloud')}, "
        f"{len(plan.validation)} for validation",
        **fields,
    )
    for remark in plan.remarks:
        reporter.warning(remark)
    make_folder(call.output.parent)
    with at_work(call.output.parent, call_digest(plan.identity_sha256()), reporter.warning, file_name=call.output.name):
        _train(plan, fields, reporter)


def _train(plan: PointPlan, fields: dict[str, Any], reporter: Reporter) -> None:
    # These bring torch, which a call that is refused need not wait for.
    from headless.downstream.points.job import run_training
    from headless.downstream.points.outputs import finished_record, write_onnx_of

    finished = finished_record(plan)
    if finished is not None:
        write_onnx_of(plan)
        reporter.summary(
            [f"{plan.call.output}: nothing to do, this training is there"], **fields, **_result_json(finished), nothing_to_do=True
        )
        return
    record = run_training(plan, reporter)
    reporter.summary(_lines(plan, record), **fields, **_result_json(record), nothing_to_do=False)


def _lines(plan: PointPlan, record: dict[str, Any]) -> list[str]:
    """The summary for people."""
    from headless.annotating.training_files import GRID, file_beside
    from headless.scores.scoring import score_table

    output, scores = plan.call.output, record["validation"]
    lines = [
        f"{output}: {counted(record['steps'], 'step')} on {counted(plan.clouds_trained, 'cloud')} "
        f"in {record['seconds']:.0f} s, loss {record['loss_last_50']:.4f}"
    ]
    if scores is not None:
        lines.append(f"validation: {counted(len(plan.validation), 'cloud')}")
        heads = {"mIoU": scores["miou"], "part mIoU": scores["part_miou"], "accuracy": scores["accuracy"]}
        lines += score_table(heads, scores["iou_per_class"])
    if plan.call.onnx is not None:
        lines.append(f"{plan.call.onnx}: the same network as ONNX")
    return [*lines, f"look at {file_beside(output, GRID)}", f"next: dnerf-headless segment CLOUD --network {output}"]


def _result_json(record: dict[str, Any]) -> dict[str, Any]:
    """A record's entries that the summary holds, with the held-out scores by their own names."""
    scores = record["validation"] or {"miou": None, "part_miou": None, "accuracy": None, "iou_per_class": None}
    return {**scores, **{name: record[name] for name in ("loss_first", "loss_last_50", "precision", "seconds_a_step", "seconds")}}
