"""Whether something may have moved since the live preview last looked: Blender tells so after every evaluation."""

from __future__ import annotations

import bpy

_HANDLERS = ("depsgraph_update_post", "frame_change_post", "undo_post", "redo_post", "load_post")
_state = {"number": 0}


def number() -> int:
    """Grows with every change."""
    return _state["number"]


def note() -> None:
    """Something that a pose depends on has been set."""
    _state["number"] += 1


@bpy.app.handlers.persistent
def _noted(*_: object) -> None:
    note()


def register() -> None:
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).append(_noted)


def unregister() -> None:
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(_noted)
