"""Which Python has datasetnerf: found by where `dnerf-headless` lies, and checked by starting its worker once."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = "dnerf-headless"
_POLL_S = 0.05
_SCRIPT_BYTES = 4096


@dataclass(frozen=True)
class Check:
    """What an interpreter turned out to be.

    Attributes:
        ok: whether the worker runs there.
        version: datasetnerf's; "" where it did not get so far, as the others.
        torch: torch's version.
        device: what it computes on, for people.
        memory_total_bytes, memory_free_bytes: the device's; None: not known.
        message: one line for people.
    """

    ok: bool
    version: str
    torch: str
    device: str
    memory_total_bytes: int | None
    memory_free_bytes: int | None
    message: str


def worker_command(python: Path | str, device: str = "auto") -> list[str]:
    """The command line of a worker. -P: a folder that happens to be the current one is not searched for modules."""
    return [str(python), "-P", "-m", "headless.cli", "worker", "--device", device]


def worker_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a worker: that of this process without Python's own settings, which are meant for Blender's Python."""
    return {name: value for name, value in (os.environ if base is None else base).items() if not name.startswith("PYTHON")}


def find_interpreters() -> list[Path]:
    """Interpreters that `dnerf-headless` is installed for, the likeliest first. Files are looked at, and nothing is run."""
    found: dict[Path, None] = {}
    for script in _scripts():
        for python in _pythons_of(script):
            if python.is_file() and os.access(python, os.X_OK):
                found[python] = None
                break
    return list(found)


def check_interpreter(
    python: Path | str, device: str = "auto", *, timeout_s: float = 60.0, environment: Mapping[str, str] | None = None
) -> Check:
    """Start the worker there once and hear what it says of itself. Takes seconds: call it from a thread."""
    from .client import WorkerClient
    from .protocol import WorkerError

    client = WorkerClient(worker_command(python, device), environment=environment)
    try:
        client.start()
    except WorkerError as error:
        return _failed(str(error))
    try:
        end = time.monotonic() + timeout_s
        while client.state == "starting":
            if time.monotonic() > end:
                return _failed(f"{python}: expected an answer within {timeout_s:g} s, found none; check that interpreter")
            client.poll()
            time.sleep(_POLL_S)
        return _failed(client.loss) if client.ready is None else _passed(client.ready)
    finally:
        client.stop()


def _failed(message: str) -> Check:
    return Check(False, "", "", "", None, None, message)


def _passed(facts: dict[str, Any]) -> Check:
    version, torch, device = (str(facts.get(name, "")) for name in ("version", "torch", "device_name"))
    total, free = facts.get("memory_total_bytes"), facts.get("memory_free_bytes")
    memory = f", {free / 2**30:.1f} of {total / 2**30:.1f} GiB free" if total and free else ""
    return Check(True, version, torch, device, total, free, f"datasetnerf {version}, torch {torch}, {device}{memory}")


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
