"""Figure S13: a segmenter of generated pairs beside heads on frozen foundation features, on frames of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.errors import UsageError
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import against
from headless.reproducing.pictures import image_tests, pairs_of, score_of_images, segmenter_on, transfer_from
from headless.reproducing.steps import Cell, Row, Step
from headless.reproducing.videos.steps import frozen, over_time

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
    with_transfer = True
    try:
        from dnerf_core.downstream.baselines.efficientnet import packaged_file

        packaged_file()
    except UsageError as error:
        with_transfer = False
        remarks.append(f"transfer-stages is left out: {error}")
    if setting.foundation is None:
        remarks.append("dinov2 is left out: no weights are named, see --foundation")
    for repetition in range(setting.repetitions):
        found.append(_ours(setting, count, repetition))
        if with_transfer:
            found.append(_transfer(setting, count, repetition))
        if setting.foundation is not None:
            found.append(_dinov2(setting, count, repetition))
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


def _transfer(setting: Setting, count: int, repetition: int) -> Row:
    """The scores are those of table 1's step; the same head is taught once more for the labels of every frame."""
    scored, tests = transfer_from(setting, count, repetition, last=False), image_tests(setting)
    cells = {
        column: Cell(scored, (column, "miou"), test, f"{index}-")
        for index, (column, test) in enumerate(tests.items())
        if column in _TESTS
    }
    if "Vid." in tests:
        cells |= _cells_over_time(frozen(setting, count, repetition, None, ()))
    title = "EfficientNet-Lite0, all strides"
    return Row("transfer-stages", title, {"labels": count}, repetition, cells, seed=repetition)


def _dinov2(setting: Setting, count: int, repetition: int) -> Row:
    shown, tests = _columns_of_tests(setting), image_tests(setting)
    step = frozen(setting, count, repetition, setting.foundation, shown)
    cells = {column: Cell(step, ("tests", column, "miou"), tests[column], f"{index}-") for index, column in enumerate(shown)}
    if "Vid." in tests:
        cells |= _cells_over_time(step)
    return Row("dinov2", "DINOv2", {"labels": count}, repetition, cells, seed=repetition)


def _cells_over_time(step: Step) -> dict[str, Cell]:
    return {column: Cell(step, ("video", column)) for column in _OVER_TIME}


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
