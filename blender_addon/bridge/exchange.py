"""The private folder through which arrays travel: made by the client, removed by it, and cleared after clients that died."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

import numpy as np

from dnerf_core.alive import is_alive

from .errors import WorkerError

PREFIX = "datasetnerf-exchange-"
_FOLDER = re.compile(re.escape(PREFIX) + r"(?P<pid>[0-9]{1,10})-[A-Za-z0-9_]+")
_ARRAY = re.compile(r"[A-Za-z0-9_-]{1,100}\.npy")


class Exchange:
    """One client's folder, readable by its user alone."""

    def __init__(self) -> None:
        """Make the folder.

        Raises:
            WorkerError: it cannot be made.
        """
        try:
            self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))  # mode 0700
        except OSError as error:
            raise WorkerError(
                f"{tempfile.gettempdir()}: expected to make a folder for the worker's arrays, the system says: "
                f"{error.strerror or error}; free some space, or correct TMPDIR"
            ) from error
        self._numbers = itertools.count(1)

    def take(self, name: str) -> np.ndarray:
        """The array of that name, whose file is removed.

        Raises:
            WorkerError: the name is no plain one, or there is no such array.
        """
        path = self._file(name)
        try:
            array: np.ndarray = np.load(path, allow_pickle=False)
            path.unlink()
        except (OSError, ValueError, EOFError) as error:
            raise WorkerError(f"{path}: expected an array of the worker, it cannot be read ({error}); repeat the step") from error
        return array

    def put(self, array: np.ndarray) -> str:
        """Write an array for the worker; returns its name.

        Raises:
            WorkerError: it cannot be written.
        """
        name = f"c{next(self._numbers):06d}.npy"
        try:
            np.save(self.path / name, array, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"{self.path / name}: expected to write an array for the worker, it cannot be ({error}); start the worker again"
            ) from error
        return name

    def new_file(self, suffix: str) -> Path:
        """A place in the folder for a file of another kind, which goes with the folder at the latest."""
        return self.path / f"c{next(self._numbers):06d}{suffix}"

    def discard(self, value: object) -> None:
        """Remove the arrays that a message names which nobody takes."""
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                self.discard(item)
        elif isinstance(value, str) and _ARRAY.fullmatch(value):
            _unlink_quietly(self.path / value)

    def remove(self) -> None:
        """Remove the folder with all that is in it; one that has gone already is no matter."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, name: str) -> Path:
        if not isinstance(name, str) or _ARRAY.fullmatch(name) is None:
            raise WorkerError(f"array: expected a plain name such as w000001.npy, found {name!r}; repeat the step")
        return self.path / name


def clear_stale() -> None:
    """Remove the folders of this user's clients that are no longer there."""
    parent = Path(tempfile.gettempdir())
    try:
        names = os.listdir(parent)
    except OSError:
        return  # making the client's own folder will say what is wrong
    for name in names:
        match = _FOLDER.fullmatch(name)
        if match is not None and not is_alive(int(match["pid"])) and _is_own_folder(parent / name):
            shutil.rmtree(parent / name, ignore_errors=True)


def _is_own_folder(path: Path) -> bool:
    """Whether it is a folder, no link to one, and this user's; Windows has a temporary folder for each user."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


def _unlink_quietly(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # it goes with the folder
