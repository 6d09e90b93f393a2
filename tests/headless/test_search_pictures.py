"""The pictures around a search: turntable strip, progress, loss curve; their pixels where that is what matters, and their files."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import arc_cameras
from dnerf_core.errors import OutputError
from dnerf_core.labels import LabelSet
from dnerf_core.rendering.labeled_view import LabeledView
from headless.pictures.edit_sheet import edit_sheet
from headless.pictures.loss_curve import LossStage, loss_curve, loss_table, loss_ticks, step_ticks, write_loss_curve
from headless.pictures.progress_picture import GAIN, ProgressPicture, progress_picture
from headless.pictures.turntable_strip import PhotoPair, StripView, turntable_strip, write_turntable_strip

LABELS = LabelSet.from_names(["left", "right"])
SIZE_PX = 64
Color = tuple[int, int, int]


def plain(color: Color, size_px: int = SIZE_PX) -> np.ndarray:
    return np.full((size_px, size_px, 3), color, np.uint8)


def places(picture: np.ndarray, color: Color) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the box around all pixels of a colour; None where there are none."""
    rows, columns = np.nonzero((picture == color).all(axis=2))
    return None if rows.size == 0 else (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def strip_views(count: int) -> list[StripView]:
    """Images of ever more red, masks of label 1 in the top half."""
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    mask[: SIZE_PX // 2] = 1
    return [StripView(30.0 * k - 45, plain((100 + k, 3, 7)), mask) for k in range(count)]


def test_a_strip_has_images_above_their_labels_after_the_photo() -> None:
    pair = PhotoPair(plain((1, 200, 9)), plain((2, 9, 200)))
    strip = turntable_strip("title", strip_views(3), LABELS, pair)
    boxes = [places(strip, color) for color in ((1, 200, 9), (100, 3, 7), (101, 3, 7), (102, 3, 7))]
    assert None not in boxes
    lefts = [box[0] for box in boxes if box is not None]
    assert lefts == sorted(lefts) and len({box[1] for box in boxes if box is not None}) == 1
    for left, top, right, bottom in boxes:
        assert (right - left, bottom - top) == (SIZE_PX, SIZE_PX)  # at their own size, pixel for pixel
    rendered, left_color = places(strip, (2, 9, 200)), LABELS.labels[1].color
    assert rendered is not None and rendered[0] == lefts[0] and rendered[1] > boxes[0][3]
    for left in lefts[1:]:
        tile = strip[rendered[1] : rendered[3], left : left + SIZE_PX]
        np.testing.assert_array_equal(tile, LABELS.colorize(strip_views(1)[0].mask))
        assert tuple(tile[0, 0]) == left_color


def test_a_strip_without_labels_is_one_row() -> None:
    views = [StripView(view.yaw_deg, view.rgb, None) for view in strip_views(2)]
    strip = turntable_strip("title", views, None, PhotoPair(plain((1, 200, 9)), plain((2, 9, 200))))
    boxes = [places(strip, color) for color in ((1, 200, 9), (2, 9, 200), (100, 3, 7), (101, 3, 7))]
    assert [box[0] for box in boxes] == sorted(box[0] for box in boxes)
    assert len({box[1] for box in boxes}) == 1
    alone = turntable_strip("title", views, None)
    assert places(alone, (1, 200, 9)) is None and places(alone, (100, 3, 7)) is not None


def test_large_pictures_are_shrunk() -> None:
    strip = turntable_strip("t", [StripView(0.0, plain((100, 3, 7), 600), None)], None)
    left, top, right, bottom = places(strip, (100, 3, 7))
    assert (right - left, bottom - top) == (256, 256)


def test_a_long_title_is_shown_in_full() -> None:
    strip = turntable_strip("w" * 200, strip_views(1), LABELS)
    ink = np.nonzero(strip[:32].min(axis=(0, 2)) < 128)[0]
    assert strip.shape[1] > 1000 and ink.max() < strip.shape[1] - 8


def test_a_strip_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    write_turntable_strip(path, "title", strip_views(2), LABELS)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), turntable_strip("title", strip_views(2), LABELS))
    with pytest.raises(OutputError, match="expected to write"):
        write_turntable_strip(tmp_path / "none" / "strip.png", "title", strip_views(2), LABELS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["strip.png"]


def test_progress_shows_the_difference_enlarged() -> None:
    picture = progress_picture("step 3", [("a", plain((100, 50, 7)), plain((110, 45, 250)))])
    boxes = [places(picture, color) for color in ((100, 50, 7), (110, 45, 250), (10 * GAIN, 5 * GAIN, 255))]
    assert [box[0] for box in boxes] == sorted(box[0] for box in boxes)
    assert len({box[1] for box in boxes}) == 1
    two = progress_picture("step 3", [("a", plain((100, 50, 7)), plain((100, 50, 7)))] * 2)
    assert two.shape[0] > picture.shape[0] and places(two, (0, 0, 0)) is not None


def test_progress_is_replaced_and_a_viewer_keeps_what_it_opened(tmp_path: Path) -> None:
    progress = ProgressPicture(tmp_path / "progress.png")
    rows = [[("a", plain((100, 50, 7)), plain((k, k, k)))] for k in (60, 70)]
    progress.show("first", rows[0])
    with progress.path.open("rb") as opened:
        progress.show("second", rows[1])
        with Image.open(opened) as before:  # the old file, in full
            np.testing.assert_array_equal(np.asarray(before), progress_picture("first", rows[0]))
    with Image.open(progress.path) as after:
        np.testing.assert_array_equal(np.asarray(after), progress_picture("second", rows[1]))
    assert [entry.name for entry in tmp_path.iterdir()] == ["progress.png"]


BLUE, ORANGE = (31, 90, 168), (214, 96, 14)


def line(picture: np.ndarray, color: Color) -> tuple[int, int, int, int]:
    """The box around a stage's line, without the square of its name."""
    plot = picture.copy()
    plot[:70] = 0
    box = places(plot, color)
    assert box is not None
    return box


def test_a_curve_is_straight_where_the_loss_falls_by_a_factor() -> None:
    """1 to 0.001 over 300 steps: at a third of the way, a third of the height."""
    picture = loss_curve("title", [LossStage("only", tuple(10 ** (-k / 100) for k in range(301)))])
    left, top, right, bottom = line(picture, BLUE)
    for share in (0.25, 0.5, 0.75):
        column = round(left + share * (right - 1 - left))
        rows = np.nonzero((picture[70:, column] == BLUE).all(axis=1))[0] + 70
        assert rows.mean() == pytest.approx(top + share * (bottom - 1 - top), abs=2)


def test_stages_are_told_apart_by_colour_and_follow_each_other() -> None:
    picture = loss_curve("title", [LossStage("first", (1.0,) * 100), LossStage("second", (0.1,) * 101)])
    first, second = line(picture, BLUE), line(picture, ORANGE)
    assert first[2] == pytest.approx(second[0], abs=5)
    assert first[3] < second[3]
    assert places(picture[:70], BLUE) is not None and places(picture[:70], ORANGE) is not None


@pytest.mark.parametrize(
    "losses",
    [(0.5,), (0.5, 0.5), (0.0,), (math.nan,), (math.inf, 1.0), (1e-30, 1e30), (-1.0, 2.0), (0.5, math.nan, 0.4), (5e-324, 1.0)],
)
def test_any_losses_can_be_drawn(losses: tuple[float, ...]) -> None:
    picture = loss_curve("title", [LossStage("only", losses)])
    assert picture.shape == (480, 880, 3) and picture.dtype == np.uint8
    if any(math.isfinite(loss) for loss in losses):
        line(picture, BLUE)


def test_a_loss_that_is_not_finite_leaves_a_gap() -> None:
    steps = [1.0] * 50 + [math.nan] * 50 + [1.0] * 51
    plot = loss_curve("title", [LossStage("only", tuple(steps))])[70:]
    drawn = (plot == BLUE).all(axis=2).any(axis=0)
    left, right = np.nonzero(drawn)[0][[0, -1]]
    assert drawn[left + 5 : left + (right - left) // 4].all()
    assert not drawn[left + (right - left) * 2 // 5 : left + (right - left) * 3 // 5].any()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0011, 2.0, [0.01, 0.1, 1.0]),
        (0.0009, 1.1, [0.001, 0.01, 0.1, 1.0]),
        (0.09, 1.3, [0.1, 0.2, 0.5, 1.0]),
        (0.47, 0.53, [0.47, 0.48, 0.49, 0.5, 0.51, 0.52, 0.53]),
        (1e-30, 1e6, None),
    ],
)
def test_ticks_of_losses_are_round(low: float, high: float, expected: list[float] | None) -> None:
    ticks = loss_ticks(low, high)
    if expected is not None:
        assert ticks == pytest.approx(expected)
    assert 3 <= len(ticks) <= 10 and all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)


