"""What `evaluate --cross-validate` does: a branch for each fold of painted subjects, trained on the others and scored on it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import OutputError, counted
from dnerf_core.files.whole import make_folder, write_bytes_whole
from dnerf_core.ranges import Number, Ranged, Whole, ranged
from headless.annotating.training_plan import TrainCall, matching_model
from headless.work.at_work import at_work, call_digest
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.files.annotated_folder import Annotations
    from dnerf_core.labels import LabelSet
    from headless.annotating.training_plan import TrainingPlan
    from headless.scores.fold_scores import FoldScore

FOLDS = Whole(
    2, 1000, None, "Divide the FOLDER's subjects into N folds, and score each by a branch that is trained on the others for it."
)


@dataclass(frozen=True, kw_only=True)
class CrossValidateCall(Ranged):
    """What one cross-validation asks for.

    Attributes:
        training: how each fold's branch is trained; its folders are divided, its `output` and `holdout` say nothing here.
        folds: how many.
        learned_share: of the subjects of the other folds, those that are learned from.
        keep: where the folds' models and scores go, so that the same call goes on with them; None: nowhere.
    """

    training: TrainCall
    folds: int = ranged(FOLDS)
    learned_share: float = ranged(Number(0.0, 1.0, 1.0, above=True))
    keep: Path | None = None


def cross_validate(call: CrossValidateCall, reporter: Reporter | None = None) -> dict[str, Any]:
    """Train and score every fold; returns what the summary tells.

    Args:
        reporter: hears how it gets on; None: nobody does, but warnings are given to Python's `warnings`.

    Raises:
        DNeRFError: folders or a model that cannot be used, fewer subjects than folds, or results that cannot be written.
    """
    from headless.annotating.folds import plans_of
    from headless.annotating.painted import read_painted

    reporter, training, started = reporter or Quiet(), call.training, time.monotonic()
    annotations = read_painted(training.folders, skip_unpainted=training.skip_unpainted, snap_colors=training.snap_colors)
    facts = matching_model(training.model_name, annotations)
    if training.patch is not None:
        from dnerf_core.semantic.config import check_patch

        check_patch(training.patch, facts.config)
    with ExitStack() as held:
        if call.keep is None:
            folder = Path(held.enter_context(TemporaryDirectory(prefix="dnerf-folds-")))
        else:
            folder = call.keep
            make_folder(folder)
            held.enter_context(at_work(folder, call_digest("cross-validate"), reporter.warning))
        plans = plans_of(_placed(training, folder), annotations, facts, call.folds, call.learned_share)
        against = [str(path) for path in annotations.folders]
        fields = {
            "command": "evaluate",
            "output": None if call.keep is None else str(call.keep),
            "model": training.model_name or annotations.model,
            "against": against,
        }
        views, subjects = len(annotations.images), len({subject.unposed for subject in annotations.subjects})
        what = f"{counted(views, 'view')} of {counted(subjects, 'subject')} in {counted(call.folds, 'fold')}"
        reporter.start(f"evaluate: {what}, a branch each", **fields, views=views, cross_validate=call.folds)
        _warn(annotations, plans, reporter)
        scores = [_fold(number, plan, folder, reporter) for number, plan in enumerate(plans, start=1)]
    from headless.scores.fold_scores import folds_json, folds_table

    result = folds_json(scores, annotations.labels)
    reporter.summary(
        [
            f"{', '.join(against)}: {what}, all together (mean and spread over folds)",
            *folds_table(result),
            *([] if call.keep is None else [f"look at {folder / 'fold-1-grid.png'}"]),
        ],
        **fields,
        **result,
        cross_validate=call.folds,
        views=views,
        seconds=round(time.monotonic() - started, 3),
    )
    return result


def _placed(training: TrainCall, folder: Path) -> TrainCall:
    return dataclasses.replace(training, output=folder, holdout=None)


def _warn(annotations: Annotations, plans: Sequence[TrainingPlan], reporter: Reporter) -> None:
    from dnerf_core.files.annotated_folder import missing_classes

    if annotations.skipped:
        reporter.warning(f"{counted(annotations.skipped, 'mask')} with nothing painted left out")
    if (snapped := annotations.snapped.line()) is not None:
        reporter.warning(snapped)
    nowhere = set(missing_classes(annotations.images, annotations.labels))
    if nowhere:
        names = [name for name in annotations.labels.names if name in nowhere]
        reporter.warning(f"{', '.join(names)}: painted in no mask, and not scored")
    for number, plan in enumerate(plans, start=1):
        unlearned = [name for name in missing_classes(plan.trained_images, annotations.labels) if name not in nowhere]
        if unlearned:
            reporter.warning(f"fold {number}: {', '.join(unlearned)} is painted in no mask that its branch learns from")


def _fold(number: int, plan: TrainingPlan, folder: Path, reporter: Reporter) -> FoldScore:
    """A fold's score: kept by an earlier call, or made."""
    from headless.scores.fold_scores import fold_json

    path = folder / f"fold-{number}.json"
    score = _kept_score(path, plan, plan.labels)
    if score is None:
        score = _trained_score(number, plan, reporter)
        data = {"call_sha256": plan.identity_sha256(), **score.to_json()}
        write_bytes_whole(path, json.dumps(data).encode())
    reporter.event("fold", **fold_json(number, score, plan.labels))
    return score


