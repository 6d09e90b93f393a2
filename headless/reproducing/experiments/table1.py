"""Table 1: segmentation of pictures, by what a segmenter learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.errors import UsageError
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import against
from headless.reproducing.painted import painted_views
from headless.reproducing.pictures import (
    exact_pairs,
    gan_pairs,
    image_tests,
    pairs_of,
    score_of_images,
    segmenter_on,
    transfer_from,
)
from headless.reproducing.steps import Cell, Row

if TYPE_CHECKING:
    from headless.reproducing.setting import Setting
    from headless.reproducing.steps import Step


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """A row for each method, number of labels and repetition."""
    found, remarks = [], []
    with_transfer = True
    try:
        from dnerf_core.downstream.baselines.efficientnet import packaged_file

        packaged_file()
    except UsageError as error:
        with_transfer = False
        remarks.append(f"transfer and transfer-stages are left out: {error}")
    for repetition in range(setting.repetitions):
        for count in setting.counts:
            labels = {"labels": count}
            found.append(
                _row("painted", "painted pictures alone", labels, repetition, setting, _painted(setting, count, repetition))
            )
            if with_transfer:
                found += [
                    _transfer_row("transfer", "transfer learning, last layer", labels, repetition, setting, last=True),
                    _transfer_row("transfer-stages", "transfer learning, all strides", labels, repetition, setting, last=False),
                ]
            network = segmenter_on(setting, f"DatasetGAN of {count} labels", [gan_pairs(setting, count, repetition)], repetition)
            found.append(_row("datasetgan", "DatasetGAN", labels, repetition, setting, network))
            generated = pairs_of(setting, count, repetition, setting.scale.pairs)
            network = segmenter_on(setting, f"{setting.scale.pairs[-1]} pairs of {count} labels", generated, repetition)
            found.append(_row("datasetnerf", "DatasetNeRF", labels, repetition, setting, network))
        found.append(_photographs_row(setting, repetition))
        if setting.world is not None:
            network = segmenter_on(
                setting, f"{setting.scale.pairs[-1]} exact pairs", [exact_pairs(setting, repetition)], repetition
            )
            found.append(_row("exact", "exact truth", {}, repetition, setting, network))
    if setting.world is None:
        remarks.append("exact is left out: nobody knows the exact truth of this model's subjects")
    return found, remarks


def _painted(setting: Setting, count: int, repetition: int) -> Step:
    return segmenter_on(setting, f"{count} painted views", [painted_views(setting, count, repetition)], repetition)


def _photographs_row(setting: Setting, repetition: int) -> Row:
    """The pairs of the most labels once more, as photographs."""
    count, pairs = setting.counts[-1], setting.scale.pairs
    title = f"{pairs[-1]} pairs of {count} labels as photographs"
    network = segmenter_on(setting, title, pairs_of(setting, count, repetition, pairs), repetition, photographs="mild")
    return _row("datasetnerf-photographs", "DatasetNeRF as photographs", {"labels": count}, repetition, setting, network)


def _row(name: str, title: str, given: dict[str, int], repetition: int, setting: Setting, network: Step) -> Row:
    cells = {column: Cell(score_of_images(setting, network, column), test=test) for column, test in image_tests(setting).items()}
    return Row(name, title, given, repetition, cells, seed=repetition)


def _transfer_row(name: str, title: str, given: dict[str, int], repetition: int, setting: Setting, *, last: bool) -> Row:
    step = transfer_from(setting, given["labels"], repetition, last=last)
    cells = {
        column: Cell(step, (column, "miou"), test, f"{index}-")
        for index, (column, test) in enumerate(image_tests(setting).items())
    }
    return Row(name, title, given, repetition, cells, seed=repetition)


TABLE1 = Experiment(
    "table1",
    "Table 1: segmentation of pictures",
    (
        "mIoU over all pixels of a test set, background counted. The same segmenter learns, as many steps, from the painted pictures "
        "alone, from generated pairs whose masks a branch of so many labels made (DatasetNeRF), from as many pictures that pixel "
        "classifiers of the generator's 2D features labelled, less the most uncertain tenth (DatasetGAN), and from exact pictures of the "
        "same subjects, which no one has in practice. DatasetNeRF as photographs learns from the pairs of the most labels, their subjects "
        "laid on drawn backgrounds (train-segmenter --photographs mild).",
        "Ind. are single views of unseen subjects from all around, Vid. the frames of videos of others, both exact. "
        "Further columns are drawn apart from what anything learned from: another world, and photographs of it with backgrounds, light, "
        "blur, noise and JPEG, masks still exact.",
    ),
    ("painted", "transfer", "transfer-stages", "datasetgan", "datasetnerf", "datasetnerf-photographs", "exact"),
    rows,
    lambda setting: tuple(image_tests(setting)),
    axes=("labels",),
    findings=against("datasetnerf", ("painted", "transfer", "transfer-stages", "datasetgan", "exact")),
)