@pytest.mark.parametrize(
    ("last", "expected"),
    [(0, [0]), (1, [0, 1]), (6, list(range(7))), (599, [0, 100, 200, 300, 400, 500]), (800, list(range(0, 801, 100)))],
)
def test_ticks_of_steps_are_round(last: int, expected: list[int]) -> None:
    assert step_ticks(last) == expected


@pytest.mark.parametrize("last", range(1, 3000, 37))
def test_ticks_of_steps_are_few(last: int) -> None:
    assert 2 <= len(step_ticks(last)) <= 9


def test_the_table_keeps_every_digit(tmp_path: Path) -> None:
    stages = [LossStage("a, b", (0.1 + 0.2, math.nan)), LossStage("second", (1e-9,))]
    picture, table = tmp_path / "loss.png", tmp_path / "loss.csv"
    write_loss_curve(picture, table, "title", stages)
    with table.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["step", "stage", "loss"], ["0", "a, b", repr(0.1 + 0.2)], ["1", "a, b", "nan"], ["2", "second", "1e-09"]]
    assert float(rows[1][2]) == 0.1 + 0.2 and table.read_text() == loss_table(stages)
    with Image.open(picture) as image:
        np.testing.assert_array_equal(np.asarray(image), loss_curve("title", stages))


def test_an_edit_sheet_shows_the_painted_mask_and_what_changed() -> None:
    camera = arc_cameras(CameraConfig(), (0, 0), count=1)[0]
    depth = np.ones((SIZE_PX, SIZE_PX), np.float32)
    old, new, painted = (np.zeros((SIZE_PX, SIZE_PX), np.uint8) for _ in range(3))
    new[:10], painted[:20] = 1, 2
    before, after = (LabeledView(camera, plain((9, 9, 200)), mask, depth) for mask in (old, new))
    sheet = edit_sheet("title", ["painted view"], [before], [after], painted, LABELS)
    rows = []
    for row in range(6):
        top = 16 + 2 * 26 + row * (SIZE_PX + 4)
        rows.append(sheet[top : top + SIZE_PX, 166 : 166 + SIZE_PX])
    np.testing.assert_array_equal(rows[2], LABELS.colorize(painted))
    np.testing.assert_array_equal(rows[4], LABELS.colorize(new))
    assert places(rows[5], (214, 32, 40)) == (0, 0, SIZE_PX, 10)
