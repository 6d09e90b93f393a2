"""What came of each button: the line that stands at it until it is pressed again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Literal

Level = Literal["INFO", "ERROR", "CANCELLED"]


@dataclass(frozen=True)
class Outcome:
    """A line, and how well it went.

    Attributes:
        number: the later, the higher.
    """

    line: str
    level: Level
    number: int


class Outcomes:
    """The lines of all buttons of this Blender.

    Attributes:
        button: the `bl_idname` of the operator that is being pressed, such as `dnerf.render_views`; "": none is.
    """

    def __init__(self) -> None:
        self.button = ""
        self._outcomes: dict[str, Outcome] = {}
        self._numbers = count()

    @contextmanager
    def pressed(self, button: str) -> Iterator[None]:
        """What is said meanwhile is said of that button, and a job that begins has begun by it."""
        before, self.button = self.button, button
        try:
            yield
        finally:
            self.button = before

    def note(self, line: str, level: Level) -> None:
        """A line of the button that is being pressed; "": nothing to say, so that what stood there goes. Where none is, nobody's."""
        if self.button:
            self._outcomes[self.button] = Outcome(line, level, next(self._numbers))

    def latest(self, buttons: Collection[str]) -> Outcome | None:
        """What the button of these says that was pressed last; None: it has nothing to say, or none was pressed."""
        found = [outcome for button, outcome in self._outcomes.items() if button in buttons]
        last = max(found, key=lambda outcome: outcome.number, default=None)
        return last if last is not None and last.line else None

    def forget(self) -> None:
        """Another file is open: nothing has been pressed in it."""
        self._outcomes.clear()
