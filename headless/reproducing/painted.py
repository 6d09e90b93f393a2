"""Steps of what is painted and learned from it: painted views, and the branch that they teach.

Subjects never serve two purposes: those that are painted, those of tests and those that are generated have seeds apart, and each
repetition has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dnerf_core.errors import counted
from headless.reproducing.setting import PAINTED_SEEDS, VIEWS_A_SUBJECT, Setting
from headless.reproducing.steps import Given, Place, Step

TEST_SEED = 20_000
"""The first subject of tests; painted ones are below."""
GENERATED_SEED = 100_000
"""The first generated subject of repetition 0; each repetition has as many seeds to itself."""


@dataclass(frozen=True)
class Ablation:
    """How a branch differs from the usual one.

    Attributes:
        scales, density_prior, patch: as `TrainCall` has them.
        every: of test views one in so many is scored.
    """

    scales: Literal["all", "last"] = "all"
    density_prior: bool = True
    patch: int | None = None
    every: int = 1

    @property
    def words(self) -> str:
        """What a title says of it."""
        found = ["of the last scale alone"] if self.scales == "last" else []
        found += [] if self.density_prior else ["without density prior"]
        found += [] if self.patch is None else [f"from patches of {counted(self.patch, 'ray')} a side"]
        return "".join(f" {words}" for words in found)


def painted_views(setting: Setting, count: int, repetition: int) -> Step | Given:
    """So many painted views: those of fewer are among those of more."""
    if setting.annotated is not None:
        return setting.annotated
    from headless.runs.sampling.call import SampleCall

    views = VIEWS_A_SUBJECT if count % VIEWS_A_SUBJECT == 0 else 1
    first = PAINTED_SEEDS * repetition

    def call(place: Place) -> Any:
        return SampleCall(
            model_name=str(place(setting.model)),
            seeds=tuple(range(first, first + count // views)),
            views=views,
            yaw=setting.yaw_deg,
            pitch=setting.pitch_deg,
            view_distribution="uniform",
            truth=True,
        )

    return Step("sample", f"{count} painted views{of_seed(repetition)}", (setting.model,), call, "exact views to paint", count)


def branch_of(setting: Setting, count: int, repetition: int, ablation: Ablation = Ablation()) -> Step:
    """A model with the branch that so many painted views teach."""
    from headless.annotating.training_plan import TrainCall

    painted, steps = painted_views(setting, count, repetition), setting.scale.branch_steps

    def call(place: Place) -> Any:
        return TrainCall(
            folders=(place(painted),),
            output=Path(),
            model_name=str(place(setting.model)),
            steps=steps,
            scales=ablation.scales,
            density_prior=ablation.density_prior,
            patch=ablation.patch,
            seed=repetition,
            holdout=0.0,
            skip_unpainted=True,
            allow_missing_classes=True,
        )

    title = f"branch of {counted(count, 'label')}{ablation.words}{of_seed(repetition)}"
    return Step("train", title, (setting.model, painted), call, unit_of_training(ablation), steps)


def unit_of_training(ablation: Ablation) -> str:
    """What the cost of a branch's training is told by."""
    prior = "" if ablation.density_prior else " without density prior"
    patch = "" if ablation.patch is None else f" on patches of {ablation.patch} rays a side"
    return f"steps of a branch{prior}{patch}"


def in_blocks(sizes: Sequence[int], repetition: int) -> list[tuple[int, ...]]:
    """Seeds of generated subjects, dealt out so that the first k blocks have `sizes[k - 1]`."""
    first = GENERATED_SEED * (repetition + 1)
    begins = [0, *sizes[:-1]]
    return [tuple(range(first + start, first + end)) for start, end in zip(begins, sizes, strict=True)]


def of_seed(repetition: int) -> str:
    """What a title says of a repetition."""
    return f", seed {repetition}"
