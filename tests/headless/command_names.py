"""Every command that can be called, those of groups by both words."""

from __future__ import annotations

import click

from headless import cli


def _called(name: str, command: click.Command) -> list[str]:
    if isinstance(command, click.Group):
        return [called for key, inner in command.commands.items() for called in _called(f"{name} {key}", inner)]
    return [name]


def found_command(name: str) -> click.Command:
    """The command of a name such as `render` or `annotate import`."""
    found: click.Command | None = cli.group
    for word in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None
    return found


CALLED = [called for name in cli.COMMANDS for called in _called(name, found_command(name))]