def _trained_score(number: int, plan: TrainingPlan, reporter: Reporter) -> FoldScore:
    import numpy as np

    from headless import models
    from headless.annotating.trained_model import finished_record
    from headless.annotating.training_run import run_training
    from headless.scores import scoring
    from headless.scores.fold_scores import FoldScore

    voice = _FoldVoice(reporter, number)
    if finished_record(plan) is None:
        run_training(plan, voice)
    model = models.load_model(str(plan.call.output), plan.call.device)
    scored = []
    with voice.progress("views scored", len(plan.scored_images)) as advance:
        for item in scoring.score_images(model, plan.scored_images, plan.labels):
            scored.append(item.confusion)
            advance()
    subjects = len({subject.unposed for subject in plan.held_out})
    return FoldScore(np.sum(scored, axis=0), len(scored), subjects, len(plan.trained_images))


def _kept_score(path: Path, plan: TrainingPlan, labels: LabelSet) -> FoldScore | None:
    """What an earlier call of this very training kept of a fold.

    Raises:
        OutputError: the file is another call's, or damaged.
    """
    import numpy as np

    from headless.scores.fold_scores import FoldScore

    remedy = "remove it, or choose another --keep"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"{path}: expected a fold's scores, it cannot be read; {remedy}") from error
    if not isinstance(data, dict) or data.get("call_sha256") != plan.identity_sha256():
        raise OutputError(f"{path}: expected the scores of this fold, found another call's; {remedy}")
    try:
        counts = [int(data[name]) for name in ("views", "subjects", "views_learned")]
        confusion = np.array(data["confusion"], np.int64).reshape(labels.num_classes, labels.num_classes)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise OutputError(f"{path}: expected the whole scores of a fold, found less; {remedy}") from error
    return FoldScore(confusion, *counts)


class _FoldVoice(Reporter):
    """The voice of a fold's training: progress and steps by the fold's number; warnings of masks are those of all folds, told once."""

    def __init__(self, outer: Reporter, number: int) -> None:
        super().__init__(as_json=outer.as_json)
        self._outer, self._number = outer, number

    def event(self, kind: str, **fields: Any) -> None:
        self._outer.event(kind, fold=self._number, **fields)

    def start(self, text: str, **fields: Any) -> None:
        return None

    def warning(self, message: str, **fields: Any) -> None:
        if self._number == 1:
            self._outer.warning(message, **fields)

    def summary(self, lines: Sequence[str], **fields: Any) -> None:
        return None

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Any]:
        with self._outer.progress(f"fold {self._number}: {description}", total) as advance:
            yield advance
