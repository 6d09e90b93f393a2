"""Steps that score a branch itself, without a network that learned from it, on views whose exact masks are known."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from dnerf_core import job_ranges
from dnerf_core.errors import AnnotationError
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.ranges import Number, Ranged, Whole, ranged
from headless.annotating.training_plan import TrainCall
from headless.runs.evaluating.cross_validation import FOLDS, CrossValidateCall, cross_validate
from headless.work.reporting import Quiet, Reporter


@dataclass(frozen=True, kw_only=True)
class ScoreBranchCall(Ranged):
    """A model's branch on the views of a test set, whose seeds it makes into subjects of its own.

    Attributes:
        model_name: a model file with a branch.
        test: what `world` wrote of the model's world.
        every: one view in so many is scored, in the order of the set, beginning with the first.
    """

    model_name: str
    test: Path
    output: Path
    every: int = ranged(Whole(1, None, 1))
    device: str = ranged(job_ranges.DEVICE)


@dataclass(frozen=True, kw_only=True)
class ScoreFoldsCall(TrainCall):
    """Branches that painted folders teach, by cross-validation; see `CrossValidateCall`."""

    folds: int = ranged(FOLDS)
    learned_share: float = ranged(Number(0.0, 1.0, 1.0, above=True))


def score_folds(call: ScoreFoldsCall, reporter: Reporter | None = None) -> None:
    """Train and score every fold, and write the scores; the folds lie in a folder beside them.

    Raises:
        DNeRFError: folders or a model that cannot be used, fewer subjects than folds, or results that cannot be written.
    """
    training = TrainCall(**{field.name: getattr(call, field.name) for field in dataclasses.fields(TrainCall)})
    kept = call.output.with_name("folds")
    found = cross_validate(
        CrossValidateCall(training=training, folds=call.folds, learned_share=call.learned_share, keep=kept), reporter
    )
    write_bytes_whole(call.output, json.dumps(found, indent=1).encode())


def score_branch(call: ScoreBranchCall, reporter: Reporter | None = None) -> None:
    """Render the branch's masks of the test's subjects from its cameras, at its size, and write the scores and some of the masks.

    Raises:
        DNeRFError: a model or a test set that cannot be used, or scores that cannot be written.
    """
    from dnerf_core.files.masks import read_sized_mask
    from dnerf_core.files.pictures import write_mask_ids
    from dnerf_core.files.view_lists import read_view_lists
    from dnerf_core.metrics import confusion_matrix, pooled_scores
    from headless import models
    from headless.reproducing.scoring import shown_mask, shown_views
    from headless.scores.scoring import require_labels, segmentation_json

    found = read_view_lists(call.test)
    masks = [row.mask for row in found.rows]
    if found.labels is None or any(mask is None for mask in masks):
        raise AnnotationError(
            f"{call.test}: expected a test set with masks and labels.json, found none; make it by the command world"
        )
    model = models.load_model(call.model_name, call.device)
    require_labels(model, found.labels)
    scored, shown = range(0, len(found.rows), call.every), shown_views(len(found.rows))
    looked_at = sorted({*scored, *shown})
    confusions, opened = [], None
    with (reporter or Quiet()).progress(f"views of {call.test.name} labelled", len(looked_at)) as advance:
        for index in looked_at:
            row, path = found.rows[index], masks[index]
            assert path is not None
            truth = read_sized_mask(path, found.labels, lambda width_px, height_px: None)
            if opened is None or opened[0] != row.seed:
                opened = row.seed, model.subject(row.seed)
            mask = opened[1].channels(row.camera, truth.shape[0], ("mask",)).mask
            assert mask is not None
            if index in scored:
                confusions.append(confusion_matrix(truth, mask, found.labels.num_classes))
            if index in shown:
                write_mask_ids(shown_mask(call.output, index), mask)
            advance()
    scores = {"views": len(confusions), **segmentation_json(pooled_scores(confusions), found.labels)}
    write_bytes_whole(call.output, json.dumps(scores, indent=1).encode())
