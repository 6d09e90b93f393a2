"""Images that an artist has painted on, known by their pixels, so that nothing painted is overwritten or left out of a .blend file.

Pixels that the extension has put into an image, or has written to the file that they belong in, are safe: their digest is noted. Pixels
that differ from it are painted. Blender's own `is_dirty` does not tell: it ends where pixels are packed, which saves them in the .blend
file only. The note is here, and with the image for the .blend file: undo takes the image's back, but may leave its pixels.
"""

from __future__ import annotations

import hashlib
import zlib

import bpy
import numpy as np

SAFE_PROPERTY = "dnerf_safe"
"""On images of the extension: the digest of pixels that need no saving."""

_safe: dict[int, str] = {}
"""By the image's number for the session."""
_looked: dict[int, tuple[int, bool]] = {}
"""By the same: what is packed, and whether the image was painted when it was."""


def note_safe(image: bpy.types.Image) -> None:
    """The image's pixels, as they are now, need no saving."""
    _safe[image.session_uid] = image[SAFE_PROPERTY] = _digest(image)
    _looked.pop(image.session_uid, None)


def is_painted(image: bpy.types.Image) -> bool:
    """Whether the image has pixels that would be lost with it."""
    if image.filepath and image.packed_file is None and not image.is_dirty:
        return False  # they are a file's
    noted = image.get(SAFE_PROPERTY)
    if noted is None:  # not the extension's, or of a version that made no notes
        return bool(image.is_dirty)
    safe = {_safe.get(image.session_uid, noted)}
    if not image.is_dirty:
        safe.add(noted)  # undo has brought back the packed pixels, and their note with them
    return _digest(image) not in safe


def seems_painted(image: bpy.types.Image) -> bool:
    """The same for panels, which cannot look at all pixels at each drawing: also true where a stroke has been undone since."""
    if image.is_dirty:
        return True
    packed = 0 if image.packed_file is None else zlib.crc32(image.packed_file.data)
    looked = _looked.get(image.session_uid)
    if looked is None or looked[0] != packed:
        looked = _looked[image.session_uid] = packed, is_painted(image)
    return looked[1]


def keep_notes() -> None:
    """Let the images have the notes: a .blend file is about to be saved, or the extension to be disabled."""
    for image in _noted():
        image[SAFE_PROPERTY] = _safe.get(image.session_uid, image[SAFE_PROPERTY])


def keep_painted() -> None:
    """Pack what is painted, so that it is in the .blend file that is about to be saved: Blender leaves it out."""
    for image in _noted():
        pack_strokes(image)


def pack_strokes(image: bpy.types.Image) -> None:
    """Pack an image as it is painted, and let Blender save it also where nothing uses it; one without new strokes stays packed, while
    Blender would look for its file."""
    if image.is_dirty:
        image.pack()
        image.use_fake_user = True


def forget_looks() -> None:
    """Undo and redo change pixels, packed ones too."""
    _looked.clear()


def forget_notes() -> None:
    """Another file is open, whose images bring their notes."""
    _safe.clear()
    _looked.clear()


def _noted() -> list[bpy.types.Image]:
    return [image for image in bpy.data.images if SAFE_PROPERTY in image and image.library is None]


def _digest(image: bpy.types.Image) -> str:
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    pixels = values if image.is_float else np.rint(255.0 * values).astype(np.uint8)
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()
