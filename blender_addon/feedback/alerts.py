"""Errors that come without a click, such as the end of a job: once each in the Info log, and in Blender's own popup of errors.

Blender takes a report into the Info log from an operator that it runs itself, not from one that Python calls; so an operator is started
that waits for one event. A popup takes the mouse, so that a stroke or a drag would break: it waits until no such thing runs.
"""

from __future__ import annotations

import bpy

from ..lasting.showing import is_script_waiting
from ..lasting.timers import Timer

_LOOK_S = 0.1
_waiting: list[str] = []


def alert(line: str) -> None:
    """Show an error's line as soon as that disturbs nothing. Without a window there is nobody to show it to."""
    if bpy.app.background or is_script_waiting():
        return
    if line not in _waiting:
        _waiting.append(line)
    _timer.start()


def _look() -> float | None:
    windows = list(bpy.context.window_manager.windows)
    if not windows or any(len(window.modal_operators) for window in windows):
        return _LOOK_S
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.dnerf.report_error("INVOKE_DEFAULT", line=_waiting.pop(0))
    return _LOOK_S if _waiting else None


_timer = Timer(_look, 0.0)


def forget() -> None:
    """The extension is being disabled."""
    _waiting.clear()
