"""Which Python has datasetnerf: found by where `dnerf-headless` lies, or where the user points to. Files are looked at, and nothing is run.

Every branch for a system takes it as an argument, so that it can be tested on any.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import TypeVar

PROGRAM = "dnerf-headless"
_SCRIPT_BYTES = 4096
_LAUNCHER_BYTES = 16384
_LAUNCHER_LINE = re.compile(rb"#!(?P<quote>\"?)(?P<path>[^\r\n\"]+?\.exe)(?P=quote)\r?\nPK", re.IGNORECASE)
"""At the end of a program that pip writes on Windows: its interpreter, then the zip that it runs."""
_MAC_FOLDERS = ("opt/homebrew/bin", "usr/local/bin", "Library/Frameworks/Python.framework/Versions/3.*/bin")
"""Where macOS has Pythons of Homebrew and of python.org; programs that are started from the desktop have neither on PATH."""

AnyPath = TypeVar("AnyPath", bound=PurePath)


def find_interpreters(
    *,
    system: str = sys.platform,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
    root: Path = Path("/"),
) -> list[Path]:
    """Interpreters that `dnerf-headless` is installed for, the likeliest first.

    Args:
        system: as `sys.platform`.
        environment: its PATH is searched, and on Windows its APPDATA; None: this process's.
        home: the user's folder; None: as the system says.
        root: of the file system, on macOS.
    """
    interpreters: dict[Path, None] = {}
    folders = program_folders(system, os.environ if environment is None else environment, home or Path.home(), root)
    name = f"{PROGRAM}.exe" if system == "win32" else PROGRAM
    for script in (folder / name for folder in folders if folder.is_absolute() and (folder / name).is_file()):
        for python in _pythons_of(script, system):
            if python.is_file() and os.access(python, os.X_OK):
                interpreters[python] = None
                break
    return list(interpreters)


def program_folders(system: str, environment: Mapping[str, str], home: Path, root: Path = Path("/")) -> list[Path]:
    """The folders of PATH, then those where pip puts programs for one user and where Pythons of the system are, which a desktop's PATH
    may lack."""
    parts = environment.get("PATH", "").split(";" if system == "win32" else ":")
    folders = [Path(part.strip('"') if system == "win32" else part) for part in parts if part]
    if system == "win32":
        if appdata := environment.get("APPDATA"):
            folders += sorted(Path(appdata).glob("Python/Python3*/Scripts"), reverse=True)
        return list(dict.fromkeys(folders))
    folders.append(home / ".local" / "bin")
    if system == "darwin":
        folders += sorted(home.glob("Library/Python/3.*/bin"), reverse=True)
        for place in _MAC_FOLDERS:
            folders += sorted(root.glob(place), reverse=True)
    return list(dict.fromkeys(folders))


def pointed_to(text: str, *, system: str = sys.platform) -> str:
    """A path as people paste it: without the quotation marks that Windows' Copy as Path puts around it, without spaces at its ends."""
    text = text.strip()
    quotes = '"' if system == "win32" else "\"'"
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in quotes else text


def interpreter_at(place: Path, *, system: str = sys.platform) -> Path:
    """The interpreter that is meant by a place: itself, or of an environment's folder, of a `Python.app`, or of `dnerf-headless` the one
    that is there. What has none stays as it is, and starting it says so."""
    candidates: Iterator[Path] = iter(())
    if place.is_dir():
        candidates = iter(pythons_in(place, system))
    elif place.stem == PROGRAM:
        candidates = _pythons_of(place, system)
    return next((path for path in candidates if path.is_file()), place)


def pythons_in(folder: AnyPath, system: str) -> list[AnyPath]:
    """Where a folder may have an interpreter: an environment, an installed Python, macOS' bundle of one."""
    if system == "win32":
        return [folder / "Scripts" / "python.exe", folder / "python.exe"]
    names = [folder / "bin" / "python3", folder / "bin" / "python", folder / "python3", folder / "python"]
    return [*names, folder / "Contents" / "MacOS" / "Python"] if system == "darwin" else names


def pythons_near(script: AnyPath, system: str) -> list[AnyPath]:
    """Interpreters in the folder of a program of pip's; on Windows Scripts lies beside it, too, where Python itself is installed."""
    if system == "win32":
        return [script.with_name("python.exe"), script.parent.with_name("python.exe")]
    return [script.with_name("python3"), script.with_name("python")]


def _pythons_of(script: Path, system: str) -> Iterator[Path]:
    """The interpreter that the program names, then those near it, through links too."""
    if system == "win32":
        if named := named_by_launcher(_end_of(script)):
            yield Path(named)
    else:
        yield from _named_in(script)
    for place in dict.fromkeys((script, script.resolve())):
        yield from pythons_near(place, system)


def named_by_launcher(end: bytes) -> str:
    """The interpreter that a Windows program of pip's starts; "": none is named.

    Args:
        end: the last bytes of the program.
    """
    match = _LAUNCHER_LINE.search(end)
    return "" if match is None else match["path"].decode("utf-8", "replace").strip()


def _end_of(program: Path) -> bytes:
    try:
        with program.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LAUNCHER_BYTES))
            return file.read(_LAUNCHER_BYTES)
    except OSError:
        return b""


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
