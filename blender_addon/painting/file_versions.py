"""Whether another program has changed a mask's file since it was read or written here.

What is known is of paths, and kept out of undo: it would take back that a mask has been saved, but not the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import bpy

VERSION_PROPERTY = "dnerf_mask_version"
"""On a mask's image in a .blend file: the digest of its file when that was last read or written."""
_known: dict[str, str] = {}


def note_version(path: Path) -> None:
    """A mask's file has just been read or written here."""
    _known[str(path)] = _digest(path)


def is_changed(path: Path) -> bool:
    """Whether the file holds other bytes than when it was last read or written here; False: it is gone, or was never seen.

    Raises:
        OSError: it cannot be read.
    """
    before = _known.get(str(path))
    return before is not None and path.is_file() and _digest(path) != before


def keep_versions(images: Iterable[tuple[bpy.types.Image, Path]]) -> None:
    """The .blend file is about to be saved: let the masks' images, each with its file, carry what is known."""
    for image, path in images:
        if str(path) in _known:
            image[VERSION_PROPERTY] = _known[str(path)]


def find_versions(images: Iterable[tuple[bpy.types.Image, Path]]) -> None:
    """A .blend file has been opened: what its masks' images, each with its file, carry is what is known."""
    _known.clear()
    for image, path in images:
        if VERSION_PROPERTY in image:
            _known[str(path)] = str(image[VERSION_PROPERTY])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
