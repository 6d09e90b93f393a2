"""A semantic branch trained on painted folders: the run."""

from __future__ import annotations

from typing import Any

from dnerf_core.errors import counted
from dnerf_core.files.whole import make_folder
from headless.annotating.training_plan import TrainCall, TrainingPlan, plan_training
from headless.work.at_work import at_work, call_digest
from headless.work.reporting import Reporter


def train(call: TrainCall, reporter: Reporter) -> None:
    """Run one call of `train`.

    Raises:
        DNeRFError: a wrong call, an annotated folder or a model that cannot be used, or a result that cannot be written.
    """
    plan = plan_training(call)
    fields = plan.message_fields()
    reporter.start(
        f"train: {counted(fields['steps'], 'step')} on {counted(fields['views'], 'view')} of {counted(fields['subjects'], 'subject')}, "
        f"{fields['views_held_out']} held out",
        **fields,
    )
    if plan.annotations.skipped:
        reporter.warning(f"{counted(plan.annotations.skipped, 'mask')} with nothing painted left out")
    if (snapped := plan.annotations.snapped.line()) is not None:
        reporter.warning(snapped)
    make_folder(plan.call.output.parent)
    with at_work(plan.call.output.parent, call_digest(plan.identity_sha256()), reporter.warning, file_name=plan.call.output.name):
        _train(plan, fields, reporter)


def _train(plan: TrainingPlan, fields: dict[str, Any], reporter: Reporter) -> None:
    # These bring torch, which a call that is refused need not wait for.
    from headless.annotating.trained_model import finished_record
    from headless.annotating.training_run import run_training

    finished = finished_record(plan)
    if finished is not None:
        reporter.summary(
            [f"{plan.call.output}: nothing to do, this training is there"], **fields, **_result_json(finished), nothing_to_do=True
        )
        return
    record = run_training(plan, reporter)
    reporter.summary(_lines(plan, record), **fields, **_result_json(record), nothing_to_do=False)


def _lines(plan: TrainingPlan, record: dict[str, Any]) -> list[str]:
    """The summary for people."""
    from headless.scores.scoring import score_table

    output, scores = plan.call.output, record["held_out"]
    lines = [
        f"{output}: {counted(record['steps'], 'step')} on {counted(record['views'], 'view')} of {counted(record['subjects'], 'subject')} "
        f"in {record['seconds']:.0f} s, loss {record['loss_last_50']:.4f}"
    ]
    if scores is not None:
        lines += [f"held out: {counted(len(plan.scored_images), 'view')} of {counted(len(plan.held_out), 'subject')}"]
        lines += score_table({"mIoU": scores["miou"], "accuracy": scores["accuracy"]}, scores["iou_per_class"])
    return [*lines, f"look at {plan.grid_path}", f"next: dnerf-headless render --model {output}"]


def _result_json(record: dict[str, Any]) -> dict[str, Any]:
    """A record's entries that the summary holds, with the held-out scores by their own names."""
    scores = record["held_out"] or {"miou": None, "accuracy": None, "iou_per_class": None}
    names = ("loss_first", "loss_last_50", "kept_bytes", "seconds", "feature_kind")
    return {**scores, **{name: record[name] for name in names}}
