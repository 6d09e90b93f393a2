"""Label sets: what is accepted, what is refused and in which words, and masks to colours and back."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.labels import (
    IGNORE_COLOR,
    SHAPENET_CAR_LABELS,
    UNUSED_COLOR,
    Label,
    LabelSet,
    check_ids,
    default_colors,
)

BACKGROUND = Label(0, "background", (0, 0, 0))
PAIR = LabelSet((BACKGROUND, Label(1, "ear", (255, 0, 0)), Label(2, "eye", (0, 255, 0))))


def test_cars_are_the_papers_parts() -> None:
    assert SHAPENET_CAR_LABELS.names == ("background", "hood", "roof", "wheels", "other")
    assert SHAPENET_CAR_LABELS.num_classes == 5


def test_labels_are_sorted_comparable_and_immutable() -> None:
    backwards = LabelSet(tuple(reversed(PAIR.labels)))
    assert backwards == PAIR and hash(backwards) == hash(PAIR)
    with pytest.raises(AttributeError):
        PAIR.labels = ()  # type: ignore[misc]


def test_palette_by_hand() -> None:
    palette = PAIR.palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    assert palette[:3].tolist() == [[0, 0, 0], [255, 0, 0], [0, 255, 0]]
    assert palette[3].tolist() == palette[254].tolist() == list(UNUSED_COLOR)
    assert palette[255].tolist() == list(IGNORE_COLOR)


def test_colorize_and_back_by_hand() -> None:
    mask = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    rgb = PAIR.colorize(mask)
    assert rgb.tolist() == [[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [255, 255, 255]]]
    assert rgb.dtype == np.uint8
    back = PAIR.ids_from_colors(rgb)
    assert back.tolist() == mask.tolist() and back.dtype == np.uint8


@given(st.integers(1, 254), st.integers(0, 2**32 - 1))
def test_colors_to_ids_undoes_colorize(parts: int, seed: int) -> None:
    labels = LabelSet.from_names([f"part {k}" for k in range(parts)])
    rng = np.random.default_rng(seed)
    mask = rng.choice(np.array([*range(parts + 1), 255], dtype=np.uint8), size=(5, 7))
    assert (labels.ids_from_colors(labels.colorize(mask)) == mask).all()


def test_a_colour_outside_the_palette_is_named() -> None:
    rgb = np.zeros((2, 3, 3), dtype=np.uint8)
    rgb[1, 0] = (254, 0, 1)
    rgb[1, 2] = (9, 9, 9)
    with pytest.raises(
        AnnotationError, match=r"^a\.png: .*found \(254, 0, 1\) at column 0, row 1 \(2 such pixels\); paint without"
    ):
        PAIR.ids_from_colors(rgb, "a.png")


def test_swapped_channels_are_not_the_same_colour() -> None:
    rgb = PAIR.colorize(np.ones((1, 1), dtype=np.uint8))
    with pytest.raises(AnnotationError, match=r"found \(0, 0, 255\)"):
        PAIR.ids_from_colors(rgb[..., ::-1])


def test_an_unused_ids_colour_does_not_read_back() -> None:
    with pytest.raises(AnnotationError, match=r"found \(64, 64, 64\)"):
        PAIR.ids_from_colors(np.full((1, 1, 3), 64, dtype=np.uint8))


def test_a_mask_with_a_strange_id_is_refused() -> None:
    with pytest.raises(AnnotationError, match=r"expected ids 0 to 2 or 255, found 3 at column 1, row 0"):
        PAIR.colorize(np.array([[0, 3]], dtype=np.uint8))


@pytest.mark.parametrize("mask", [np.zeros((2, 2), np.int64), np.zeros((2, 2, 1), np.uint8)])
def test_colorize_refuses_other_arrays(mask: Any) -> None:
    with pytest.raises(AnnotationError, match=r"expected uint8 \[H, W\]"):
        PAIR.colorize(mask)


@pytest.mark.parametrize("rgb", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3), np.float32), np.zeros((2, 3), np.uint8)])
def test_ids_from_colors_refuses_other_arrays(rgb: Any) -> None:
    with pytest.raises(AnnotationError, match=r"^mask: expected uint8 \[H, W, 3\], found .*; convert it to RGB$"):
        PAIR.ids_from_colors(rgb)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ((255, "x", (1, 2, 3)), "id: expected 0 to 254, found 255; 255 means ignore"),
        ((-1, "x", (1, 2, 3)), "expected 0 to 254, found -1"),
        ((True, "x", (1, 2, 3)), "expected 0 to 254, found True"),
        ((1.0, "x", (1, 2, 3)), "expected 0 to 254, found 1.0"),
        ((1, "", (1, 2, 3)), "expected printable text"),
        ((1, "a/b", (1, 2, 3)), "expected printable text"),
        ((1, "a\\b", (1, 2, 3)), "expected printable text"),
        ((1, "a\n", (1, 2, 3)), "expected printable text"),
        ((1, " a", (1, 2, 3)), "expected printable text"),
        ((1, 7, (1, 2, 3)), "expected printable text"),
        ((1, "x", (1, 2, 256)), "three whole numbers from 0 to 255"),
        ((1, "x", (1, 2)), "three whole numbers from 0 to 255"),
        ((1, "x", (1, 2, 0.5)), "three whole numbers from 0 to 255"),
        ((1, "x", "red"), "three whole numbers from 0 to 255"),
    ],
)
def test_bad_labels_are_refused(label: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        Label(*label)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "expected the background as id 0"),
        ((Label(1, "a", (1, 1, 1)),), "expected the background as id 0"),
        ((BACKGROUND, Label(1, "a", (1, 1, 1)), Label(1, "b", (2, 2, 2))), "id: expected each one once, found 1 twice"),
        ((BACKGROUND, Label(2, "a", (1, 1, 1))), "expected ids 0 to 2 without gaps, found no id 1"),
        ((BACKGROUND, Label(1, "background", (1, 1, 1))), "name: expected each one once, found 'background' twice"),
        ((BACKGROUND, Label(1, "a", (0, 0, 0))), "color: expected each one once, found (0, 0, 0) twice"),
        ((BACKGROUND, Label(1, "a", IGNORE_COLOR)), "label 'a': color: expected any but (255, 255, 255)"),
    ],
)
def test_bad_sets_are_refused(labels: tuple[Label, ...], message: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        LabelSet(labels)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_json_round_trip_through_text() -> None:
    text = json.dumps(SHAPENET_CAR_LABELS.to_json())
    assert LabelSet.from_json(text) == LabelSet.from_json(json.loads(text)) == SHAPENET_CAR_LABELS
    first = {"id": 0, "name": "background", "color": [0, 0, 0]}
    assert LabelSet((BACKGROUND,)).to_json() == {"version": 1, "labels": [first], "ignore": 255}


def _changed(**changes: Any) -> dict[str, Any]:
    return {**PAIR.to_json(), **changes}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{", "l.json: expected JSON"),
        ("[]", "l.json: expected an object with the keys version, labels, ignore, found list"),
        ({"version": 1}, "l.json: expected an object with the keys version, labels, ignore, found version"),
        (_changed(version=2), "l.json: version: expected 1, found 2"),
        (_changed(ignore=0), "l.json: ignore: expected 255, found 0"),
        (_changed(labels={}), "l.json: labels: expected a list, found dict"),
        (_changed(labels=[{"id": 0, "name": "x", "colour": [0, 0, 0]}]), "l.json: labels[0]: expected an object with the keys"),
        (_changed(labels=[{"id": 0, "name": "x", "color": [0, 0, float("nan")]}]), "l.json: label 'x': color: expected three"),
        (_changed(labels=[]), "l.json: label set: expected the background"),
    ],
)
def test_bad_json_is_refused_in_one_line_naming_the_file(source: Any, message: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        LabelSet.from_json(source, "l.json")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_from_names_adds_the_background_itself() -> None:
    assert LabelSet.from_names([]).names == ("background",)
    with pytest.raises(AnnotationError, match=r"found 'background' twice; rename one of them \(the background counts\)"):
        LabelSet.from_names(["background", "ear"])
    with pytest.raises(AnnotationError, match="expected at most 254, found 255"):
        LabelSet.from_names([str(k) for k in range(255)])
    with pytest.raises(AnnotationError, match="found the text 'ear'"):
        LabelSet.from_names("ear")


def test_default_colours_are_far_apart_and_stable() -> None:
    colors = default_colors(254)
    assert len(set(colors)) == 254
    assert colors[:10] == default_colors(10)
    spread = [(0, 0, 0), IGNORE_COLOR, *default_colors(20)]
    closest = min(sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for p, q in combinations(spread, 2))
    assert closest**0.5 > 70  # of 441, black to white


def test_more_colours_are_unlike_those_that_are_taken() -> None:
    taken = ((250, 10, 10), (10, 10, 250), *default_colors(3))
    more = default_colors(6, taken)
    distances = [sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) ** 0.5 for p, q in combinations((*taken, *more), 2)]
    apart = [distance for distance, (p, q) in zip(distances, combinations((*taken, *more), 2), strict=True) if {p, q} & {*more}]
    assert min(apart) > 70 and default_colors(254, taken)[:6] == more


def test_ids_are_checked_in_one_place() -> None:
    mask = np.array([[0, 2, 255], [1, 3, 9]], np.uint8)
    check_ids(mask[:1], 3)
    check_ids(mask[:1, :2], 3, ignored=False)
    with pytest.raises(AnnotationError, match=r"^a\.png: expected ids 0 to 2 or 255, found 3 at column 1, row 1; repaint it$"):
        check_ids(mask, 3, "a.png", "repaint it")
    with pytest.raises(UsageError, match=r"^mask: expected ids 0 to 2, found 255 at column 2, row 0; use the label set"):
        check_ids(mask, 3, ignored=False, error=UsageError)
    with pytest.raises(AnnotationError, match=r"^mask: expected ids 0 to 2 or 255, found -1; use"):
        check_ids(np.array([0, -1]), 3)
