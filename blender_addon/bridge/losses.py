"""One line for every way in which a worker can be lost: what happened, and what to do."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from typing import Any

from dnerf_core.worker_protocol import PROTOCOL

_SHOWN_LINES = 3
_WINDOWS_ENDS = {
    0xC0000005: "an access violation in a library or a driver",
    0xC0000017: "which Windows sends where memory runs out",
    0xC000012D: "which Windows sends where memory runs out",
    0xC0000135: "a DLL that is missing: install Microsoft's Visual C++ Redistributable, which torch needs",
    0xC000013A: "an interruption from a console",
}
"""Exit codes that Windows gives to programs that it ends."""

_NEWER_ENGINE = "press Create Environment in the preferences, which installs this extension's engine, or update datasetnerf there"


def lost_before(python: str, exit_code: int, stderr: Sequence[str]) -> str:
    """Why a worker ended before it said that it is ready.

    Args:
        python: the interpreter.
        exit_code: the process's.
        stderr: the last lines that it wrote there.
    """
    text = "\n".join(stderr)
    missing = re.search(r"No module named '?([A-Za-z0-9_.]+)", text)
    if missing and missing[1].split(".")[0] in ("headless", "dnerf_core"):
        return (
            f"{python}: expected an interpreter with datasetnerf, found none in it; install datasetnerf there, or choose another "
            "interpreter in the preferences"
        )
    if "No such command" in text:
        return f"{python}: expected a datasetnerf that has the worker, found an older one; {_NEWER_ENGINE}"
    if "nknown option" in text:
        return f"{python}: expected Python 3.11 or newer, found an older one; choose another interpreter in the preferences"
    errors = [line.removeprefix("error: ") for line in stderr if line.startswith("error: ")]
    if errors:
        return f"{python}: {errors[-1]}"
    if missing:
        return f"{python}: expected datasetnerf with all it needs, found no {missing[1]}; install datasetnerf there again"
    return f"{python}: expected a worker that starts, it ended with {_end(exit_code)}{_tail(stderr)}; check the interpreter"


def lost_after(exit_code: int, stderr: Sequence[str], working: Sequence[str]) -> str:
    """Why a worker that was ready ended; `working` names the methods that had not ended."""
    during = f" during {working[0]}" if working else ""
    return f"worker: it ended{during} with {_end(exit_code)}{_tail(stderr)}; the next click starts a new worker"


def wrong_protocol(python: str, facts: dict[str, Any]) -> str:
    """What is said of a greeting that is not this client's."""
    protocol = facts.get("protocol")
    version = f" (datasetnerf {facts['version']})" if isinstance(facts.get("version"), str) else ""
    older = isinstance(protocol, int) and protocol < PROTOCOL
    remedy = _NEWER_ENGINE if older else "update this extension, or datasetnerf there"
    return f"{python}: expected a worker of protocol {PROTOCOL}, found {protocol!r}{version}; {remedy}"


def _end(exit_code: int) -> str:
    if exit_code >= 0:
        known = _WINDOWS_ENDS.get(exit_code)
        return f"exit code {exit_code}" if known is None else f"exit code {exit_code:#x}, {known}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"{name}, which the system sends where memory runs out" if name == "SIGKILL" else name


def _tail(stderr: Sequence[str]) -> str:
    lines = [line.removeprefix("error: ") for line in stderr[-_SHOWN_LINES:]]
    return f" ({' | '.join(lines)})" if lines else ""
