"""Where results go: paths of the panel as absolute ones, checked before work starts."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import bpy

from dnerf_core.errors import UsageError
from dnerf_core.files.whole import make_folder

PATH_OPTIONS = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Of properties: `//` paths; before 4.5 every path could be one, and the option was not known."""


def absolute_path(text: str, setting: str) -> Path:
    """The absolute path of a property; `//` is the .blend file's folder.

    Raises:
        UsageError: empty, or beside a .blend file that has not been saved yet.
    """
    if not text.strip():
        raise UsageError(f"{setting}: expected a path, found none; choose one")
    if text.startswith("//") and not bpy.data.is_saved:
        raise UsageError(
            f"{setting}: expected a saved .blend file for {text!r}, found an unsaved one; save it, or choose another path"
        )
    return Path(os.path.abspath(bpy.path.abspath(text)))


def kept_path(path: Path) -> str:
    """A path as properties and strips keep it: from the .blend file where that is saved, on the same drive; else absolute."""
    if not bpy.data.is_saved or not on_one_drive(str(path), bpy.data.filepath):
        return str(path)
    return str(bpy.path.relpath(str(path)))


def on_one_drive(first: str, second: str, *, parts: ModuleType = os.path) -> bool:
    """Whether there is a relative path from one to the other.

    Args:
        parts: `ntpath` or `posixpath`, whose paths they are.
    """
    drives = {parts.splitdrive(parts.normcase(path))[0] for path in (first, second)}
    return len(drives) == 1


def output_folder(text: str, setting: str) -> Path:
    """The folder of a property, made where it is missing.

    Raises:
        UsageError: as `absolute_path`.
        OutputError: it cannot be made or written to.
    """
    folder = absolute_path(text, setting)
    make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise UsageError(
            f"{setting}: expected a folder that can be written to, found {folder}, which cannot; choose another folder"
        )
    return folder


def subjects_folder(text: str) -> Path:
    """The folder for subject files, made where it is missing; of an unsaved .blend file it is the extension's own for this user.

    Raises:
        UsageError: as `absolute_path`, where there is no such folder of the extension.
        OutputError: it cannot be made or written to.
    """
    if text.startswith("//") and not bpy.data.is_saved and __package__.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(__package__, path="subjects", create=True))
    return output_folder(text, "subject: new files")


def file_stem(text: str) -> str:
    """`text` as the stem of a file's name on any system."""
    return "".join(char if char.isalnum() or char in "-_ ." else "_" for char in text).strip(" .") or "view"


def pose_text(text: str) -> str:
    """The name of a motion as it is, a file as its absolute path."""
    is_name = text.isalpha() and not os.path.exists(bpy.path.abspath(text))
    return text if is_name else str(absolute_path(text, "pose"))
