"""The job of `evaluate`: a model scored against painted masks here, the other ways in modules of their own. Loads nothing heavy."""

from __future__ import annotations

import time

from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import counted
from headless.runs.evaluating.call import EvaluateCall, check_call, finish, message_fields, warn_of_known_seeds
from headless.work.reporting import Reporter


def evaluate(call: EvaluateCall, reporter: Reporter) -> None:
    """Run one call of `evaluate`.

    Raises:
        DNeRFError: a wrong call, a model or an annotated folder that cannot be used, or a grid that cannot be written.
    """
    from dnerf_core.files.whole import check_writable

    check_call(call)
    for output in (call.grid, call.textures):
        if output is not None:
            check_writable(output)
    if call.predictions is not None:
        from headless.runs.evaluating.predictions import score_predictions

        score_predictions(call, reporter)
    elif call.cross_validate is not None:
        from headless.runs.evaluating.cross_validation import cross_validate

        cross_validate(call.of_folds(call.cross_validate), reporter)
    elif call.consistency:
        from headless.runs.evaluating.consistency import score_folders

        score_folders(call.folders, call.textures, call.row, reporter)
    elif call.truth:
        from headless.runs.evaluating.truth import score_truth

        score_truth(call, reporter)
    else:
        _against_folders(call, reporter)


def _against_folders(call: EvaluateCall, reporter: Reporter) -> None:
    """Score the model's masks against painted ones."""
    from dnerf_core.files.annotated_folder import check_generator
    from dnerf_core.files.whole import write_bytes_whole
    from headless import models
    from headless.annotating.painted import read_painted
    from headless.scores import scoring

    started = time.monotonic()
    annotations = read_painted(call.folders, skip_unpainted=call.skip_unpainted, snap_colors=call.snap_colors)
    if (snapped := annotations.snapped.line()) is not None:
        reporter.warning(snapped)
    facts = model_facts.describe_model(call.model_name)
    check_generator(annotations, facts.path)
    model = models.load_model(call.model_name, call.device, exact=call.exact)
    scoring.require_labels(model, annotations.labels)
    fields = message_fields(call, [str(folder) for folder in annotations.folders])
    views = len(annotations.images)
    reporter.start(f"evaluate: {counted(views, 'view')} of {call.model_name} against painted masks", **fields, views=views)
    if annotations.skipped:
        reporter.warning(f"{counted(annotations.skipped, 'mask')} with nothing painted left out")
    warn_of_known_seeds(model, {subject.seed for subject in annotations.subjects if subject.file is None}, reporter)
    scored = []
    with reporter.progress("views scored", views) as advance:
        for item in scoring.score_images(model, annotations.images, annotations.labels):
            scored.append(item)
            reporter.event("view", name=item.image.name, seed=item.image.subject.seed, miou=scoring.rounded(item.miou))
            advance()
    if call.grid is not None:
        title = f"{call.model_name} against painted masks"
        write_bytes_whole(call.grid, scoring.mask_grid(title, model, scored, annotations.labels))
    result = scoring.segmentation_json(scoring.pooled(scored), annotations.labels)
    lines = [
        f"{call.model_name}: {counted(len(scored), 'view')} of {counted(len(annotations.subjects), 'subject')} against painted masks",
        *scoring.score_table({"mIoU": result["miou"], "accuracy": result["accuracy"]}, result["iou_per_class"]),
    ]
    finish(call, reporter, lines, fields, result, views=len(scored), seconds=time.monotonic() - started)
