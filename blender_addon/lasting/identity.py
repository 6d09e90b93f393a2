"""Datablocks held over time: found again by Blender's number for the session, whatever they are called by then, and after undo and redo.

Blender's own references do not last: undo, redo and opening a file make all datablocks anew. A number is never given twice in a session,
so what was held in one file is not found in the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from dnerf_core.errors import UsageError

_PLACES = {"SCENE": "scenes", "OBJECT": "objects", "IMAGE": "images", "COLLECTION": "collections"}


@dataclass(frozen=True)
class Held:
    """A datablock, by its identity.

    Attributes:
        id_type: Blender's word for what it is, one of those in `_PLACES`.
        uid: its `session_uid`.
        name: what it was called when it was held; for messages.
    """

    id_type: str
    uid: int
    name: str

    def found(self) -> Any | None:
        """The datablock as it is now; None: it has been deleted, or another file is open."""
        blocks = getattr(bpy.data, _PLACES[self.id_type])
        likely = blocks.get(self.name)
        if likely is not None and likely.session_uid == self.uid:
            return likely
        return next((block for block in blocks if block.session_uid == self.uid), None)

    def needed(self, remedy: str = "") -> Any:
        """The same where nothing can be done without it.

        Args:
            remedy: what the message says at its end.

        Raises:
            UsageError: it has been deleted.
        """
        block = self.found()
        if block is None:
            word = self.id_type.lower()
            remedy = remedy or f"undo its deletion, or repeat the step with another {word}"
            raise UsageError(f"{word} {self.name!r}: expected it in this file, found it no more; {remedy}")
        return block


def hold(block: Any) -> Held:
    """What finds a scene, an object, an image or a collection again."""
    return Held(block.id_type, block.session_uid, block.name)


def window_showing(scene: bpy.types.Scene) -> bpy.types.Window | None:
    """A window that shows a scene; None: the user looks at others, or there is no window."""
    return next((window for window in bpy.context.window_manager.windows if window.scene == scene), None)
