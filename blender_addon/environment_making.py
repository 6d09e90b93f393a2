"""A Python environment with the engine, made where the user says: one at a time, in the background, whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from .bridge.errors import WorkerError
from .bridge.launch import worker_environment

_LAST_LINES = 3
_KILL_AFTER_S = 5.0


class EnvironmentMaking:
    """The making of one environment, on a thread of its own.

    Attributes:
        folder: where it is made.
        python: its interpreter.
        line: what happens now, or how it ended.
        running, succeeded: how far it is.
    """

    def __init__(self, folder: Path, package: str, *, base_python: str | None = None) -> None:
        """Check the place; `start` does the work.

        Args:
            folder: made here; it does not exist, or is empty.
            package: what pip installs: a name, a wheel or a folder.
            base_python: the interpreter that the environment rests on; None: this one.

        Raises:
            WorkerError: the folder cannot be taken.
        """
        if not folder.is_absolute():
            raise WorkerError(f"new environment: expected a whole path, found {str(folder)!r}; choose a folder")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise WorkerError(f"{folder}: expected an empty or new folder, found something in it; choose another folder")
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.line = ""
        self.running = False
        self.succeeded = False
        self._package = package
        self._base_python = base_python or sys.executable
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False
        self._thread = threading.Thread(target=self._run, name="dnerf-environment", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self.running = True
        self._thread.start()

    def cancel(self) -> None:
        """End it, and remove what has been made."""
        self._cancelled = True
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_KILL_AFTER_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False where the time was up first."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        steps: list[tuple[str, Sequence[str]]] = [
            ("making the environment", [self._base_python, "-m", "venv", str(self.folder)]),
            (f"installing {self._package}", [str(self.python), "-m", "pip", "install", "--no-input", self._package]),
        ]
        for title, command in steps:
            fault = "cancelled" if self._cancelled else self._step(title, command)
            if self._cancelled or fault:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.line = f"{self.folder}: cancelled" if self._cancelled else f"{self.folder}: {title}: {fault}"
                self.running = False
                return
        self.line = f"{self.folder}: ready; it is the interpreter now"
        self.succeeded = True
        self.running = False

    def _step(self, title: str, command: Sequence[str]) -> str:
        """Run a command; returns what went wrong, or nothing."""
        self.line = title
        last: list[str] = []
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=worker_environment(),
            )
        except OSError as error:
            return f"{command[0]}: the system says: {error.strerror}; choose another folder, or make the environment by hand"
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip():
                last = [*last[1 - _LAST_LINES :], line.strip()]
                self.line = f"{title}: {line.strip()}"
        code = self._process.wait()
        return f"ended with {code}: {' / '.join(last)}" if code else ""


_making: EnvironmentMaking | None = None


def current() -> EnvironmentMaking | None:
    """The one that is being made, or was made last."""
    return _making


def begin(making: EnvironmentMaking) -> None:
    """Start it.

    Raises:
        WorkerError: another one is being made.
    """
    global _making  # noqa: PLW0603  # one a Blender, shown in the preferences until the next
    if _making is not None and _making.running:
        raise WorkerError(f"new environment: expected none being made, found {_making.folder}; wait or cancel it")
    _making = making
    making.start()


def end() -> None:
    """Cancel what is being made: the extension is being disabled."""
    if _making is not None and _making.running:
        _making.cancel()
