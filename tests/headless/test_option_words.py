"""The words of the command line: help in sentences below titles, spellings of earlier versions, and docs that name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from headless import cli
from headless.commands.grouped import OPTION_GROUPS, REST, GroupedCommand, group_of
from headless.commands.ranged_options import WordedOption
from headless.searches.calls import EditCall, InvertCall
from headless.work.spellings import KEPT_SPELLINGS
from tests.headless.command_names import CALLED, found_command

REPOSITORY = Path(__file__).parents[2]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OF_EVERY_COMMAND = {"--help", "--version", "--debug"}


def command_of(name: str) -> GroupedCommand:
    found = found_command(name)
    assert isinstance(found, GroupedCommand)
    return found


def options_of(name: str) -> list[click.Option]:
    return [parameter for parameter in command_of(name).params if isinstance(parameter, click.Option)]


def spellings_of(name: str) -> set[str]:
    """The long spellings of a command's options."""
    found = {spelling for option in options_of(name) for spelling in (*option.opts, *option.secondary_opts)}
    return {spelling for spelling in found if spelling.startswith("--")}


def help_of(name: str) -> str:
    result = CliRunner().invoke(cli.group, [*name.split(), "--help"])
    assert result.exit_code == 0
    return result.output


EVERY = {spelling for name in CALLED for spelling in spellings_of(name)}


# --- help


@pytest.mark.parametrize("name", CALLED)
def test_help_is_made_of_sentences(name: str) -> None:
    """Each begins with a verb or what it goes with, ends with a full stop, and leaves defaults and bounds to the brackets."""
    for parameter in command_of(name).params:
        text = getattr(parameter, "help", None)
        assert text, parameter.name
        assert text.endswith(".") and "[" not in text, f"{parameter.name}: {text}"
        assert re.match(r"With --[a-z]+: [a-z]|[A-Z][a-z]+ ", text), f"{parameter.name}: {text}"
        assert not re.match(r"(Of|Its|Round|Where|What|Which|How|Whether|The|A|Weight|Seed|Side) ", text), (
            f"{parameter.name}: {text}"
        )


@pytest.mark.parametrize("name", CALLED)
def test_help_has_no_words_of_the_parser(name: str) -> None:
    text = help_of(name)
    for word in ("INTEGER", "FLOAT", "RANGE", "<=", ">=", "Positional arguments", "[default: (", ".0]", ".0;"):
        assert word not in text
    assert "\N{NON-BREAKING HYPHEN}" not in text


@pytest.mark.parametrize("name", CALLED)
def test_no_option_is_broken_over_two_lines(name: str) -> None:
    assert not re.search(r"--[a-z-]*-\n", help_of(name))


@pytest.mark.parametrize("name", CALLED)
def test_every_option_and_argument_stands_below_a_title(name: str) -> None:
    command = command_of(name)
    rest = {parameter.name for parameter in command.params if group_of(command, parameter) == REST}
    assert rest <= {"as_json", "debug"}


def test_every_name_of_a_group_is_one_of_a_command() -> None:
    arguments = {
        (name, parameter.human_readable_name)
        for name in CALLED
        for parameter in command_of(name).params
        if isinstance(parameter, click.Argument)
    }
    options = {(name, spelling[2:].replace("-", "_")) for name in CALLED for spelling in spellings_of(name)}
    known = {text for command, name in arguments | options for text in (name, f"{command}.{name}")}
    named = [name for _, names in OPTION_GROUPS for name in names]
    assert set(named) <= known and len(named) == len({*named})


def test_what_belongs_together_stands_together() -> None:
    invert, evaluate = command_of("invert"), command_of("evaluate")

    def titles(command: GroupedCommand, *names: str) -> set[str]:
        found = {parameter.name: group_of(command, parameter) for parameter in command.params}
        return {found[name] for name in names}

    assert titles(invert, "pictures", "kind", "fit", "crop") == {"Input"}
    assert titles(invert, "perceptual_weight", "perceptual_file", "prior") == {"Loss"}
    assert titles(evaluate, "truth", "consistency", "consistent") == {"What is scored"}


def test_bounds_and_defaults_are_told_in_words() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"type": click.IntRange(1, 1_000_000), "help": "Do."}, "Do.  [1 to 1000000]"),
        ({"type": click.FloatRange(0.0), "default": 1.0, "show_default": True, "help": "Do."}, "Do.  [default: 1; at least 0]"),
        ({"type": click.FloatRange(0.0, min_open=True), "help": "Do."}, "Do.  [above 0]"),
        ({"type": click.FloatRange(1e-7, 1.0), "default": 3e-4, "show_default": True}, "[default: 0.0003; 1e-07 to 1]"),
        ({"show_default": "the model's own", "help": "Do."}, "Do.  [default: the model's own]"),
    ]
    for more, expected in cases:
        record = WordedOption(["--x"], **more).get_help_record(click.Context(click.Command("c")))
        assert record is not None and record[1] == expected


