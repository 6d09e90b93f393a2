"""Figure S12: how scores of clouds grow with the number of exact ones, as in the paper, and those of pictures with generated pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.errors import counted
from headless.reproducing.cloud_steps import point_network_on, score_of_clouds
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import growth
from headless.reproducing.pictures import image_tests, pairs_of, score_of_images, segmenter_on
from headless.reproducing.real_clouds import real_clouds
from headless.reproducing.steps import Cell, Row

if TYPE_CHECKING:
    from headless.reproducing.setting import Setting

CLOUD_COLUMNS = {"clouds, mIoU": ("miou",), "clouds, accuracy": ("accuracy",)}


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """A row for each number of pairs, by the branch of the most labels, and of exact clouds."""
    found, count, sizes = [], setting.counts[-1], setting.scale.pairs
    remarks = [] if setting.world is not None else ["exact is left out: nobody knows the exact clouds of this model's subjects"]
    for repetition in range(setting.repetitions):
        blocks = pairs_of(setting, count, repetition, sizes)
        for number, size in enumerate(sizes, start=1):
            network = segmenter_on(setting, f"{counted(size, 'pair')} of {count} labels", blocks[:number], repetition)
            cells = {
                column: Cell(score_of_images(setting, network, column), test=test)
                for column, test in image_tests(setting).items()
            }
            found.append(Row("datasetnerf", "DatasetNeRF", {"labels": count, "pairs": size}, repetition, cells, seed=repetition))
        if setting.world is not None:
            found += [_of_clouds(setting, number, repetition) for number in setting.scale.exact_clouds]
    return found, remarks


def _of_clouds(setting: Setting, number: int, repetition: int) -> Row:
    network = point_network_on(setting, f"{number} real clouds", real_clouds(setting, number, repetition), repetition)
    step = score_of_clouds(setting, network)
    cells = {column: Cell(step, entry) for column, entry in CLOUD_COLUMNS.items()}
    return Row("exact", "exact clouds", {"clouds": number}, repetition, cells, seed=repetition)


SATURATION = Experiment(
    "s12",
    "Figure S12: saturation over the number of exact clouds, and of generated pairs",
    (
        "The paper's figure is of a network of points that learns, as many steps, from growing numbers of real clouds: here exact ones, as "
        "in table 3, scored on the clouds of table 2.",
        "Beside it, mIoU as in table 1 of one branch. The segmenter learns as many steps from each number of pairs; those of a smaller "
        "number are among those of a larger one.",
    ),
    ("datasetnerf", "exact"),
    rows,
    lambda setting: (*image_tests(setting), *(CLOUD_COLUMNS if setting.world is not None else ())),
    axes=("pairs", "clouds"),
    findings=growth("pairs", "clouds"),
)
