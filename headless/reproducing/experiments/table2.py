"""Table 2: how scores of point clouds grow with the number of generated clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.errors import counted
from headless.reproducing.cloud_steps import clouds_of, point_network_on, score_of_clouds
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import growth
from headless.reproducing.steps import Cell, Row

if TYPE_CHECKING:
    from headless.reproducing.setting import Setting

COLUMNS = {"part mIoU": ("part_miou",), "mIoU": ("miou",), "accuracy": ("accuracy",)}


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """A row for each number of clouds and repetition, by the branch of the most labels."""
    found, count, sizes = [], setting.counts[-1], setting.scale.clouds
    for repetition in range(setting.repetitions):
        blocks = clouds_of(setting, count, repetition, sizes)
        for number, size in enumerate(sizes, start=1):
            network = point_network_on(setting, f"{counted(size, 'cloud')} of {count} labels", blocks[:number], repetition)
            step = score_of_clouds(setting, network)
            cells = {column: Cell(step, entry) for column, entry in COLUMNS.items()}
            found.append(Row("datasetnerf", "DatasetNeRF", {"labels": count, "clouds": size}, repetition, cells, seed=repetition))
    return found, []


TABLE2 = Experiment(
    "table2",
    "Table 2: segmentation of point clouds, by the number of generated clouds",
    (
        "Scores on clouds of unseen subjects, which stand and face as the generated ones do; of a world they are exact, scanned from views "
        "all around. Part mIoU is the mean over clouds of the mean over parts, as ShapeNetPart's benchmark has it; mIoU and accuracy are "
        "of all points together. The network learns as many steps from each number of clouds.",
    ),
    ("datasetnerf",),
    rows,
    lambda setting: tuple(COLUMNS),
    axes=("clouds",),
    findings=growth("clouds"),
)
