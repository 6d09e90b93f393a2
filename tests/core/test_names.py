"""Words that do not say what a value is name nothing in the engine: what was told, asked for or made stands under its own name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "dnerf_core"
UNTELLING = {"told", "asked", "made", "beside", "of", "psi"}
UNTELLING_STARTS = ("told_", "untold_", "MOST_")
EXEMPT = {"checkpoints/subject_file.py": {"made"}}
"""Module -> names that are keys of files: `made` is the subject file's record of how its subject was made."""


def stored_names(source: str) -> list[tuple[int, str]]:
    """(line, name) of all that a module names: functions, classes, arguments, variables, attributes and imports under another name."""
    names: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append((node.lineno, node.name))
        elif isinstance(node, ast.arg):
            names.append((node.lineno, node.arg))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append((node.lineno, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.append((node.lineno, node.attr))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [(node.lineno, alias.asname) for alias in node.names if alias.asname is not None]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name is not None:
            names.append((node.lineno, node.name))
    return sorted(names)


def untelling_names(source: str) -> list[tuple[int, str]]:
    """Those of a module's names, with their lines, that say nothing of the value; a leading underscore makes no difference."""
    return [
        (line, name)
        for line, name in stored_names(source)
        if (bare := name.lstrip("_")) in UNTELLING or bare.startswith(UNTELLING_STARTS)
    ]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("told = [1]", "told"),
        ("def told_names(): ...", "told_names"),
        ("def take(untold_deg): ...", "untold_deg"),
        ("def take(asked): ...", "asked"),
        ("def take(*, psi=1.0): ...", "psi"),
        ("class A:\n    def of(self): ...", "of"),
        ("class A:\n    made: int", "made"),
        ("self.made = 1", "made"),
        ("for beside in (): ...", "beside"),
        ("f = lambda of: of", "of"),
        ("_MOST_VIEWS = 8", "_MOST_VIEWS"),
        ("import a as made", "made"),
        ("if (asked := 1): ...", "asked"),
        ("try: ...\nexcept OSError as told: ...", "told"),
        ("match a:\n    case made: ...", "made"),
    ],
)
def test_every_way_to_name_something_is_seen(source: str, name: str) -> None:
    assert [word for _, word in untelling_names(source)] == [name]


def test_names_that_tell_pass_as_do_words_that_are_only_read() -> None:
    source = 'space_of = header.made\nunmade, almost, offset = call(psi=1), record["made"], told[0]\nMOSTLY = 1'
    assert untelling_names(source) == []


def test_names_in_the_engine_say_what_the_value_is() -> None:
    paths = sorted(ROOT.rglob("*.py"))
    assert len(paths) > 150
    bad: list[str] = []
    exempt: dict[str, set[str]] = {module: set() for module in EXEMPT}
    for path in paths:
        module = path.relative_to(ROOT).as_posix()
        for line, name in untelling_names(path.read_text("utf-8")):
            if name in EXEMPT.get(module, ()):
                exempt[module].add(name)
            else:
                bad.append(f"{module}:{line}: {name}")
    assert bad == []
    assert exempt == EXEMPT, "an exemption that no module needs any more"
