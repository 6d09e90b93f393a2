"""The picture laid over the mask in the Image Editor, so that what is painted is seen on what it means; the mask stays as it is.

A mask's image knows its picture: a file, or another image. So the picture comes back by itself after the .blend file has been opened
again, or the extension enabled again.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from . import session
from .annotation_list import read_picture
from .drawing import draw_picture, picture_texture
from .painting.mask_files import FILE_PROPERTY, picture_path_of
from .scene.views import image_to_array

PICTURE_PROPERTY = "dnerf_picture"
"""On a mask's image: the image of its picture, where that is no file."""

_MOST = 8
"""Pictures that are held at once."""

_pictures: dict[int, NDArray[np.uint8] | None] = {}
"""By the number for the session of the mask's image; None: it cannot be read, which has been said."""
_textures: dict[tuple[int, int], Any] = {}
_handle: Any = None


def read_over(mask: bpy.types.Image) -> None:
    """Read the picture that belongs over a mask's image, wherever that is shown for painting.

    Raises:
        AnnotationError: it is not there, or damaged.
        SceneError: it has been made another kind of image.
    """
    drop_over(mask)
    while len(_pictures) >= _MOST:
        _pictures.pop(next(iter(_pictures)))
    _pictures[mask.session_uid] = None
    picture = mask.get(PICTURE_PROPERTY)
    if picture is None:
        _pictures[mask.session_uid] = read_picture(picture_path_of(mask))
    else:
        _pictures[mask.session_uid] = np.ascontiguousarray(image_to_array(picture)[..., :3])


def drop_over(mask: bpy.types.Image) -> None:
    """Its picture is another one now."""
    _pictures.pop(mask.session_uid, None)
    _textures.clear()


def picture_over(mask: bpy.types.Image) -> NDArray[np.uint8] | None:
    """The picture [H, W, 3] that lies over a mask's image; None: none, or not read yet."""
    return _pictures.get(mask.session_uid)


def _draw() -> None:
    context = bpy.context
    mask, share = context.space_data.image, context.scene.dnerf.picture_share
    if mask is None or share <= 0.0 or not _has_picture(mask):
        return
    if mask.session_uid not in _pictures:
        if not bpy.app.timers.is_registered(_read_shown):  # files and images are not to be read while Blender draws
            bpy.app.timers.register(_read_shown, first_interval=0.0)
        return
    picture = _pictures[mask.session_uid]
    if picture is None:
        return
    view = context.region.view2d
    left, bottom = view.view_to_region(0.0, 0.0, clip=False)
    right, top = view.view_to_region(1.0, 1.0, clip=False)
    draw_picture(_texture(mask.session_uid, picture, share), left, bottom, right - left, top - bottom)


def _has_picture(mask: bpy.types.Image) -> bool:
    return FILE_PROPERTY in mask or mask.get(PICTURE_PROPERTY) is not None


def _read_shown() -> None:
    """Read the pictures of the masks that editors show, those that are not held."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            mask = area.spaces.active.image if area.type == "IMAGE_EDITOR" else None
            if mask is None or mask.session_uid in _pictures or not _has_picture(mask):
                continue
            try:
                read_over(mask)
            except session.EXPECTED as error:
                session.current().say(str(error), "ERROR")
    session.redraw()


def _texture(number: int, picture: NDArray[np.uint8], share: float) -> Any:
    key = (number, round(share * 100))
    if key not in _textures:
        pixels = np.full((*picture.shape[:2], 4), share, np.float32)
        pixels[..., :3] = picture[::-1] / np.float32(255.0)
        for old in [old for old in _textures if old[0] == number]:
            del _textures[old]
        _textures[key] = picture_texture(pixels)
    return _textures[key]


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    _pictures.clear()
    _textures.clear()


def register() -> None:
    global _handle  # noqa: PLW0603  # Blender gives it, and takes it back
    bpy.app.handlers.load_pre.append(_before_load)
    if not bpy.app.background:  # without a window there is nothing to draw on
        _handle = bpy.types.SpaceImageEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle  # noqa: PLW0603
    _before_load()
    bpy.app.handlers.load_pre.remove(_before_load)
    if bpy.app.timers.is_registered(_read_shown):
        bpy.app.timers.unregister(_read_shown)
    if _handle is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handle, "WINDOW")
        _handle = None
