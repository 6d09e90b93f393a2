"""Talking to a worker process in tests, by the extension's own client."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blender_addon.bridge.client import WorkerClient
from blender_addon.bridge.errors import WorkerFault
from blender_addon.bridge.launch import worker_environment
from dnerf_core.camera import Camera

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 120.0


@dataclass
class Heard:
    """All that one request was told."""

    number: int = 0
    parts: list[dict[str, Any]] = field(default_factory=list)
    progress: list[tuple[int, int, str]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    fault: WorkerFault | None = None

    @property
    def over(self) -> bool:
        return self.result is not None or self.fault is not None

    def done(self) -> dict[str, Any]:
        assert self.fault is None, self.fault
        assert self.result is not None
        return self.result

    def failed(self) -> tuple[int, str]:
        assert self.fault is not None, self.result
        return self.fault.code, self.fault.message


class Talk:
    """A started client."""

    def __init__(self, *command: str, **environment: str) -> None:
        """command: what follows the interpreter; nothing: the worker itself."""
        command = command or ("-P", "-m", "headless.cli", "worker", "--device", "cpu")
        found = worker_environment() | {"PYTHONPATH": str(ROOT)} | environment
        self.client = WorkerClient([sys.executable, *command], environment=found)
        self.client.start()

    @classmethod
    def stand_in(cls, behaviour: str) -> Talk:
        """A worker with the stand-in engine."""
        return cls("-m", "tests.headless.stand_in_worker", behaviour, "worker", "--device", "cpu")

    def ask(self, method: str, **params: Any) -> Heard:
        heard = Heard()
        heard.number = self.client.request(
            method,
            params,
            on_part=heard.parts.append,
            on_progress=lambda *told: heard.progress.append(told),
            on_done=lambda result: setattr(heard, "result", result),
            on_error=lambda fault: setattr(heard, "fault", fault),
        )
        return heard

    def wait(self, done: Callable[[], Any], limit_s: float = WAIT_S) -> None:
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, (self.client.state, self.client.loss)
            self.client.poll()
            time.sleep(0.003)

    def call(self, method: str, **params: Any) -> Heard:
        heard = self.ask(method, **params)
        self.wait(lambda: heard.over)
        return heard

    @property
    def folder(self) -> Path:
        exchange = self.client._exchange
        assert exchange is not None
        return exchange.path


def named(cameras: list[Camera]) -> list[dict[str, Any]]:
    """Cameras as a request has them."""
    return [{"name": f"v{index}", **camera.to_json()} for index, camera in enumerate(cameras)]


def is_gone(pid: int, limit_s: float = 8.0) -> bool:
    """Whether a process ends within the time; one that only waits for its parent to count it has ended."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
