"""Flicker of label videos, on frames counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dnerf_core.errors import UsageError
from dnerf_core.multiview.consistency import line_texture
from dnerf_core.multiview.flicker import Flicker, flicker_counts, label_flicker


def over_time(*labels: int) -> np.ndarray:
    """One pixel's labels as a line texture [T, 1]."""
    return np.array(labels, np.uint8)[:, None]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((1, 1, 1, 1), (3, 0, 0)),
        ((1, 1, 2, 2), (3, 1, 0)),  # a boundary passes once
        ((1, 2, 1, 1), (3, 2, 1)),  # there and back: the second change is not undone
        ((1, 2, 1, 2), (3, 3, 2)),
        ((1, 2, 3, 3, 1), (4, 3, 1)),  # back in the third frame after the change
        ((1, 2, 3, 3, 3, 1), (5, 3, 0)),  # back in the fourth
        ((0, 0, 0, 0), (0, 0, 0)),  # no part anywhere
        ((0, 1, 0, 0), (2, 2, 1)),  # the last pair shows no part
        ((1, 255, 1, 1), (1, 0, 0)),  # 255 is not compared
        ((1, 2, 255, 1), (1, 1, 1)),
        ((5,), (0, 0, 0)),
    ],
)
def test_changes_that_are_undone_within_three_frames(labels: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    found = label_flicker(over_time(*labels))
    assert (found.pixels, found.changes, found.undone) == expected


def test_within_is_how_many_frames_later() -> None:
    labels = over_time(1, 2, 2, 1)
    assert label_flicker(labels, within=1).undone == 0
    assert label_flicker(labels, within=2).undone == 1


def test_a_video_has_the_flicker_of_all_its_lines() -> None:
    video = np.random.default_rng(3).integers(0, 4, (12, 5, 7), np.uint8)
    lines = [label_flicker(line_texture(video, row)) for row in range(5)]
    assert np.array_equal(line_texture(video, 2), line_texture(list(video), 2))
    together = lines[0]
    for line in lines[1:]:
        together = together.plus(line)
    assert label_flicker(video) == together and together.undone > 0


def test_a_slow_reference_says_the_same() -> None:
    video = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (20, 30))
    pixels = changes = undone = 0
    for pixel in video.T.tolist():
        for t in range(1, len(pixel)):
            before, now = pixel[t - 1], pixel[t]
            if 255 in (before, now) or before == now == 0:
                continue
            pixels += 1
            changes += before != now
            undone += before != now and before in pixel[t + 1 : t + 4]
    assert label_flicker(video) == Flicker(pixels, changes, undone)


def test_counts_are_each_pixels_own() -> None:
    video = np.array([[[1, 1]], [[2, 1]], [[1, 2]], [[2, 2]], [[1, 2]]], np.uint8)
    assert flicker_counts(video).tolist() == [[3, 0]]
    assert flicker_counts(video).sum() == label_flicker(video).undone


def test_shares() -> None:
    found = Flicker(2000, 40, 10)
    assert found.per_thousand == 5.0 and found.undone_share == 0.25
    assert math.isnan(Flicker(0, 0, 0).per_thousand) and math.isnan(Flicker(5, 0, 0).undone_share)


def test_what_is_no_label_video_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected uint8 of the shape \[T, H, W\] or \[T, W\], found float64 \[3, 2, 2\]"):
        label_flicker(np.zeros((3, 2, 2)))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"found uint8 \[4\]"):
        label_flicker(np.zeros(4, np.uint8))
    with pytest.raises(UsageError, match="within: expected 1 frame or more, found 0"):
        label_flicker(np.zeros((3, 2), np.uint8), within=0)
