"""A request for a data set as the command line that makes the same folder: what the Blender panel shows, to be copied.

The extension carries this module, so it needs the standard library only.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ..seeds import format_seeds

_OPTIONS = {"model": "--model", "subject_files": "--subject", "formats": "--format", "pose_frames": "--frames"}
"""Options that are not spelled as their fields are."""
_LISTS = ("channels", "formats")
_RANGES = ("yaw", "pitch", "pose_frames")


def render_words(request: Mapping[str, Any]) -> list[str]:
    """The words of `dnerf-headless render` that mean a request of the worker's method `data_set`.

    Args:
        request: values by the names of the fields of the command's call, as JSON has them, `model` for `model_name`; a value of None, an
            empty list and a switch that is off say nothing.
    """
    words = ["dnerf-headless", "render"]
    for name, value in request.items():
        option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
        if value is None or value is False or value == []:
            continue
        if value is True:
            words.append(option)
        elif name == "subject_files":
            words += [word for path in value for word in (option, str(path))]
        elif name in _RANGES:
            # in one word, or a range that begins below 0 would be taken for an option
            words.append(f"{option}={':'.join(map(_number, value))}")
        else:
            words += [option, _text(name, value)]
    return words


def _text(name: str, value: Any) -> str:
    if name == "seeds":
        return format_seeds(tuple(value))
    if name == "reject_uncertain":
        return f"{100 * value:.6g}%"
    if name in _LISTS:
        return ",".join(value)
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.12g}"


def command_text(words: list[str], *, windows: bool) -> str:
    """Words as a line to paste into a terminal.

    Args:
        windows: as Windows' programs take their arguments apart; else as POSIX shells do.
    """
    return subprocess.list2cmdline(words) if windows else shlex.join(words)
