"""What Blender does with its file, and with undo, told to those who know what is painted."""

from __future__ import annotations

import bpy

from ..scene.painted import forget_looks, forget_notes, keep_notes, keep_painted
from ..scene.views import show_old_masks
from .mask_files import find_places, note_places


@bpy.app.handlers.persistent
def _before_save(path: str, *_: object) -> None:
    keep_notes()
    keep_painted()
    note_places(path)


@bpy.app.handlers.persistent
def _after_load(*_: object) -> None:
    forget_notes()
    find_places()
    show_old_masks()


@bpy.app.handlers.persistent
def _after_undo(*_: object) -> None:
    forget_looks()


_HANDLERS = (("save_pre", _before_save), ("load_post", _after_load), ("undo_post", _after_undo), ("redo_post", _after_undo))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    keep_notes()
    forget_notes()