def test_random_views_name_the_option_that_is_there() -> None:
    for name in ("render", "sample", "pointcloud"):
        (option,) = [option for option in options_of(name) if option.name == "random_views"]
        assert ("--view-distribution" in (option.help or "")) == ("--view-distribution" in spellings_of(name))


def test_consistent_and_consistency_name_each_other() -> None:
    texts = {option.opts[0]: option.help or "" for option in options_of("evaluate")}
    assert "--consistent" in texts["--consistency"] and "--consistency" in texts["--consistent"]
    (text,) = [option.help or "" for option in options_of("render") if option.name == "consistent"]
    assert "evaluate --consistency" in text


# --- spellings of earlier versions

CALLS: dict[str, Any] = {"invert": InvertCall, "edit": EditCall}
KEPT = [(name, old, new) for name, pairs in KEPT_SPELLINGS.items() for old, new in pairs.items()]


def read(name: str, *args: str) -> Any:
    """The call that a command line means."""
    values = command_of(name).make_context(name, list(args)).params
    return CALLS[name](**{key: value for key, value in values.items() if key != "as_json"})


@pytest.mark.parametrize(("name", "old", "new"), KEPT)
def test_an_earlier_spelling_means_the_same_call(name: str, old: str, new: str, tmp_path: Path) -> None:
    file = tmp_path / "any.png"
    file.write_bytes(b"any")
    least = [str(file)] if name == "invert" else ["3", "--mask", str(file)]
    (option,) = [option for option in options_of(name) if new in option.opts]
    value = {"--kind": "mask", "--perceptual-weight": "0.5", "--perceptual-file": str(file)}[new]
    todays = read(name, *least, new, value)
    assert todays != read(name, *least)
    assert read(name, *least, old, value) == read(name, *least, f"{old}={value}") == todays
    other = {"--kind": "image", "--perceptual-weight": "2", "--perceptual-file": __file__}[new]
    assert read(name, *least, new, other, old, value) == todays  # the last one counts, as ever
    assert read(name, *least, old, other, new, value) == todays
    assert option.opts == [new]


@pytest.mark.parametrize(("name", "old", "new"), KEPT)
def test_an_earlier_spelling_is_shown_nowhere(
    name: str, old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new in OPTION.findall(help_of(name)) and old not in OPTION.findall(help_of(name))
    assert old not in spellings_of(name)
    assert cli.run([name, str(tmp_path), f"{old}x"]) == 2  # what is close to it is today's spelling
    assert old not in OPTION.findall(capsys.readouterr().err.replace(f"{old}x", ""))


def test_a_wrong_value_of_an_earlier_spelling_is_told_by_todays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(b"any")
    assert cli.run(["invert", str(tmp_path / "a.png"), "--from", "sketch"]) == 2
    assert "'sketch' is not one of" in capsys.readouterr().err
    assert cli.run(["invert", str(tmp_path / "a.png"), "--from", "mask", "--tuning", "2"]) == 2
    assert "--tuning: expected photos, found --kind mask" in capsys.readouterr().err


# --- docs


def sections(path: Path) -> dict[str, str]:
    """The text below each heading of the second level."""
    head, *parts = re.split(r"^## (.+)$", path.read_text(), flags=re.MULTILINE)
    return {"": head, **dict(zip(parts[::2], parts[1::2], strict=True))}


CLI_PAGE = sections(REPOSITORY / "docs" / "cli.md")
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", CALLED)
def test_the_page_names_every_option(name: str) -> None:
    """In the command's own section, or among those that commands share."""
    named = {
        *OPTION.findall(CLI_PAGE[name]),
        *OPTION.findall(CLI_PAGE["Shared options"]),
        *OPTION.findall(CLI_PAGE["For every command"]),
    }
    assert spellings_of(name) - named == set()


def test_the_pages_name_no_option_that_does_not_exist() -> None:
    for path in (REPOSITORY / "README.md", REPOSITORY / "docs" / "cli.md"):
        text = re.sub(
            r"^.*(ns-train|ray start|^torchrun |blender --command|^labelme ).*$", "", path.read_text(), flags=re.MULTILINE
        )
        assert {*OPTION.findall(text)} - EVERY - OF_EVERY_COMMAND == set(), path


def calls_in(text: str) -> list[tuple[str, str]]:
    """The commands that a page shows, each with its arguments, up to the end of its line or code, or a comment."""
    joined = re.sub(r"\\\n", " ", text)
    return re.findall(rf"dnerf-headless ({'|'.join(CALLED)})(?![\w-])([^`\n#|]*)", joined)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_calls_of_the_docs_are_calls(path: Path) -> None:
    for name, args in calls_in(path.read_text()):
        assert {*OPTION.findall(args)} <= spellings_of(name) | OF_EVERY_COMMAND, f"{name}{args}"


def test_the_docs_show_calls() -> None:
    assert {name for path in PAGES for name, _ in calls_in(path.read_text())} == {*CALLED}
