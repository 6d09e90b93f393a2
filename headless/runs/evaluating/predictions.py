"""What `evaluate --predictions` does: score anyone's masks or label videos against a folder's, or against the demo's exact truth."""

from __future__ import annotations

import time

from dnerf_core.errors import AnnotationError, counted, listed
from dnerf_core.files.whole import write_bytes_whole
from headless.runs.evaluating.call import TRUTH, EvaluateCall
from headless.scores import scoring
from headless.scores.predictions.cameras import check_same_cameras
from headless.scores.predictions.comparing import (
    Matched,
    ScoredFrame,
    confusion_table,
    pooled,
    predictions_grid,
    predictions_json,
    score_pair,
    worst,
)
from headless.scores.predictions.files import LISTED, mask_files
from headless.scores.predictions.reading import PredictionLabels
from headless.scores.predictions.truths import demo_truth, folder_truth
from headless.work.reporting import Reporter


def score_predictions(call: EvaluateCall, reporter: Reporter) -> None:
    """Score a folder of predictions.

    Raises:
        DNeRFError: a folder or a mask that cannot be used, views without a prediction, or a grid that cannot be written.
    """
    started = time.monotonic()
    assert call.predictions is not None and call.against is not None
    if isinstance(call.against, str):
        posed = call.folders[0] if call.folders else call.predictions
        truth = demo_truth(posed, call.device)
    else:
        posed = call.against
        truth = folder_truth(posed, skip_unpainted=call.skip_unpainted)
    meaning = PredictionLabels.read(call.predictions, truth.labels, call.map)
    matched = Matched.by_name(truth.items, mask_files(call.predictions))
    _check(call, matched)
    check_same_cameras(matched.pairs, call.predictions, posed)
    fields = {
        "command": "evaluate",
        "output": None if call.grid is None else str(call.grid),
        "predictions": str(call.predictions),
        "against": str(call.against),
        "labels": list(truth.labels.names),
    }
    against = "the truth" if call.against == TRUTH else str(call.against)
    reporter.start(f"evaluate: {counted(len(matched.pairs), 'prediction')} of {call.predictions} against {against}", **fields)
    if truth.skipped:
        reporter.warning(f"{counted(truth.skipped, 'mask')} with nothing painted left out")
    if matched.missing:
        reporter.warning(
            f"{counted(len(matched.missing), 'view')} without a prediction left out: {listed(matched.missing, LISTED)}"
        )
    if matched.superfluous:
        reporter.warning(
            f"{counted(len(matched.superfluous), 'prediction')} of no view left out: {listed(matched.superfluous, LISTED)}"
        )
    if meaning.unused:
        reporter.warning(f"--map: {listed(meaning.unused, LISTED)}: no such name in {meaning.source}")
    scored: list[ScoredFrame] = []
    with reporter.progress("predictions scored", len(matched.pairs)) as advance:
        for item, file in matched.pairs:
            for frame in score_pair(item, file, meaning):
                scored.append(frame)
                reporter.event("view", name=frame.name, miou=scoring.rounded(frame.miou))
            advance()
    if call.grid is not None:
        title = f"{call.predictions.name or call.predictions} against {against}"
        write_bytes_whole(call.grid, predictions_grid(title, scored, meaning))
    result = scoring.segmentation_json(pooled(scored), truth.labels)
    low = ", ".join(f"{frame.name} {frame.miou:.4f}" for frame in worst(scored))
    reporter.summary(
        [
            f"{call.predictions}: {counted(len(scored), 'view')} against {against}",
            *scoring.score_table({"mIoU": result["miou"], "accuracy": result["accuracy"]}, result["iou_per_class"]),
            *confusion_table(scored, truth.labels),
            *([f"worst views, mIoU: {low}"] if low else []),
            *([] if call.grid is None else [f"look at {call.grid}"]),
        ],
        **fields,
        **result,
        **predictions_json(scored),
        missing=matched.missing,
        superfluous=matched.superfluous,
        views=len(scored),
        seconds=round(time.monotonic() - started, 3),
    )


def _check(call: EvaluateCall, matched: Matched) -> None:
    if not matched.pairs:
        views, found = ", ".join(matched.missing[:2]), ", ".join(matched.superfluous[:2])
        raise AnnotationError(
            f"{call.predictions}: expected predictions named as the views, such as {views}, found none of them but {found}; name each file "
            "as its view"
        )
    if matched.missing and not call.skip_missing:
        total = len(matched.missing) + len(matched.pairs)
        surplus = f", and of no view: {listed(matched.superfluous, LISTED)}" if matched.superfluous else ""
        raise AnnotationError(
            f"{call.predictions}: expected a prediction for each of {total} views, found none for {len(matched.missing)}: "
            f"{listed(matched.missing, LISTED)}{surplus}; add them, or leave them out with --skip-missing"
        )
