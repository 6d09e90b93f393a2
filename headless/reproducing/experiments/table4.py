"""Table 4: what multi-scale features and the density prior do for the branch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headless.reproducing.branch_steps import CROSS_VALIDATED, FRAMES, cells, columns
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import against, both
from headless.reproducing.painted import Ablation
from headless.reproducing.scales import SMALL
from headless.reproducing.steps import Row

if TYPE_CHECKING:
    from headless.reproducing.setting import Setting


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """Two pairs of rows a repetition; the scale may make both of the second pair cheaper."""
    found, most = [], setting.counts[-1]
    fewer, part = _fewer(setting), Ablation(patch=_patch(setting), every=setting.scale.prior_every)
    for repetition in range(setting.repetitions):
        for name, title, count, ablation in (
            ("last-scale", "without multi-scale features", most, Ablation(scales="last")),
            ("all-scales", "with multi-scale features", most, Ablation()),
            (
                "no-density-prior",
                "without density prior",
                fewer,
                replace(part, density_prior=False),
            ),
            ("density-prior", "with density prior", fewer, part),
        ):
            row_cells = cells(setting, count, repetition, ablation)
            found.append(Row(name, title, {"labels": count}, repetition, row_cells, seed=repetition))
    return found, []


def _fewer(setting: Setting) -> int:
    """Labels of the density prior's rows."""
    most, fewer = setting.counts[-1], setting.scale.prior_labels
    return most if fewer is None or setting.world is None else min(most, fewer)


def _patch(setting: Setting) -> int | None:
    """Rays a side of the parts of views that the density prior's rows learn from."""
    part = setting.scale.prior_part
    return None if part == 1 else setting.rays // part


TABLE4 = Experiment(
    "table4",
    "Table 4: multi-scale features and the density prior",
    (
        "Scores of the branch itself on exact views of unseen subjects, single ones (Ind.) and frames of videos (Vid.): mIoU over all "
        "pixels, background counted, and the share of pixels that are right. No segmenter learns from it.",
        "Without multi-scale features the branch reads the generator's last block alone; without the density prior it has a density of "
        "its own, which it learns from the masks.",
        "Without the prior it reads many samples on every ray, and a training by whole views takes some thirty times as long. At the scale "
        f"small both rows of the density prior therefore learn from at most {SMALL.prior_labels} labels, see in each step a random square "
        f"of a view, one part in {SMALL.prior_part} of its side, and are scored on one in {SMALL.prior_every} of the views: compare them "
        "with each other, not with the others.",
        FRAMES,
        CROSS_VALIDATED,
    ),
    ("last-scale", "all-scales", "no-density-prior", "density-prior"),
    rows,
    columns,
    findings=both(against("all-scales", ("last-scale",)), against("density-prior", ("no-density-prior",))),
)
