"""The text forms of seeds and angles, and the options that depend on one another."""

from __future__ import annotations

import re

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnerf_core.errors import UsageError
from dnerf_core.seeds import MAX_SEED, format_seeds, parse_seeds
from headless.commands import options
from headless.commands.types import parse_range
from headless.runs.choices import chosen_seeds, chosen_views


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-7", tuple(range(8))), ("5", (5,)), ("0,3,9-12", (0, 3, 9, 10, 11, 12)), ("9, 2-3 ", (9, 2, 3)), ("4-4", (4,))],
)
def test_seeds_are_read_in_the_order_written(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected seeds such as 0-7"),
        ("0-", "expected seeds such as 0-7"),
        ("-3", "expected seeds such as 0-7"),
        ("1.5", "expected seeds such as 0-7"),
        ("a", "found 'a'"),
        ("0,,1", "found '0,,1'"),
        ("7-0", "runs backwards; write 0-7"),
        ("0-3,2", "seed 2 is named twice"),
        (str(MAX_SEED + 1), f"at most {MAX_SEED}"),
        ("0-2000000", "at most 1000000 seeds"),
        ("\u0663", "expected seeds such as 0-7"),  # an Arabic digit, which \d alone would take
    ],
)
def test_seeds_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_seeds(text)


@given(st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=30, unique=True))
def test_written_seeds_read_back(seeds: list[int]) -> None:
    assert parse_seeds(format_seeds(tuple(seeds))) == tuple(seeds)


def test_neighbouring_seeds_are_written_as_ranges() -> None:
    assert format_seeds((0, 1, 2, 3)) == "0-3"
    assert format_seeds((9, 2, 3, 7)) == "9,2-3,7"


@pytest.mark.parametrize(
    ("text", "degrees"), [("-30:30", (-30.0, 30.0)), ("15", (15.0, 15.0)), ("-7.5", (-7.5, -7.5)), ("30:-30", (30.0, -30.0))]
)
def test_ranges_are_read(text: str, degrees: tuple[float, float]) -> None:
    assert parse_range(text) == degrees


@pytest.mark.parametrize("text", ["", ":", "1:2:3", "a:b", "nan", "0:inf"])
def test_ranges_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected degrees such as 15 or -30:30"):
        parse_range(text)


def test_subjects_means_the_first_seeds_and_excludes_seeds() -> None:
    assert chosen_seeds(None, None) == tuple(range(8))
    assert chosen_seeds(None, 3) == (0, 1, 2)
    assert chosen_seeds((4, 2), None) == (4, 2)
    with pytest.raises(UsageError, match=r"--seeds and --subjects: expected one of them, found both"):
        chosen_seeds((4, 2), 3)


def test_a_single_direction_means_a_single_view() -> None:
    assert chosen_views(None, (-30, 30), (12, 12)) == 3
    assert chosen_views(None, (15, 15), (12, 12)) == 1
    assert chosen_views(None, (15, 15), (0, 20)) == 3
    assert chosen_views(5, (15, 15), (0, 20)) == 5
    with pytest.raises(UsageError, match=r"--views 2: expected 1 for the single direction of --yaw 15"):
        chosen_views(2, (15, 15), (12, 12))


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], ("ply",)),
        (["--format", "glb"], ("glb",)),
        (["--format", "glb, ply"], ("ply", "glb")),
        (["--format", "glb", "--format", "ply,npz", "--format", "glb"], ("ply", "npz", "glb")),
    ],
)
def test_formats_come_in_a_list_or_one_by_one(args: list[str], expected: tuple[str, ...]) -> None:
    found: list[tuple[str, ...]] = []

    def show(formats: tuple[str, ...]) -> None:
        found.append(formats)

    command = click.command()(options.formats_option(("ply", "npz", "glb"), "ply", "")(show))
    command.main(args, standalone_mode=False)
    assert found == [expected]


@pytest.mark.parametrize("text", ["", "ply,", "PLY", "ply glb"])
def test_an_unknown_format_is_named(text: str) -> None:
    command = click.command()(options.formats_option(("ply", "glb"), "ply", "")(lambda formats: None))
    with pytest.raises(click.BadParameter, match="expected formats among ply, glb, found"):
        command.main(["--format", text], standalone_mode=False)
