"""What the user is shown of what came in: fresh panels, a step of undo; and areas that may have been closed by then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

_waiting_scripts: list[None] = []
"""As many as there are calls inside each other that a script waits for."""


def redraw() -> None:
    """Let all that shows something of the extension be drawn anew: panels, and the scene and the images beside them."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "IMAGE_EDITOR", "PREFERENCES"):
                area.tag_redraw()


def redraw_panels() -> None:
    """Let every panel show how far a job is. The scene beside it is left as it is: to draw that may take longer than the job's step."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            wanted = {"VIEW_3D": ("UI",), "IMAGE_EDITOR": ("UI",), "PREFERENCES": ("WINDOW",)}.get(area.type, ())
            for region in area.regions:
                if region.type in wanted:
                    region.tag_redraw()


def area_at(pointer: int) -> bpy.types.Area | None:
    """The area whose `as_pointer` that was; None: it has been closed. Blender's own reference to a closed one may not be used."""
    areas = (area for window in bpy.context.window_manager.windows for area in window.screen.areas)
    return next((area for area in areas if area.as_pointer() == pointer), None)


def undo_step(name: str) -> None:
    """One step of undo for results that came in after the click."""
    if not bpy.app.background and not _waiting_scripts:  # without a window nothing is undone, and there is no undo stack
        bpy.ops.ed.undo_push(message=name)


@contextmanager
def script_waits() -> Iterator[None]:
    """Meanwhile `undo_step` makes no step, since the script's own has all of it, and `alert` shows nothing: it hears of errors itself."""
    _waiting_scripts.append(None)
    try:
        yield
    finally:
        _waiting_scripts.pop()


def is_script_waiting() -> bool:
    """Whether what goes on is inside of `script_waits`."""
    return bool(_waiting_scripts)
