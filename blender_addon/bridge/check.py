"""What an interpreter turns out to be when its worker is started once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .launch import worker_command

_POLL_S = 0.05


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


def check_interpreter(
    python: Path | str,
    device: str = "auto",
    *,
    timeout_s: float = 60.0,
    environment: Mapping[str, str] | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> Check:
    """Start the worker there once and hear what it says of itself. Takes seconds: call it from a thread.

    Args:
        given_up: whether nobody wants to know any more, which ends it.
    """
    from .client import WorkerClient
    from .errors import WorkerError

    client = WorkerClient(worker_command(python, device), environment=environment)
    try:
        client.start()
    except WorkerError as error:
        return _failed(str(error))
    try:
        end = time.monotonic() + timeout_s
        while client.state == "starting":
            if given_up():
                return _failed(f"{python}: expected an answer, it was cancelled; check that interpreter again")
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
