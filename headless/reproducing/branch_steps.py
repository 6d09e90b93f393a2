"""Steps of the paper's ablations: the scores of branches themselves, of table 1's and of those that are trained otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.errors import counted
from headless.reproducing.painted import Ablation, branch_of, of_seed, painted_views, unit_of_training
from headless.reproducing.pictures import image_tests
from headless.reproducing.scales import SMALL
from headless.reproducing.setting import Setting
from headless.reproducing.steps import Cell, Place, Step

COLUMNS = ("Ind. mIoU", "Ind. acc.", "Vid. mIoU", "Vid. acc.")
OWN_COLUMNS = ("mIoU", "accuracy")
"""Of a user's own painted views, by cross-validation."""
FRAMES = f"Of the videos one in {SMALL.branch_video_every} frames is scored at the scale small, else all."
CROSS_VALIDATED = (
    "With a model and painted views of one's own nobody knows the exact truth: the painted subjects are divided into folds, the views of "
    "each are scored by a branch that learned from those of the others, or from the named part of them, and the scores are of the pixels "
    "of all folds together."
)


def columns(setting: Setting) -> tuple[str, ...]:
    """What is told of a branch."""
    return COLUMNS if setting.world is not None else OWN_COLUMNS


def cells(setting: Setting, count: int, repetition: int, ablation: Ablation) -> dict[str, Cell]:
    """What a branch scores: mIoU and accuracy on the individual and the video test of table 1, or by folds of a user's own views."""
    if setting.world is None:
        step = _folds(setting, count, repetition, ablation)
        return {"mIoU": Cell(step, ("miou",)), "accuracy": Cell(step, ("accuracy",))}
    branch, found = branch_of(setting, count, repetition, ablation), {}
    for column, every in (("Ind.", ablation.every), ("Vid.", ablation.every * setting.scale.branch_video_every)):
        test = image_tests(setting)[column]
        step = _score(branch, test, every, ablation, f"{branch.title}, itself, {column}")
        found[f"{column} mIoU"] = Cell(step, ("miou",), test)
        found[f"{column} acc."] = Cell(step, ("accuracy",), test)
    return found


def _folds(setting: Setting, count: int, repetition: int, ablation: Ablation) -> Step:
    from headless.reproducing.scoring_branches import ScoreFoldsCall

    painted, scale, whole = painted_views(setting, count, repetition), setting.scale, setting.counts[-1]

    def call(place: Place) -> Any:
        return ScoreFoldsCall(
            folders=(place(painted),),
            output=Path(),
            model_name=str(place(setting.model)),
            steps=scale.branch_steps,
            scales=ablation.scales,
            density_prior=ablation.density_prior,
            patch=ablation.patch,
            seed=repetition,
            skip_unpainted=True,
            folds=scale.folds,
            learned_share=count / whole,
        )

    title = f"branches of {counted(count, 'label')}{ablation.words} in {counted(scale.folds, 'fold')}{of_seed(repetition)}"
    unit, units = unit_of_training(ablation), scale.folds * scale.branch_steps
    return Step("score-folds", title, (setting.model, painted), call, unit, units)


def _score(branch: Step, test: Any, every: int, ablation: Ablation, title: str) -> Step:
    from headless.reproducing.scoring_branches import ScoreBranchCall

    def call(place: Place) -> Any:
        return ScoreBranchCall(model_name=str(place(branch)), test=place(test), every=every, output=Path())

    unit = "views by a branch" if ablation.density_prior else "views by a branch without density prior"
    return Step("score-branch", title, (branch, test), call, unit, -(-test.units // every))
