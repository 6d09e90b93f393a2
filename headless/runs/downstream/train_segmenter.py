"""A segmenter trained on data sets: the run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from dnerf_core.downstream.processes import process_of_environment
from dnerf_core.errors import counted
from dnerf_core.files.whole import make_folder
from headless.downstream.segmenter_backgrounds import not_plain
from headless.downstream.segmenter_plan import (
    SegmenterPlan,
    TrainSegmenterCall,
    check_classes,
    identity_sha256,
    plan_segmenter,
    read_views,
)
from headless.work.at_work import at_work, call_digest
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.downstream.images.sets.joined import ReadSets
    from dnerf_core.downstream.processes import Process


def train_segmenter(call: TrainSegmenterCall, reporter: Reporter) -> None:
    """Run one call of `train-segmenter`; below torchrun as one of its processes, of which the first alone speaks and writes.

    Raises:
        DNeRFError: a wrong call, a data set or weights that cannot be used, or a result that cannot be written.
    """
    process = process_of_environment()
    if not process.is_first:
        reporter = Quiet()
    plan = plan_segmenter(call, process)
    fields = plan.message_fields()
    reporter.start(
        f"train-segmenter: {call.network}, {counted(plan.steps, 'step')} of {call.batch} on {counted(fields['views'], 'view')} of "
        f"{counted(fields['subjects'], 'subject')}, {fields['views_validation']} for validation",
        **fields,
    )
    for one in plan.joined.sets:
        if skipped := getattr(one, "skipped", 0):
            reporter.warning(f"{one.place}: {counted(skipped, 'mask')} with nothing painted left out")
    read = read_views(plan, reporter)
    if call.photographs != "none":
        strange, looked_at = not_plain(plan.joined, plan.division.trained)
        if strange:
            reporter.warning(
                f"{call.dataset}: expected subjects before one colour, found others in {strange} of {looked_at} views looked at: "
                "there the mask alone cuts them out"
            )
    check_classes(plan, read)
    make_folder(call.output.parent)
    alone = at_work(
        call.output.parent, call_digest(identity_sha256(plan.identity(read))), reporter.warning, file_name=call.output.name
    )
    with alone if process.is_first else nullcontext():
        _train(plan, read, process, fields, reporter)


def _train(plan: SegmenterPlan, read: ReadSets, process: Process, fields: dict[str, Any], reporter: Reporter) -> None:
    # These bring torch, which a call that is refused need not wait for.
    from headless.downstream.segmenter_results import finished_record, write_onnx_of
    from headless.downstream.segmenter_run import run_training

    finished = finished_record(plan, identity_sha256(plan.identity(read)))
    if finished is not None:
        if process.is_first:
            write_onnx_of(plan)
        lines = [f"{plan.call.output}: nothing to do, this training is there"]
        reporter.summary(lines, **fields, **_result_json(finished), nothing_to_do=True)
        return
    record = run_training(plan, read, process, reporter)
    if record is not None:
        reporter.summary(_lines(plan, record), **fields, **_result_json(record), nothing_to_do=False)


def _lines(plan: SegmenterPlan, record: dict[str, Any]) -> list[str]:
    """The summary for people."""
    from headless.annotating.training_files import CURVE, GRID, file_beside
    from headless.scores.scoring import score_table

    output, scores, begun, seconds = plan.call.output, record["validation"], record["weights"], record["seconds_a_step"]
    lines = [
        f"{output}: {record['steps']} steps of {record['batch']} on {counted(record['views'], 'view')} of "
        f"{counted(record['subjects'], 'subject')} in {record['seconds']:.0f} s, loss {record['loss_last_50']:.4f}"
    ]
    if begun is not None:
        new = "" if begun["taken"] == "whole" else "; the rest began new"
        lines += [f"began from {begun['file']}: {begun['taken']}, {counted(begun['tensors'], 'tensor')}{new}"]
    measured = ", ".join(f"{name} {value:.3g} s a step" for name, value in seconds.items())
    lines += [f"computed in {record['precision']}{f', measured: {measured}' if measured else ''}"]
    if scores is not None:
        lines += [
            f"validation: {counted(record['views_validation'], 'view')} of {counted(record['subjects_validation'], 'subject')}"
        ]
        lines += score_table({"mIoU": scores["miou"], "accuracy": scores["accuracy"]}, scores["iou_per_class"])
    if plan.call.onnx is not None:
        lines += [f"{plan.call.onnx}: the same network as ONNX"]
    return [*lines, f"look at {file_beside(output, GRID)} and {file_beside(output, CURVE)}"]


def _result_json(record: dict[str, Any]) -> dict[str, Any]:
    """A record's entries that the summary holds, with the validation scores by their own names."""
    scores = record["validation"] or {"miou": None, "accuracy": None, "iou_per_class": None}
    names = ("loss_first", "loss_last_50", "weights", "precision", "seconds_a_step", "seconds")
    return {**scores, **{name: record[name] for name in names}}
