"""Names that say nothing of the value they hold are kept out of the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    *(path.name for path in sorted((ROOT / "headless").iterdir()) if (path / "__init__.py").exists()),
    "blender_addon",
    "benchmarks",
)

VAGUE = {"told", "asked", "made", "beside", "of", "psi"}
VAGUE_BEGINNINGS = ("told_", "MOST_")


def stored_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of every argument, assignment, function, class and attribute that the code defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def vague_names(source: str) -> list[tuple[int, str]]:
    """The names of a module that say nothing, an underscore in front of them aside, each with its line."""
    return [
        (line, name)
        for line, name in stored_names(ast.parse(source))
        if (bare := name.lstrip("_")) in VAGUE or bare.startswith(VAGUE_BEGINNINGS)
    ]


def test_vague_names_are_seen_wherever_a_name_is_defined() -> None:
    source = (
        "MOST_TRIES = 3\n"
        "def told_start(of, *asked, **beside):\n"
        "    psi, kept = of\n"
        "    for made in kept:\n"
        "        self.told = made.of\n"
        "    async def _asked(): ...\n"
        "class told: ...\n"
        "made_view = shape_of = truncation = other.made(of=1, psi=2)\n"
    )
    expected = {
        (1, "MOST_TRIES"),
        (2, "told_start"),
        (2, "of"),
        (2, "asked"),
        (2, "beside"),
        (3, "psi"),
        (4, "made"),
        (5, "told"),
        (6, "_asked"),
        (7, "told"),
    }
    assert set(vague_names(source)) == expected


@pytest.mark.parametrize("room", [*ROOMS, "models.py", "cli.py"])
def test_names_say_what_they_hold(room: str) -> None:
    place = ROOT / room if room in ("blender_addon", "benchmarks") else ROOT / "headless" / room
    files = [place] if place.suffix else sorted(place.rglob("*.py"))
    assert files
    vague = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {word}"
        for path in files
        for line, word in vague_names(path.read_text(encoding="utf-8"))
    ]
    assert not vague, "\n".join(vague)
