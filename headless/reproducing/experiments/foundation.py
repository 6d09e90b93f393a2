"""Figure S13: a segmenter of generated pairs beside heads on frozen foundation features, on frames of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import against
from headless.reproducing.heads.steps import efficientnet_is_missing, head_on, test_cells
from headless.reproducing.pictures import image_tests, pairs_of, score_of_images, segmenter_on
from headless.reproducing.steps import Cell, Row, Step
from headless.reproducing.videos.steps import over_time

if TYPE_CHECKING:
    from headless.reproducing.setting import Setting

_TESTS = ("Ind.", "Vid.", "test")
_OVER_TIME = ("flicker", "agreement")


def columns(setting: Setting) -> tuple[str, ...]:
    """The tests, and where there is a video its labels over time."""
    tests = _columns_of_tests(setting)
    return (*tests, *_OVER_TIME) if "Vid." in tests else tests


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """Ours and theirs for each repetition, by the most labels."""
    found, remarks, count = [], [], setting.counts[-1]
    missing = efficientnet_is_missing()
    if missing is not None:
        remarks.append(f"transfer-stages is left out: {missing}")
    if setting.foundation is None:
        remarks.append("dinov2 is left out: no weights are named, see --foundation")
    for repetition in range(setting.repetitions):
        found.append(_ours(setting, count, repetition))
        if missing is None:
            step = head_on(setting, "efficientnet-stages", count, repetition)
            found.append(_head(setting, "transfer-stages", "EfficientNet-Lite0, all strides", step, repetition))
        if setting.foundation is not None:
            step = head_on(setting, "dinov2", count, repetition, setting.foundation)
            found.append(_head(setting, "dinov2", "DINOv2", step, repetition))
    return found, remarks


def _columns_of_tests(setting: Setting) -> tuple[str, ...]:
    return tuple(column for column in image_tests(setting) if column in _TESTS)


def _ours(setting: Setting, count: int, repetition: int) -> Row:
    size = setting.scale.pairs[-1]
    pairs = pairs_of(setting, count, repetition, setting.scale.pairs)
    network, tests = segmenter_on(setting, f"{size} pairs of {count} labels", pairs, repetition), image_tests(setting)
    cells = {column: Cell(score_of_images(setting, network, column), test=tests[column]) for column in _columns_of_tests(setting)}
    video = tests.get("Vid.")
    if isinstance(video, Step):
        step = over_time(setting, video, network)
        cells |= {column: Cell(step, (column,)) for column in _OVER_TIME}
    return Row("datasetnerf", "DatasetNeRF", {"labels": count}, repetition, cells, seed=repetition)


def _head(setting: Setting, name: str, title: str, step: Step, repetition: int) -> Row:
    cells = {column: cell for column, cell in test_cells(setting, step).items() if column in _TESTS}
    if "Vid." in cells:
        cells |= {column: Cell(step, ("video", column)) for column in _OVER_TIME}
    return Row(name, title, {"labels": setting.counts[-1]}, repetition, cells, seed=repetition)


FOUNDATION = Experiment(
    "s13",
    "Figure S13: segmentation with foundation features",
    (
        "A head on a frozen network's features learns from the painted pictures: a linear one on the features of all strides of "
        "EfficientNet-Lite0, and, where its weights are named, one on DINOv2's, which the paper has. DatasetNeRF is the segmenter that "
        "learned from pairs of as many labels.",
        "mIoU as in table 1. Flicker and agreement are of the video test's frames, labelled one by one, as figure S10 has them: of a "
        "thousand pixels that show a part how many change their label to and fro within 3 frames, and mIoU of the parts between labels "
        "that depth carries into frames 5 apart and the labels there.",
    ),
    ("datasetnerf", "transfer-stages", "dinov2"),
    rows,
    columns,
    findings=against("datasetnerf", ("transfer-stages", "dinov2")),
)
