"""Table 5: how the branch's scores grow with the number of painted views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headless.reproducing.branch_steps import CROSS_VALIDATED, FRAMES, cells, columns
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import growth
from headless.reproducing.painted import Ablation
from headless.reproducing.steps import Row

if TYPE_CHECKING:
    from headless.reproducing.setting import Setting

SHARES = (1 / 3, 1 / 2, 1.0)
"""Of a user's own painted views, where a world has the scale's numbers."""


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """A row for each number of labels and repetition."""
    numbers = setting.scale.views if setting.call.annotations is None else setting.counts
    if setting.world is None:
        whole = setting.counts[-1]
        numbers = tuple(sorted({max(1, round(whole * share)) for share in SHARES}))
    return [
        Row("views", "branch", {"labels": count}, repetition, cells(setting, count, repetition, Ablation()), seed=repetition)
        for repetition in range(setting.repetitions)
        for count in numbers
    ], []


TABLE5 = Experiment(
    "table5",
    "Table 5: the number of painted views",
    ("Scores of the branch itself, as in table 4, by how many painted views it learned from.", FRAMES, CROSS_VALIDATED),
    ("views",),
    rows,
    columns,
    axes=("labels",),
    findings=growth("labels"),
)
