"""Table 1: segmentation of pictures, by what a segmenter learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import against
from headless.reproducing.heads.steps import efficientnet_is_missing, head_on, test_cells
from headless.reproducing.painted import painted_views
from headless.reproducing.pictures import (
    exact_pairs,
    gan_pairs,
    image_tests,
    pairs_of,
    score_of_images,
    segmenter_on,
)
from headless.reproducing.steps import Cell, Row

if TYPE_CHECKING:
    from headless.reproducing.heads.scoring import Features
    from headless.reproducing.setting import Setting
    from headless.reproducing.steps import Step


_TRANSFER: tuple[Features, str] = ("efficientnet-last", "transfer learning, last layer")
_STAGES: tuple[Features, str] = ("efficientnet-stages", "transfer learning, all strides")
_RESNET101: tuple[Features, str] = ("resnet101-last", "transfer learning, last layer of ResNet101")


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """A row for each method, number of labels and repetition."""
    found, remarks = [], []
    missing = efficientnet_is_missing()
    if missing is not None:
        remarks.append(f"transfer and transfer-stages are left out: {missing}")
    if setting.resnet is None:
        remarks.append("transfer-resnet101 is left out: no weights are named, see --resnet")
    for repetition in range(setting.repetitions):
        for count in setting.counts:
            labels = {"labels": count}
            found.append(
                _row("painted", "painted pictures alone", labels, repetition, setting, _painted(setting, count, repetition))
            )
            heads = {} if missing is not None else {"transfer": _TRANSFER, "transfer-stages": _STAGES}
            heads |= {} if setting.resnet is None else {"transfer-resnet101": _RESNET101}
            for name, (features, title) in heads.items():
                weights = setting.resnet if features == "resnet101-last" else None
                step = head_on(setting, features, count, repetition, weights)
                found.append(Row(name, title, labels, repetition, test_cells(setting, step), seed=repetition))
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


TABLE1 = Experiment(
    "table1",
    "Table 1: segmentation of pictures",
    (
        "mIoU over all pixels of a test set, background counted. The same segmenter learns, as many steps, from the painted pictures "
        "alone, from generated pairs whose masks a branch of so many labels made (DatasetNeRF), from as many pictures that pixel "
        "classifiers of the generator's 2D features labelled, less the most uncertain tenth (DatasetGAN), and from exact pictures of the "
        "same subjects, which no one has in practice. DatasetNeRF as photographs learns from the pairs of the most labels, their subjects "
        "laid on drawn backgrounds (train-segmenter --photographs mild). Every network labels a picture by what it makes of it and of its "
        "mirror image.",
        "Ind. are single views of unseen subjects from all around, Vid. the frames of videos of others, both exact. "
        "Further columns are drawn apart from what anything learned from: another world, and photographs of it with backgrounds, light, "
        "blur, noise and JPEG, masks still exact.",
    ),
    (
        "painted",
        "transfer",
        "transfer-stages",
        "transfer-resnet101",
        "datasetgan",
        "datasetnerf",
        "datasetnerf-photographs",
        "exact",
    ),
    rows,
    lambda setting: tuple(image_tests(setting)),
    axes=("labels",),
    findings=against("datasetnerf", ("painted", "transfer", "transfer-stages", "transfer-resnet101", "datasetgan", "exact")),
)
