"""Painted masks held against silhouettes and neighbours, on silhouettes drawn here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dnerf_core.camera import sphere_camera
from headless.annotating.label_witnesses import LabelWitnesses
from headless.annotating.mask_checks import suspicions
from headless.annotating.masked_view import CHECKED_PX, MaskedView, small_mask

SIDE = CHECKED_PX


def shape(seed: int) -> NDArray[np.uint8]:
    """A lopsided thing of two parts, another one for each seed."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), np.uint8)
    width, height = rng.integers(22, 34), rng.integers(12, 20)
    mask[(np.abs(columns - 64) <= width) & (np.abs(rows - 70) <= height)] = 1
    left = 64 - width + int(rng.integers(0, width))
    mask[(columns >= left) & (columns < left + 14) & (np.abs(rows - 45) <= 14)] = 2
    return mask


def view(number: int, mask: NDArray[np.uint8], silhouette: NDArray[np.bool_], subject: int | None = None) -> MaskedView:
    camera = sphere_camera(0.3, 0.1, radius=3.0, focal=1.7)
    name = f"s{number:04d}_v00"
    depth = np.where(silhouette, 3.0, np.inf)
    return MaskedView(name, Path(f"masks/{name}.png"), number if subject is None else subject, camera, mask, depth)


def views_of(masks: list[NDArray[np.uint8]]) -> list[MaskedView]:
    return [view(number, mask, shape(number) > 0) for number, mask in enumerate(masks)]


def test_good_masks_are_not_blamed() -> None:
    masks = [shape(number) for number in range(12)]
    assert suspicions(views_of(masks), 0.02, 2 * SIDE) == []
    masks[0][masks[0] == 2] = 0  # a part left unpainted
    masks[1][masks[1] == 1] = 255  # or unknown
    masks[2] = np.pad(masks[2], 1)[:-2, 1:-1]  # a pixel off
    masks[3][(masks[3] == 0) & (np.pad(masks[3], 1)[1:-1, 2:] > 0)] = 1  # an edge too wide
    assert suspicions(views_of(masks), 0.02, 2 * SIDE) == []
    assert suspicions([], 0.02, 2 * SIDE) == []


def test_a_mirrored_mask_is_named() -> None:
    masks = [shape(number) for number in range(8)]
    masks[5] = masks[5][:, ::-1]
    (found,) = suspicions(views_of(masks), 0.02, 2 * SIDE)
    assert (found.name, found.kind) == ("s0005_v00", "mirrored")
    assert found.message.startswith("masks/s0005_v00.png: expected the mask of view s0005_v00, found one that seems mirrored: ")
    assert found.message.endswith("flip it left to right")


def test_a_shift_is_told_in_the_files_pixels() -> None:
    masks = [shape(number) for number in range(8)]
    masks[2] = np.roll(masks[2], (-4, 5), axis=(0, 1))
    (found,) = suspicions(views_of(masks), 0.02, 2 * SIDE)
    assert (found.name, found.kind) == ("s0002_v00", "shifted")
    assert "about +10, -8 px (right, down)" in found.message


def test_two_masks_that_are_swapped_name_each_other() -> None:
    masks = [shape(number) for number in range(8)]
    masks[1], masks[4] = masks[4], masks[1]
    found = suspicions(views_of(masks), 0.02, 2 * SIDE)
    assert [(one.name, one.kind) for one in found] == [("s0001_v00", "swapped"), ("s0004_v00", "swapped")]
    assert "fits the silhouette of s0004_v00 (100%)" in found[0].message


def test_paint_far_from_the_object_is_told() -> None:
    masks = [shape(0)]
    masks[0][5:30, 5:50] = 1
    (found,) = suspicions(views_of(masks), 0.02, SIDE)
    assert found.kind == "outside"
    assert "of what is painted outside the object" in found.message


def test_neighbours_tell_where_the_silhouette_cannot() -> None:
    """A silhouette that fills the picture, as of generators with a background, and three views from one place: labels alone tell."""
    everywhere = np.ones((SIDE, SIDE), bool)
    part = np.where(shape(3) == 2, 2, 0).astype(np.uint8)
    views = [view(number, part if number else part[:, ::-1], everywhere, subject=7) for number in range(3)]
    (found,) = suspicions(views, 0.02, SIDE)
    assert (found.name, found.kind) == ("s0000_v00", "mirrored")
    assert "fits the masks of the subject's other views" in found.message
    assert suspicions(views[1:], 0.02, SIDE) == []


