"""What an evaluation is asked for, and what its ways have in common: the checks of a call, and how scores are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerf_core import job_ranges
from dnerf_core.errors import UsageError
from dnerf_core.ranges import Whole, ranged, ranges_of
from dnerf_core.seeds import format_seeds, parse_seeds
from headless.annotating.training_plan import TrainCall
from headless.runs.choices import DEFAULT_MODEL
from headless.runs.evaluating.cross_validation import FOLDS, CrossValidateCall
from headless.runs.poses import PosedCall
from headless.runs.shared_calls import SeedsCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.model import Model

TRAINING = ("steps", "scales", "density_prior", "patch", "seed")
"""Fields that say how each fold's branch is trained, as `TrainCall` has them."""
_TRAIN = ranges_of(TrainCall)
_FOLDER_REFUSES = ("seeds", "subjects", "views", "yaw", "pitch", "pose", "random_poses")


TRUTH: Literal["truth"] = "truth"
"""The word of `--against` that means the demo's exact truth, instead of a folder's masks."""
ROW = Whole(0, None, None, "Draw pixel row N, 0 at the top.")


@dataclass(frozen=True, kw_only=True)
class EvaluateCall(SeedsCall, PosedCall):
    """What one call of `evaluate` asks for; None: what `docs/cli.md` says of an option that is not given.

    Attributes:
        predictions: score these masks or label videos, which anyone made, instead of a model.
        against: what they are scored against: a folder of masks, or the demo's exact truth of a data set's views, which is `folders`, or
            the predictions' own.
        skip_missing: leave out views that have no prediction.
        cross_validate: train a branch for each of so many folds of the folders' subjects, and score it on its fold.
        keep: with `cross_validate`: a folder for the folds' models and scores, with which the same call goes on.
        map: `name=label` for names of the predictions' labels that mean a label of the truth though they are spelled otherwise.
    """

    folders: tuple[Path, ...] = ()
    truth: bool = ranged(job_ranges.OFF)
    consistency: bool = ranged(job_ranges.OFF)
    consistent: bool = ranged(job_ranges.OFF)
    video: bool = ranged(job_ranges.OFF)
    views: int | None = ranged(job_ranges.VIEWS)
    grid: Path | None = None
    textures: Path | None = None
    row: int | None = ranged(ROW)
    skip_unpainted: bool = ranged(job_ranges.OFF)
    snap_colors: bool = ranged(job_ranges.SNAP_COLORS)
    exact: bool = ranged(job_ranges.OFF)
    predictions: Path | None = None
    against: Path | Literal["truth"] | None = None
    skip_missing: bool = ranged(job_ranges.OFF)
    map: tuple[str, ...] = ()
    cross_validate: int | None = ranged(FOLDS)
    keep: Path | None = None
    steps: int = ranged(_TRAIN["steps"])
    scales: Literal["all", "last"] = ranged(_TRAIN["scales"])
    density_prior: bool = ranged(_TRAIN["density_prior"])
    patch: int | None = ranged(_TRAIN["patch"])
    seed: int = ranged(_TRAIN["seed"])

    def of_folds(self, folds: int) -> CrossValidateCall:
        """The cross-validation that is meant; the generator is the folders' own, where the model is not named."""
        training = TrainCall(
            folders=self.folders,
            output=Path(),
            model_name=None if self.model_name == DEFAULT_MODEL else self.model_name,
            skip_unpainted=self.skip_unpainted,
            snap_colors=self.snap_colors,
            device=self.device,
            **{name: getattr(self, name) for name in TRAINING},
        )
        return CrossValidateCall(training=training, folds=folds, keep=self.keep)


