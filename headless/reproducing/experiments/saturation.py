"""Figure S12: how scores grow with the number of generated pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.errors import counted
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import growth
from headless.reproducing.pictures import image_tests, pairs_of, score_of_images, segmenter_on
from headless.reproducing.steps import Cell, Row

if TYPE_CHECKING:
    from headless.reproducing.setting import Setting


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """A row for each number of pairs and repetition, by the branch of the most labels."""
    found, count, sizes = [], setting.counts[-1], setting.scale.pairs
    for repetition in range(setting.repetitions):
        blocks = pairs_of(setting, count, repetition, sizes)
        for number, size in enumerate(sizes, start=1):
            network = segmenter_on(setting, f"{counted(size, 'pair')} of {count} labels", blocks[:number], repetition)
            cells = {
                column: Cell(score_of_images(setting, network, column), test=test)
                for column, test in image_tests(setting).items()
            }
            found.append(Row("datasetnerf", "DatasetNeRF", {"labels": count, "pairs": size}, repetition, cells, seed=repetition))
    return found, []


SATURATION = Experiment(
    "s12",
    "Figure S12: saturation over the number of generated pairs",
    (
        "mIoU as in table 1, of one branch. The segmenter learns as many steps from each number of pairs; those of a smaller number are "
        "among those of a larger one.",
    ),
    ("datasetnerf",),
    rows,
    lambda setting: tuple(image_tests(setting)),
    axis="pairs",
    findings=growth("pairs"),
)
