"""Counts in words, and that messages take them from one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dnerf_core.errors import counted, listed

ROOT = Path(__file__).resolve().parents[2]
NOUNS = "views|subjects|clips|clouds|frames|masks|objects|cameras|predictions|points|files|steps|parts|labels|seeds|pixels"
LOOSE = re.compile(rf"\{{(?:len\([^{{}}]*\)|total|views|count)\}} (?:{NOUNS})\b")
LIMIT = re.compile(r"expected|at most|at least")


@pytest.mark.parametrize(
    ("args", "text"),
    [((1, "view"), "1 view"), ((0, "view"), "0 views"), ((2, "random view"), "2 random views"), ((1, "is", "are"), "1 is")],
)
def test_one_is_singular(args: tuple[int, str], text: str) -> None:
    assert counted(*args) == text


def test_the_first_names_and_how_many_more() -> None:
    assert [listed(["a", "b", "c"][:count], 2) for count in range(4)] == ["", "a", "a, b", "a, b and 1 more"]


def test_no_message_says_so_by_itself() -> None:
    own = re.compile(r" and \{len\(.*\) - .*\} more(?! images)")
    sources = [path for folder in ("dnerf_core", "headless") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert [path.relative_to(ROOT).as_posix() for path in sources if own.search(path.read_text("utf-8"))] == [
        "dnerf_core/errors.py"
    ]


def test_a_message_of_a_job_counts_by_it() -> None:
    """What jobs say of views, subjects and so on; messages of a wrong call say limits, which are many."""
    folders = (
        "headless/runs",
        "headless/datasets",
        "headless/clips",
        "headless/clouds",
        "headless/scores",
        "blender_addon/operators",
    )
    loose = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if LOOSE.search(line) and not LIMIT.search(line)
    ]
    assert loose == []