def check_call(call: EvaluateCall) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: neither or both of a folder and `--truth`, or an option of another kind of evaluation.
    """
    if _check_predictions(call) or _check_folds(call):
        return
    if call.consistency and not call.folders:
        raise UsageError("--consistency: expected a FOLDER of views with cameras, depth and masks, found none; give one")
    if call.textures is not None and not call.consistency:
        raise UsageError("--textures: expected with --consistency, found none; add it, or leave out --textures")
    if call.row is not None and call.textures is None:
        raise UsageError("--row: expected with --textures, found none; add it, or leave out --row")
    if call.consistency:
        return
    if bool(call.folders) == call.truth:
        found = "both" if call.truth else "neither"
        raise UsageError(f"evaluate: expected either an annotated FOLDER or --truth, found {found}; give one of them")
    if call.video and not call.truth:
        raise UsageError("--video: expected with --truth, found an annotated folder; leave it out")
    if call.consistent and not call.truth:
        raise UsageError("--consistent: expected with --truth, found an annotated folder; leave it out")
    if call.truth and call.skip_unpainted:
        raise UsageError("--skip-unpainted: expected with an annotated folder, found --truth; leave it out")
    for name in _FOLDER_REFUSES:
        if call.folders and getattr(call, name) not in (None, False):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option}: expected with --truth, found an annotated folder, which has its own views; leave it out")


def _check_folds(call: EvaluateCall) -> bool:
    """Whether folds are scored.

    Raises:
        UsageError: options that do not go together.
    """
    if call.cross_validate is None:
        if call.keep is not None:
            raise UsageError("--keep: expected with --cross-validate, found none; add it, or leave out --keep")
        return False
    if not call.folders:
        raise UsageError("--cross-validate: expected an annotated FOLDER, found none; give one")
    if call.truth or call.consistency:
        found = "--truth" if call.truth else "--consistency"
        raise UsageError(f"--cross-validate: expected neither --truth nor --consistency, found {found}; leave one of them out")
    return True


def _check_predictions(call: EvaluateCall) -> bool:
    """Whether predictions are scored.

    Raises:
        UsageError: options that do not go together.
    """
    if call.predictions is None:
        for name in ("against", "skip_missing", "map"):
            if getattr(call, name):
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option}: expected with --predictions, found none; add it, or leave out {option}")
        return False
    if call.against is None:
        raise UsageError("--predictions: expected --against with a folder of masks, or the word truth, found none; give one")
    if call.folders and call.against != TRUTH:
        raise UsageError("--predictions: expected no FOLDER beside --against FOLDER, found one; leave it out")
    if len(call.folders) > 1:
        raise UsageError(f"--against truth: expected one FOLDER, whose views they are, found {len(call.folders)}; give one")
    if call.skip_unpainted and call.against == TRUTH:
        raise UsageError("--skip-unpainted: expected with an annotated folder, found --against truth; leave it out")
    return True


def message_fields(call: EvaluateCall, against: str | list[str]) -> dict[str, Any]:
    """What the first and the last message say of the call."""
    grid = None if call.grid is None else str(call.grid)
    return {"command": "evaluate", "output": grid, "model": call.model_name, "against": against}


def finish(
    call: EvaluateCall,
    reporter: Reporter,
    lines: Sequence[str],
    fields: dict[str, Any],
    result: dict[str, Any],
    *,
    views: int,
    seconds: float,
) -> None:
    """The last message: lines for people, and for machines the `message_fields` of the call and its result."""
    grid = [] if call.grid is None else [f"look at {call.grid}"]
    reporter.summary(
        [*lines, *grid],
        **fields,
        **result,
        views=views,
        seconds=round(seconds, 3),
    )


def warn_of_known_seeds(model: Model, seeds: Iterable[int], reporter: Reporter) -> None:
    """A score on subjects that the branch was trained on says little about others."""
    record = (model.header.training or {}).get("semantic")
    text = record.get("seeds") if isinstance(record, dict) else None
    if not isinstance(text, str) or not text:
        return
    try:
        known = set(parse_seeds(text)) & set(seeds)
    except ValueError:
        return  # the record is for people; one in another form is not this command's business
    if known:
        reporter.warning(f"seeds {format_seeds(tuple(sorted(known)))}: the semantic branch was trained on these subjects")
