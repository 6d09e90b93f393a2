"""What a training is judged by: scores of its held-out views, and a picture grid to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.files.whole import write_bytes_whole
from headless.scores import scoring

if TYPE_CHECKING:
    from dnerf_core.metrics import SegmentationScores
    from dnerf_core.model import Model
    from headless.annotating.training_plan import TrainingPlan
    from headless.work.reporting import Reporter


def score_and_draw(plan: TrainingPlan, model: Model, reporter: Reporter) -> SegmentationScores | None:
    """Score the held-out views, and draw them, or where there are none the first views that were trained on.

    Raises:
        OutputError: the grid cannot be written.
    """
    shown = plan.scored_images or plan.trained_images[: scoring.GRID_ROWS]
    scored = []
    with reporter.progress("views scored", len(shown)) as advance:
        for item in scoring.score_images(model, shown, plan.labels):
            scored.append(item)
            advance()
    kind = "held out" if plan.scored_images else "trained on"
    title = f"{plan.call.output.name}: views {kind}"
    write_bytes_whole(plan.grid_path, scoring.mask_grid(title, model, scored, plan.labels, call_sha256=plan.identity_sha256()))
    return scoring.pooled(scored) if plan.scored_images else None
