"""A Python environment with the engine, made where the user says: one at a time, in the background, whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..bridge.check import Check, check_interpreter
from ..bridge.errors import EXPECTED, WorkerError
from ..bridge.groups import end_group, group_options
from ..bridge.launch import worker_environment
from . import faults, generations
from .pip_output import PipOutput, installed_packages, log_tail, newest_file_bytes, site_packages, tree_bytes
from .source import Source

OLDEST_PYTHON = (3, 11)
_LOOK = """
import sys
from importlib.util import find_spec
import json
print(json.dumps({"version": list(sys.version_info[:3]), "venv": all(find_spec(name) is not None for name in ("venv", "ensurepip"))}))
"""
_LOOK_TIMEOUT_S = 60.0
_CHECK_TIMEOUT_S = 300.0
_WAIT_S = 0.2
_KILL_AFTER_S = 3.0
_END_TIMEOUT_S = 15.0
_LEAST_ROOM_BYTES = 2 * 2**20
_OTHER_PLACES = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV")
"""Settings of pip that would put packages elsewhere."""


class _Cancelled(Exception):  # noqa: N818  # no error: the user's wish
    """The making is to end."""


@dataclass(frozen=True)
class Progress:
    """How far a making is: `text` says what it does now, `share`, 0 to 1, how much of that is done."""

    text: str
    share: float


class EnvironmentMaking:
    """The making of one environment, on a thread of its own.

    Attributes:
        folder: where environments are made, each in a folder of its own.
        python: the interpreter of the new one, when it is whole.
        line: how it ended.
        progress: how far it is.
        running, succeeded: whether it goes on, and whether it ended well.
    """

    def __init__(
        self,
        folder: Path,
        package: str,
        *,
        source: Source | None = None,
        base_python: Path | str = "",
        used_python: Path | str = "",
        check: Callable[..., Check] = check_interpreter,
    ) -> None:
        """Check what can be checked at once; `start` does the work.

        Args:
            folder: it does not exist, is empty, or has environments that were made there before.
            package: what pip installs: a name, a wheel or a folder.
            source: where packages come from; None: what pip is configured for.
            base_python: the interpreter that the environment rests on; "": this one.
            used_python: the interpreter that is chosen now, whose environment stays in any case.
            check: starts the engine of an interpreter once.

        Raises:
            WorkerError: the folder, the package or the source cannot be taken.
        """
        self._source = Source() if source is None else source
        if not package or package.startswith("-"):
            raise WorkerError(f"package: expected a name, a folder or a wheel, found {package!r}; write datasetnerf")
        self._source.check()
        generations.check_folder(folder)
        self.folder = folder
        self.python: Path | None = None
        self.line = ""
        self.progress = Progress("", 0.0)
        self.running = False
        self.succeeded = False
        self._package = package
        self._base_python = str(base_python) or sys.executable
        self._used_python = Path(used_python)
        self._check = check
        self._cancelled = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dnerf-environment", daemon=True)

    @property
    def cancelled(self) -> bool:
        """Whether it is to end."""
        return self._cancelled.is_set()

    def start(self) -> None:
        """Begin; returns at once."""
        self.running = True
        self.progress = Progress("looking at the base Python", 0.0)
        self._thread.start()

    def cancel(self) -> None:
        """End it and remove what has been made; returns at once, and `running` says when that is done."""
        self._cancelled.set()
        self._woken.set()
        self.progress = Progress("cancelling", self.progress.share)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False where the time was up first."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        path: Path | None = None
        self.line = f"{self.folder}: expected a new environment, found a fault of the extension; report it with the console"
        try:
            version = self._look_at_base()
            generations.clear_unused(self.folder, self._used_python)
            path = generations.begin_generation(self.folder)
            self._make_environment(path)
            self._install(path, version)
            facts = self._start_engine(path)
            generations.end_generation(path, {"package": self._package, "python": version, "engine": facts})
            self.python = generations.python_of(path)
            self.line = f"{path}: ready; it is the interpreter now ({facts})"
            self.succeeded = True
        except _Cancelled:
            self.line = f"{self.folder}: cancelled, nothing was kept of it"
        except OSError as error:
            self.line = faults.system_line(self.folder, error)
        except EXPECTED as error:
            self.line = str(error)
        finally:
            if path is not None and not self.succeeded and not generations.remove_generation(path):
                self.line += f"; remove {path} yourself, some of it could not be"
            self.running = False

    def _look_at_base(self) -> str:
        """The version of the base Python, which has what it needs."""
        python = self._base_python
        lines: list[str] = []
        code = self._step([python, "-I", "-c", _LOOK], lines.append, timeout_s=_LOOK_TIMEOUT_S)
        try:
            facts = json.loads(lines[-1])
            version, has_venv = tuple(facts["version"]), facts["venv"]
        except (IndexError, KeyError, TypeError, ValueError):
            raise WorkerError(
                f"{python}: expected Python 3.11 or newer, found something else (it ended with {code}); name another Base Python"
            ) from None
        found = ".".join(map(str, version))
        if version < OLDEST_PYTHON:
            raise WorkerError(f"{python}: expected Python 3.11 or newer, found {found}; name another Base Python")
        if not has_venv:
            raise WorkerError(faults.no_venv_line(python))
        return found

    def _make_environment(self, path: Path) -> None:
        self.progress = Progress("making the environment", 0.0)
        lines: list[str] = []
        code = self._step([self._base_python, "-m", "venv", str(path)], lines.append)
        if code:
            _check_room(path)
            raise WorkerError(faults.venv_fault(self._base_python, path, code, lines))

    def _install(self, path: Path, version: str) -> None:
        """Let pip install the package, and say meanwhile how far it is."""
        temporary, log = path / "tmp", path / "pip.log"
        temporary.mkdir()
        output, before = PipOutput(), installed_packages(path)
        looked_s, unpacked = 0.0, 0

        def show() -> None:
            nonlocal looked_s, unpacked
            began_s = time.monotonic()
            if output.packages and began_s > looked_s:
                unpacked = sum(tree_bytes(folder) for folder in site_packages(path))
                looked_s = time.monotonic() + 1.0 + 10 * (time.monotonic() - began_s)  # a slow disk is not looked at all the time
            done = installed_packages(path) - before
            self.progress = Progress(*output.progress(newest_file_bytes(temporary), done, unpacked))

        words = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--log", str(log)]
        command = [str(generations.python_of(path)), *words, *self._source.pip_words(), "--", self._package]
        code = self._step(command, output.hear, show=show, more={name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")})
        if code:
            _check_room(path)
            logged = log_tail(log)
            raise WorkerError(faults.pip_fault(self._package, self._source, version, path, code, output.lines, logged))
        generations.remove_tree(temporary)
        log.unlink(missing_ok=True)

    def _start_engine(self, path: Path) -> str:
        """What the engine says of itself in the new environment."""
        self.progress = Progress("starting the engine once", 0.0)
        found = self._check(generations.python_of(path), timeout_s=_CHECK_TIMEOUT_S, given_up=self._cancelled.is_set)
        if self._cancelled.is_set():
            raise _Cancelled
        if not found.ok:
            raise WorkerError(f"{self._package}: expected an engine that starts; {found.message}")
        return found.message

    def _step(
        self,
        command: Sequence[str],
        hear: Callable[[str], None],
        *,
        show: Callable[[], None] = lambda: None,
        more: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Run a program to its end; returns its exit code.

        Args:
            hear: called with each line that it prints, on another thread.
            show: called all the time meanwhile, after each line and once more at its end, which may come soon after.
            more: of its environment.
            timeout_s: it is ended then; None: never.

        Raises:
            WorkerError: it cannot be started.
            _Cancelled: it has been ended with all that it had started.
        """
        if self._cancelled.is_set():
            raise _Cancelled
        environment = {name: value for name, value in worker_environment().items() if name not in _OTHER_PLACES}
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env={**environment, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **(more or {})},
                **group_options(),
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WorkerError(
                f"{command[0]}: expected a Python, it cannot be started: {reason}; name another Base Python"
            ) from error
        assert process.stdout is not None

        def hear_and_wake(line: str) -> None:
            hear(line)
            self._woken.set()

        reader = threading.Thread(target=_read_lines, args=(process, hear_and_wake), name="dnerf-environment output", daemon=True)
        reader.start()
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        while process.poll() is None:
            if self._cancelled.is_set() or (end_s is not None and time.monotonic() > end_s):
                _end(process)
                break
            self._woken.clear()
            show()
            self._woken.wait(_WAIT_S)
        if self._cancelled.is_set():
            _end(process)
            raise _Cancelled
        reader.join(_END_TIMEOUT_S)
        show()
        return int(process.returncode)


def _read_lines(process: subprocess.Popen[str], hear: Callable[[str], None]) -> None:
    assert process.stdout is not None
    with process.stdout as pipe:
        for line in pipe:
            hear(line.rstrip())


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and what it has started, by force where it takes long. What it had started is gone, too, afterwards."""
    end_group(process, force=False)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_AFTER_S)
    end_group(process, force=True)
    process.wait(_END_TIMEOUT_S)


def _check_room(folder: Path) -> None:
    """What has failed where the disk is full has failed by that, whatever it says itself.

    Raises:
        WorkerError: it is full.
    """
    if shutil.disk_usage(folder).free < _LEAST_ROOM_BYTES:
        raise WorkerError(faults.disk_full_line(folder))


_making: EnvironmentMaking | None = None
_refusal = ""


def refusal() -> str:
    """Why the button, pressed last, has begun none; "": it has."""
    return _refusal


def refuse(line: str) -> None:
    """Keep that, for the preferences to show; "": it has begun one."""
    global _refusal  # noqa: PLW0603  # as `_making`
    _refusal = line


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
    """Cancel what is being made, and wait until it has been removed: the extension is being disabled."""
    if _making is not None and _making.running:
        _making.cancel()
        _making.join(_END_TIMEOUT_S)
