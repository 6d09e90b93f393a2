"""Calls as the command lines that mean them, so that a report's reader can type each of its steps."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from dnerf_core.seeds import format_seeds

_ARGUMENTS = ("dataset", "folders", "experiment")
_SPELLED = {"model_name": "--model", "size_px": "--size", "formats": "--format"}
_REPEATED = ("also", "subject_files")
_RANGES = ("yaw", "pitch")
_OFF = {"flip": "--no-flip", "density_prior": "--no-density-prior"}


def command_line(command: str, call: Any) -> str:
    """`dnerf-headless COMMAND ...` of a call, options at their defaults left out."""
    arguments: list[str] = []
    options: list[str] = []
    for field in dataclasses.fields(call):
        value = getattr(call, field.name)
        if field.name in _ARGUMENTS:
            arguments += [str(item) for item in (value if isinstance(value, tuple) else (value,))]
        elif field.name == "output" or value != field.default:
            options += _option(field.name, value)
    return shlex.join(["dnerf-headless", command, *arguments, *options])


def _option(name: str, value: Any) -> list[str]:
    spelled = _SPELLED.get(name, f"--{name.replace('_', '-')}")
    if value is True:
        return [spelled]
    if value is False:
        return [_OFF[name]]
    if name in _REPEATED:
        return [word for item in value for word in (spelled, str(item))]
    return [spelled, _text(name, value)]


def _text(name: str, value: Any) -> str:
    if name == "seeds" and isinstance(value, tuple):
        return format_seeds(value)
    if name in _RANGES:
        return f"{value[0]:g}:{value[1]:g}"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, str | int | Path) else f"{value:g}"
