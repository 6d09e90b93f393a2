"""A stand-in for the model that actors in other processes can open: it notes what it makes, and dies or fails where it is told to."""

from __future__ import annotations

import os
import signal
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.errors import OutputError
from headless import models
from headless.datasets.plan import ViewPlan
from headless.datasets.seen import MakeSubject
from headless.datasets.view_source import subject_maker
from tests.headless.fake_engine import FakeModel

Fault = Literal["", "die once", "die always", "disk full", "bug"]


@dataclass(frozen=True)
class FakeSource:
    """As `ViewSource`; a test binds the last three.

    Attributes:
        notes: an existing folder beside the output, which is named out; in it a file a process, with a line a subject that it began.
        fault: "die once": in the second view of the second subject of the process that gets there first; "die always", "disk full",
            "bug": in the first view of seed 2.
        view_s: what a view takes.
    """

    model_name: str
    device: str
    plan: ViewPlan
    form: ConvolutionForm | None
    notes: Path
    fault: Fault = ""
    view_s: float = 0.02

    def check(self) -> None:
        """Its file is the right one."""

    def open(self, load: object = None) -> MakeSubject:
        """Subjects that note their making."""
        models.one_thread_a_view = nullcontext  # type: ignore[assignment]  # would load torch
        seeds: list[int] = []
        views: list[int] = []

        def before_view() -> None:
            time.sleep(self.view_s)
            views.append(seeds[-1])
            self._fail(seeds, views.count(seeds[-1]))

        make = subject_maker(FakeModel(before_view=before_view), self.plan)  # type: ignore[arg-type]

        def noted(seed: int):  # type: ignore[no-untyped-def]
            seeds.append(seed)
            with (self.notes / f"{os.getpid()}").open("a") as file:
                file.write(f"{seed}\n")
            return make(seed)

        return noted

    def _fail(self, seeds: list[int], view: int) -> None:
        dead = self.notes / "dead"
        if self.fault == "die once" and (len(seeds), view) == (2, 2) and not dead.exists():
            dead.write_text(f"{os.getpid()}")
            self._die(seeds[-1])
        if seeds[-1] != 2:
            return
        if self.fault == "die always":
            self._die(2)
        if self.fault == "disk full":
            raise OutputError("out/depth: expected to write this file or folder, the system says: No space left; free some")
        if self.fault == "bug":
            raise ZeroDivisionError("by nothing")

    def _die(self, seed: int) -> None:
        """SIGKILL while a file is half written."""
        (self.notes.parent / "out" / "images" / f".tmp-{os.getpid():010d}-s{seed:04d}_v01.png").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)


def made_by(notes: Path) -> dict[int, list[int]]:
    """The seeds that each process began, in order."""
    files = [path for path in notes.iterdir() if path.name.isdecimal()]
    return {int(path.name): [int(line) for line in path.read_text().split()] for path in files}
