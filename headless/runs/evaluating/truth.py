"""What `evaluate --truth` does: score the demo's views against the exact truth, and with `--consistent` both kinds of masks."""

from __future__ import annotations

import time
from functools import partial

from dnerf_core.checkpoints import model_facts
from dnerf_core.demo.truth import require_truth, score_views, scored_labels, summarise
from dnerf_core.errors import UsageError, counted
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.seeds import format_seeds
from headless import models
from headless.runs.choices import check_total, chosen_seeds
from headless.runs.evaluating.call import EvaluateCall, finish, message_fields, warn_of_known_seeds
from headless.runs.poses import given_poses
from headless.scores import scoring
from headless.scores.truth_consistency import ConsistentScores
from headless.scores.truth_scoring import VIDEO_FRAMES, TruthViews, truth_grid, view_json
from headless.work.reporting import Reporter


def score_truth(call: EvaluateCall, reporter: Reporter) -> None:
    """Score the demo's views against the exact truth.

    Raises:
        DNeRFError: a model that cannot be scored so, or a grid that cannot be written.
    """
    started = time.monotonic()
    seeds = chosen_seeds(call.seeds, call.subjects, (0,) if call.video else tuple(range(100)))
    facts = model_facts.describe_model(call.model_name)
    check_total(len(seeds), call.views or (VIDEO_FRAMES if call.video else 1))
    model = models.load_model(call.model_name, call.device, exact=call.exact)
    world, poses = require_truth(model), given_poses(call, facts)
    if call.consistent and poses is not None:
        raise UsageError("--consistent: expected subjects in their own pose, found others; leave one of them out")
    views = TruthViews.chosen(
        facts.config, world, video=call.video, count=call.views, yaw_deg=call.yaw, pitch_deg=call.pitch, poses=poses
    )
    total = len(seeds) * views.count
    labels = scored_labels(model)
    reason = "it has no semantic branch" if model.labels is None else f"its labels are {', '.join(model.labels.names)}"
    if labels is None and call.consistent:
        raise UsageError(
            f"--consistent: expected a model with masks to score, found none that can be, since {reason}; leave it out"
        )
    fields = message_fields(call, "truth") | {"video": call.video}
    reporter.start(
        f"evaluate: {counted(total, 'view')} of {call.model_name} against the truth",
        **fields,
        seeds=format_seeds(seeds),
        views=total,
        cameras=views.to_json(),
    )
    if labels is None:
        reporter.warning(f"{call.model_name}: masks are not scored, since {reason}")
    warn_of_known_seeds(model, seeds, reporter)
    consistent = ConsistentScores(model, views, labels) if call.consistent and labels is not None else None
    scored = []
    with reporter.progress("views scored", total) as advance:
        shots = partial(views.shots, model.config.cameras)
        for item in score_views(model, seeds, shots, None if consistent is None else consistent.observe):
            scored.append(item)
            reporter.event("view", **view_json(item))
            advance()
    if call.grid is not None:
        write_bytes_whole(call.grid, truth_grid(f"{call.model_name} against the truth", model, scored))
    means, masks = summarise(scored)
    result = {
        "silhouette_iou": scoring.rounded(means.silhouette_iou),
        "psnr_db": scoring.rounded(means.psnr_db),
        "depth_error": scoring.rounded(means.depth_error),
        **scoring.segmentation_json(masks, labels),
        **({} if consistent is None else consistent.to_json()),
    }
    rows = {
        "silhouette IoU": result["silhouette_iou"],
        "PSNR, dB": result["psnr_db"],
        f"depth error, of {world.measure}": result["depth_error"],
        "mIoU": result["miou"],
        "accuracy": result["accuracy"],
    }
    seen = "frame" if call.video else "random view"
    lines = [
        f"{call.model_name}: {counted(total, seen)} of {counted(len(seeds), 'subject')} against the truth",
        *scoring.score_table(rows, result["iou_per_class"]),
        *([] if consistent is None else consistent.table(result)),
    ]
    finish(call, reporter, lines, fields, result, views=total, seconds=time.monotonic() - started)
