"""What is being done for the user: one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Job:
    """What a click has begun.

    Attributes:
        title: such as `Rendering views`.
        done, total: steps; total 0: not known yet.
        text: what the worker says of the step.
        number: of the request that runs; None between two of them.
        cancelled: the user wants it to end.
        keeps_best: it can be ended with the best so far.
        stopping: the user wants that.
        at_end: called when it has ended, however it did.
        undo_step: the name of the step of undo that its end makes, however it ends; "": none.
        button: the `bl_idname` of the operator that began it; "": none did.
    """

    title: str
    done: int = 0
    total: int = 0
    text: str = ""
    number: int | None = None
    cancelled: bool = False
    keeps_best: bool = False
    stopping: bool = False
    at_end: Callable[[], None] | None = None
    undo_step: str = ""
    button: str = ""

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0
