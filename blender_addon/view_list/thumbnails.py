"""Small pictures of views for the list: read from their files when they are first drawn, by Blender, beside its other work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

_pictures: Any = None


def thumbnail(path: Path | None) -> int:
    """The icon of a picture file, for `icon_value`; 0, which is none, where there is no file."""
    if path is None:
        return 0
    name = str(path)
    if name not in _pictures:
        _pictures.load(name, name, "IMAGE")
    return int(_pictures[name].icon_id)


def forget_thumbnail(path: Path) -> None:
    """The file is another one now."""
    if str(path) in _pictures:
        del _pictures[str(path)]


def forget_thumbnails() -> None:
    """Another file is open, with other views."""
    _pictures.clear()


def register() -> None:
    global _pictures  # noqa: PLW0603  # Blender keeps it until it is removed
    _pictures = bpy.utils.previews.new()


def unregister() -> None:
    global _pictures  # noqa: PLW0603
    bpy.utils.previews.remove(_pictures)
    _pictures = None
