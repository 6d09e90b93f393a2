"""What is being done for the user: one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        own_steps: what Blender does itself between two requests, a step at each look; None: nothing.
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
    own_steps: Iterator[None] | None = None
    button: str = ""

    def begin_own_steps(self, steps: Iterator[None], title: str, total: int) -> None:
        """Go on with what Blender does itself: a step at each look of the session, so that ESC is heard in between; the last may ask the
        worker for the next thing.
        """
        self.title, self.own_steps, self.text = title, steps, ""
        self.done, self.total = 0, total

    def take_own_step(self, cancel: Callable[[Job], None]) -> int:
        """Do the next of these steps; returns how many were done. A job that the user has cancelled is given to `cancel` instead."""
        if self.own_steps is None:
            return 0
        if self.cancelled:
            cancel(self)
        elif next(self.own_steps, self) is self:
            self.own_steps = None
        return 1

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0
