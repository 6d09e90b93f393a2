"""Which Python has datasetnerf: found by where `dnerf-headless` lies, and checked by starting its worker once."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "dnerf-headless"
_SCRIPT_BYTES = 4096


def find_interpreters() -> list[Path]:
    """Interpreters that `dnerf-headless` is installed for, the likeliest first. Files are looked at, and nothing is run."""
    interpreters: dict[Path, None] = {}
    for script in _scripts():
        for python in _pythons_of(script):
            if python.is_file() and os.access(python, os.X_OK):
                interpreters[python] = None
                break
    return list(interpreters)


def _scripts() -> Iterator[Path]:
    """Every `dnerf-headless` on PATH, and where pip puts it for one user, which a desktop's PATH may lack."""
    name = f"{PROGRAM}.exe" if sys.platform == "win32" else PROGRAM
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    if sys.platform != "win32":
        folders.append(Path.home() / ".local" / "bin")
    for folder in dict.fromkeys(folders):
        if folder.is_absolute() and (folder / name).is_file():
            yield folder / name


def _pythons_of(script: Path) -> Iterator[Path]:
    """The interpreter that the script's first line names, then those beside it, through links too."""
    if sys.platform != "win32":
        yield from _named_in(script)
    for place in dict.fromkeys((script, script.resolve())):
        for name in ("python.exe",) if sys.platform == "win32" else ("python3", "python"):
            yield place.with_name(name)
        if sys.platform == "win32":
            yield place.parent.with_name("python.exe")  # Scripts lies beside it


def _named_in(script: Path) -> Iterator[Path]:
    """The interpreter of `#!/path/python`, or of the form that stands for a path that is too long or has spaces: `'''exec' '/path' ..`."""
    try:
        with script.open("rb") as file:
            lines = file.read(_SCRIPT_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return
    if not lines or not lines[0].startswith("#!"):
        return
    try:
        words = shlex.split(lines[0][2:])
        if words and Path(words[0]).name == "sh" and len(lines) > 1 and lines[1].startswith("'''exec'"):
            words = shlex.split(lines[1].removeprefix("'''exec'"))
    except ValueError:
        return
    if words and Path(words[0]).is_absolute() and Path(words[0]).name.lower().startswith("python"):
        yield Path(words[0])
