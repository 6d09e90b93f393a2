"""Environments on disk: `FOLDER/env-1`, `env-2`, ... each whole or marked as being made; the one before stays until a new one is ready.

Nothing is moved, since programs in an environment name their own place. A file in each says how far it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dnerf_core.alive import is_alive
from dnerf_core.errors import OutputError
from dnerf_core.files.whole import whole_file

from ..bridge.errors import WorkerError

STATE_NAME = "datasetnerf-environment.json"
_NAME = re.compile(r"env-(?P<number>[1-9][0-9]{0,5})")
_WORKER = re.compile(r"worker-(?P<pid>[1-9][0-9]{0,9})")
_SYSTEMS_OWN = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""What file browsers leave in folders."""
_STATE_BYTES = 65536
_REMOVE_TRIES, _REMOVE_WAIT_S = 10, 0.2


def python_of(environment: Path, *, windows: bool = os.name == "nt") -> Path:
    """Where an environment has its interpreter."""
    return environment / ("Scripts/python.exe" if windows else "bin/python")


def check_folder(folder: Path) -> None:
    """Whether environments can be made in a folder: it is new, empty, or has such environments and nothing else.

    Raises:
        WorkerError: it cannot be taken.
    """
    if not folder.is_absolute():
        raise WorkerError(f"new environment: expected a whole path, found {str(folder)!r}; choose a folder")
    if not folder.exists():
        return
    if not folder.is_dir() or any(_state_of(path) is None for path in folder.iterdir() if path.name not in _SYSTEMS_OWN):
        raise WorkerError(
            f"{folder}: expected a new or empty folder, or one that Create Environment has filled, found something else in it; "
            "choose another folder"
        )


def begin_generation(folder: Path) -> Path:
    """A new folder for an environment, marked as being made by this process.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = max((number for number, _ in _generations(folder)), default=0) + 1
    path = folder / f"env-{number}"
    path.mkdir()  # another Blender that takes this number in the same moment: an error, and nobody's harm
    _write_state(path, {"state": "making", "pid": os.getpid()})
    return path


def end_generation(path: Path, facts: dict[str, Any]) -> None:
    """It is whole: say so in its file.

    Args:
        facts: what is known of it, for people.
    """
    _write_state(path, {"state": "ready", **facts})


def is_whole(path: Path) -> bool:
    """Whether `end_generation` has been there."""
    return (_state_of(path) or {}).get("state") == "ready"


def note_worker(python: Path, pid: int) -> None:
    """Say in the environment that an interpreter belongs to that a worker runs there; another Blender then does not remove it.

    Nothing is said where the interpreter is of no environment of ours, or where that cannot be written to: it cannot be removed, either.
    """
    for path in python.parents:
        if is_whole(path):
            _forget_ended_workers(path)
            with suppress(OSError):
                (path / f"worker-{pid}").touch()
            return


def _forget_ended_workers(path: Path) -> bool:
    """Remove the marks of workers that have ended; True where others run."""
    running = False
    for mark in path.iterdir():
        match = _WORKER.fullmatch(mark.name)
        if match is not None and is_alive(int(match["pid"])):
            running = True
        elif match is not None:
            with suppress(OSError):
                mark.unlink()
    return running


def clear_unused(folder: Path, used: Path) -> None:
    """Remove what nobody needs: half an environment of a process that has gone, and whole ones but the newest and those in use.

    Args:
        used: the interpreter that is chosen here; another Blender's is known by its worker, see `note_worker`.
    """
    whole = [path for _, path in _generations(folder) if is_whole(path)]
    for _, path in _generations(folder):
        if path in whole:
            unused = path != whole[-1] and path not in used.parents and not _forget_ended_workers(path)
        else:
            pid = (_state_of(path) or {}).get("pid")
            unused = not isinstance(pid, int) or pid == os.getpid() or not is_alive(pid)
        if unused:
            _remove_environment(path)


def remove_generation(path: Path) -> bool:
    """Remove an environment, and the folder around it where nothing else is there; False where some of it stays."""
    removed = _remove_environment(path)
    with suppress(OSError):  # it has others
        path.parent.rmdir()
    return removed


def _remove_environment(path: Path) -> bool:
    """Remove one; where only a part of it can be, as of one that is in use on Windows, its file says to the last that it is not whole."""
    with suppress(OSError, OutputError):  # on a full disk it is only being made, anyway
        _write_state(path, {"state": "removing"})
    parts = [part for part in path.iterdir() if part.name != STATE_NAME]
    return all([remove_tree(part) for part in parts]) and remove_tree(path)


def remove_tree(path: Path) -> bool:
    """Remove a file or a folder with all that is in it; False where some of it stays. Tries for a while: Windows holds files of programs
    that have just ended."""
    for _ in range(_REMOVE_TRIES):
        if path.is_symlink() or path.is_file():
            with suppress(OSError):
                path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return True
        _make_writable(path)
        time.sleep(_REMOVE_WAIT_S)
    return False


def _make_writable(path: Path) -> None:
    """Of what may not be removed because it is read-only."""
    for folder, _, names in os.walk(path):
        for name in (folder, *(os.path.join(folder, name) for name in names)):
            with suppress(OSError):  # then the next try fails, and says so
                os.chmod(name, stat.S_IWRITE | stat.S_IREAD | stat.S_IEXEC)


def _generations(folder: Path) -> Iterator[tuple[int, Path]]:
    """Environments and their numbers, in order."""
    paths = folder.iterdir() if folder.is_dir() else iter(())
    matches = [(match, path) for path in paths if (match := _NAME.fullmatch(path.name)) is not None]
    yield from sorted((int(match["number"]), path) for match, path in matches)


def _state_of(path: Path) -> dict[str, Any] | None:
    """What an environment's file says; None: it is not one of ours."""
    if _NAME.fullmatch(path.name) is None or path.is_symlink() or not path.is_dir():
        return None
    state_path = path / STATE_NAME
    if not any(path.iterdir()):
        return {"state": "making"}  # its maker was ended before it could say so
    try:
        with state_path.open("rb") as file:
            state = json.loads(file.read(_STATE_BYTES))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def _write_state(path: Path, state: dict[str, Any]) -> None:
    with whole_file(path / STATE_NAME) as temporary:
        temporary.write_text(json.dumps(state, indent=1) + "\n", "utf-8")