@pytest.mark.parametrize("side", [64, 128, 200])
def test_masks_are_made_small_by_the_nearest_pixel(side: int) -> None:
    mask = np.arange(256, dtype=np.uint8)[None, :].repeat(256, axis=0)
    small = small_mask(mask, side)
    assert small.shape == (side, side)
    assert np.abs(small[0] - (np.arange(side) + 0.5) * 256 / side).max() <= 1


def box_with_part(left: int) -> NDArray[np.uint8]:
    """One silhouette, whatever the place of its part."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[50:90, 30:98] = 1
    mask[55:85, left : left + 20] = 2
    return mask


def views_of_two(masks: dict[str, NDArray[np.uint8]]) -> list[MaskedView]:
    """Three views each of two subjects whose silhouettes are the same."""
    views = []
    for number, left in ((0, 32), (1, 60)):
        for place in range(3):
            seen = view(number, masks.get(f"{number}{place}", box_with_part(left)), box_with_part(left) > 0)
            views.append(replace(seen, name=f"s{number:04d}_v{place:02d}"))
    return views


def test_swapped_masks_of_one_silhouette_are_found_by_their_labels() -> None:
    assert suspicions(views_of_two({}), 0.02, SIDE) == []
    found = suspicions(views_of_two({"00": box_with_part(60), "12": box_with_part(32)}), 0.02, SIDE)
    assert [(one.name, one.kind) for one in found] == [("s0000_v00", "swapped"), ("s0001_v02", "swapped")]
    assert "worse than the mask of s0001_v02 does" in found[0].message


def test_labels_of_one_silhouette_that_fit_nowhere_are_not_taken_for_swapped() -> None:
    """Other than its neighbours' labels, and no better elsewhere: a painter's own mistake."""
    assert suspicions(views_of_two({"00": box_with_part(44), "12": box_with_part(48)}), 0.02, SIDE) == []


def test_a_mask_that_fits_its_neighbours_labels_is_not_taken_for_swapped() -> None:
    """Silhouettes tell of a swap where one mask leaves a part out and another has too much; labels tell that the first is right."""
    bump = np.zeros((SIDE, SIDE), bool)
    bump[30:50, 40:80] = True
    views = views_of_two({"10": np.where(bump, 1, box_with_part(60)).astype(np.uint8)})
    views[0] = replace(views[0], depth_planar=np.where(bump, 3.0, views[0].depth_planar))
    alone = [replace(one, subject=index) for index, one in enumerate(views)]
    kinds = {one.name: one.kind for one in suspicions(alone, 0.02, SIDE)}
    assert kinds == {"s0000_v00": "swapped", "s0001_v00": "swapped"}
    assert {one.name: one.kind for one in suspicions(views, 0.02, SIDE)} == {"s0001_v00": "outside"}


def test_one_witness_alone_does_not_tell_which_of_two_masks_is_wrong() -> None:
    """Of two views of each of two subjects either pair may have been swapped, so none is blamed; a third view tells."""
    views = views_of_two({"00": box_with_part(60), "10": box_with_part(32)})
    two = [one for one in views if not one.name.endswith("v02")]
    assert suspicions(two, 0.02, SIDE) == []
    third = [one for one in views if one.name != "s0001_v02"]
    assert {one.name for one in suspicions(third, 0.02, SIDE)} == {"s0000_v00", "s0001_v00"}


def test_masks_swapped_within_a_subject_do_not_bear_witness_for_each_other() -> None:
    """Two masks of one subject, put in each other's place: the third view tells of both."""
    places = (32, 46, 60)
    seen = [view(0, box_with_part(place), box_with_part(place) > 0) for place in places]
    turned = [replace(one, name=f"s0000_v{number:02d}") for number, one in enumerate(seen)]
    witnesses = LabelWitnesses(turned, 0.02)
    assert len(list(witnesses.misfits(0, (0, 2), [0, 1, 2]))) == 1
    assert len(list(witnesses.misfits(0, (0,), [0, 1, 2]))) == 2
    ((own, put),) = witnesses.misfits(1, (1, 0), [2])
    inside = (box_with_part(60) > 0).sum()
    wrong = [(grown_apart(box_with_part(60), mask)) / inside for mask in (box_with_part(46), box_with_part(32))]
    assert (own, put) == pytest.approx(wrong)


def grown_apart(carried: NDArray[np.uint8], mask: NDArray[np.uint8]) -> int:
    """Pixels of labels that a mask has neither there nor beside it, counted one by one."""
    count = 0
    for row, column in np.argwhere(carried > 0):
        near = mask[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        count += carried[row, column] not in near
    return count
