"""The extension's timers: none outlives it, and one that meets an error goes on after the error has been dealt with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import bpy

Look = Callable[[], float | None]
"""What a timer calls: returns in how many seconds it is to be called again; None: no more."""

_started: dict[int, Timer] = {}
"""Those that may be running, by `id`."""


class Timer:
    """Calls a function on Blender's main thread until it returns None.

    An error goes on to Blender, which prints it and lets go of the timer; with `on_error` it is started anew.
    """

    def __init__(
        self, look: Look, interval_s: float, *, on_error: Callable[[BaseException], None] | None = None, persistent: bool = True
    ) -> None:
        """`start` starts it.

        Args:
            look: what is called.
            interval_s: until the first call, and after an error.
            on_error: ends what has met the error, so that it does not come again at once; None: the timer ends with it.
            persistent: it goes on when another file is opened.
        """
        self._look, self._interval_s, self._on_error, self._persistent = look, interval_s, on_error, persistent
        self._called = self._call  # one and the same object, by which Blender knows it

    @property
    def runs(self) -> bool:
        """Whether Blender is going to call it."""
        return bool(bpy.app.timers.is_registered(self._called))

    def start(self) -> None:
        """Begin; one that runs goes on."""
        if not self.runs:
            bpy.app.timers.register(self._called, first_interval=self._interval_s, persistent=self._persistent)
        _started[id(self)] = self

    def stop(self) -> None:
        """End it; one that does not run is no matter."""
        _started.pop(id(self), None)
        while self.runs:  # twice, where it is called by other than Blender and meets an error
            bpy.app.timers.unregister(self._called)

    def _call(self) -> float | None:
        with ExitStack() as stack:
            stack.push(self._deal_with)
            again_s = self._look()
        if again_s is None:
            _started.pop(id(self), None)
        return again_s

    def _deal_with(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and self._on_error is not None:
            bpy.app.timers.register(self._called, first_interval=self._interval_s, persistent=self._persistent)
            self._on_error(error)


def stop_all() -> None:
    """End every timer: the extension is being disabled."""
    for timer in list(_started.values()):
        timer.stop()
