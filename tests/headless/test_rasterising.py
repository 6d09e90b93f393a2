"""Areas to pixels: cases worked by hand, a slow exact reference, and what holds of any outline."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headless.annotating.importing import raster
from headless.annotating.importing.drawn import Area, Bitmap, Ellipse, Rings
from headless.annotating.importing.raster import patch_of

WIDTH, HEIGHT = 9, 7

coordinates = st.integers(-8, 44).map(lambda quarter: quarter / 4)  # outside the picture, on centres and between them
outlines = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9)


def pixels(area: Area, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """The area's pixels in a whole picture."""
    patch = patch_of(area, width, height)
    picture = np.zeros((height, width), np.bool_)
    picture[patch.box] = patch.inside
    return picture


def ring(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


def square(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return ring((left, top), (right, top), (right, bottom), (left, bottom))


def is_inside(points: list[tuple[float, float]], x: Fraction, y: Fraction) -> bool:
    """Even-odd by counting, in exact numbers, the edges that lie to the left of a point, or on it."""
    crossed = 0
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        if (Fraction(ay) <= y) != (Fraction(by) <= y):
            at = Fraction(ax) + (y - Fraction(ay)) * (Fraction(bx) - Fraction(ax)) / (Fraction(by) - Fraction(ay))
            crossed += at <= x
    return crossed % 2 == 1


def slowly(points: list[tuple[float, float]]) -> np.ndarray:
    half = Fraction(1, 2)
    return np.array([[is_inside(points, column + half, row + half) for column in range(WIDTH)] for row in range(HEIGHT)])


@settings(max_examples=300, deadline=None)
@given(outlines)
def test_an_outline_is_filled_as_exact_numbers_fill_it(points: list[tuple[float, float]]) -> None:
    expected = slowly(points)
    np.testing.assert_array_equal(pixels(Rings((ring(*points),))), expected)
    np.testing.assert_array_equal(pixels(Rings((ring(*reversed(points)),))), expected)
    np.testing.assert_array_equal(pixels(Rings((ring(*points[1:], points[0]),))), expected)


@settings(max_examples=100, deadline=None)
@given(outlines, st.integers(1, 3))
def test_how_many_crossings_are_computed_together_does_not_matter(points: list[tuple[float, float]], at_once: int) -> None:
    whole = pixels(Rings((ring(*points),)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(raster, "_CROSSINGS_AT_ONCE", at_once)
        np.testing.assert_array_equal(pixels(Rings((ring(*points),))), whole)


@settings(max_examples=100, deadline=None)
@given(coordinates, st.lists(coordinates, min_size=8, max_size=8))
def test_two_halves_of_a_square_share_no_pixel_and_miss_none(middle: float, cut: list[float]) -> None:
    """Whatever line parts them, as long as both have it."""
    line = [(x, y) for x, y in zip(cut[::2], sorted(cut[1::2]), strict=True)]
    left = ring((-2, -2), (middle, -2), *line, (middle, 11), (-2, 11))
    right = ring((11, -2), (middle, -2), *line, (middle, 11), (11, 11))
    np.testing.assert_array_equal(pixels(Rings((left,))) ^ pixels(Rings((right,))), True)


def test_a_pixel_belongs_where_its_centre_does() -> None:
    inside = pixels(Rings((square(1.5, 2.5, 3.5, 4.5),)))  # on the centres: left and top count, right and bottom do not
    assert np.argwhere(inside).tolist() == [[2, 1], [2, 2], [3, 1], [3, 2]]
    assert not pixels(Rings((square(1.6, 2.6, 2.4, 3.4),))).any()  # between centres
    assert pixels(Rings((square(-1e6, -1e6, 1e6, 1e6),))).all()


def test_a_bow_tie_is_two_triangles() -> None:
    inside = pixels(Rings((ring((0, 0), (6, 6), (6, 0), (0, 6)),)))
    # the upper and the lower triangle are outside: the outline runs round them in neither direction
    assert not inside[0, 3] and not inside[5, 3]
    assert inside[3, 0] and inside[3, 5]


def test_an_outline_within_another_is_a_hole_and_one_within_the_hole_an_island() -> None:
    outer, hole, island = square(0, 0, 9, 7), square(1, 1, 8, 6), square(3, 2, 6, 5)
    expected = np.ones((HEIGHT, WIDTH), np.bool_)
    expected[1:6, 1:8] = False
    expected[2:5, 3:6] = True
    for rings in ((outer, hole, island), (island, outer, hole), (hole, island, outer)):
        np.testing.assert_array_equal(pixels(Rings(rings)), expected)
    one_line = np.concatenate([outer, outer[:1], hole, hole[:1]])  # both in one outline, joined by a line there and back
    np.testing.assert_array_equal(pixels(Rings((one_line,))), expected & ~pixels(Rings((island,))))


def test_outlines_that_overlap_or_are_equal_are_one_area() -> None:
    one, other = square(0, 0, 4, 4), square(2, 2, 6, 6)
    np.testing.assert_array_equal(pixels(Rings((one, other))), pixels(Rings((one,))) | pixels(Rings((other,))))
    np.testing.assert_array_equal(pixels(Rings((one, one.copy()))), pixels(Rings((one,))))
    apart = square(7, 0, 9, 2)
    np.testing.assert_array_equal(pixels(Rings((one, apart))), pixels(Rings((one,))) | pixels(Rings((apart,))))


def test_two_holes_that_overlap_are_one_hole() -> None:
    outer, first, second = square(0, 0, 9, 7), square(1, 1, 5, 5), square(3, 3, 8, 6)
    holes = pixels(Rings((first,))) | pixels(Rings((second,)))
    np.testing.assert_array_equal(pixels(Rings((outer, first, second))), ~holes)


@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, -45.0])
def test_an_ellipse_holds_the_centres_within_it(turn: float) -> None:
    ellipse = Ellipse(4.25, 3.5, 3.6, 1.7, turn)
    expected = np.zeros((HEIGHT, WIDTH), np.bool_)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            # turned back by a complex number, whose angle goes the same way as the picture's, since y points down
            z = complex(column + 0.5 - ellipse.x, row + 0.5 - ellipse.y) * np.exp(-1j * np.radians(turn))
            expected[row, column] = (z.real / ellipse.radius_x) ** 2 + (z.imag / ellipse.radius_y) ** 2 <= 1
    assert 5 < expected.sum() < WIDTH * HEIGHT
    np.testing.assert_array_equal(pixels(ellipse), expected)


def test_a_circle_worked_by_hand() -> None:
    inside = pixels(Ellipse(4.5, 3.5, 1.0, 1.0))
    assert np.argwhere(inside).tolist() == [[2, 4], [3, 3], [3, 4], [3, 5], [4, 4]]  # the four on the rim count
    assert not pixels(Ellipse(4.5, 3.5, 0.0, 2.0)).any()
    assert not pixels(Ellipse(-20.0, 3.5, 2.0, 2.0)).any()


@pytest.mark.parametrize(("left", "top"), [(2, 3), (-1, -2), (7, 5), (-5, 0), (0, 40)])
def test_a_bitmap_is_cut_at_the_picture(left: int, top: int) -> None:
    inside = np.random.default_rng(5).random((4, 5)) < 0.6
    expected = np.zeros((HEIGHT, WIDTH), np.bool_)
    for row, column in np.argwhere(inside).tolist():
        if 0 <= row + top < HEIGHT and 0 <= column + left < WIDTH:
            expected[row + top, column + left] = True
    np.testing.assert_array_equal(pixels(Bitmap(left, top, inside)), expected)
