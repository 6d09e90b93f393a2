"""What the user is shown of what came in: fresh panels, a step of undo; and areas that may have been closed by then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

_left_out: list[None] = []
"""As many as there are calls inside each other that make no steps of undo."""


def redraw() -> None:
    """Let every side panel show what is new."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "IMAGE_EDITOR", "PREFERENCES"):
                area.tag_redraw()


def area_at(pointer: int) -> bpy.types.Area | None:
    """The area whose `as_pointer` that was; None: it has been closed. Blender's own reference to a closed one may not be used."""
    areas = (area for window in bpy.context.window_manager.windows for area in window.screen.areas)
    return next((area for area in areas if area.as_pointer() == pointer), None)


def undo_step(name: str) -> None:
    """One step of undo for results that came in after the click."""
    if not bpy.app.background and not _left_out:  # without a window nothing is undone, and there is no undo stack
        bpy.ops.ed.undo_push(message=name)


@contextmanager
def undo_steps_left_out() -> Iterator[None]:
    """Meanwhile `undo_step` makes none: a script is waiting for what comes in, and its own step has all of it."""
    _left_out.append(None)
    try:
        yield
    finally:
        _left_out.pop()
