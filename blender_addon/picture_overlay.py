"""The picture laid over the mask in the Image Editor, so that what is painted is seen on what it means; the mask stays as it is."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .drawing import draw_picture, picture_texture

_pictures: dict[str, NDArray[np.uint8]] = {}
_textures: dict[tuple[str, int], Any] = {}
_handle: Any = None


def show_over(mask_name: str, picture: NDArray[np.uint8]) -> None:
    """Lay a picture [H, W, 3] over the image of that name, wherever it is shown for painting."""
    _pictures.clear()
    _textures.clear()
    _pictures[mask_name] = picture


def _draw() -> None:
    context = bpy.context
    space, settings = context.space_data, context.scene.dnerf
    if space.image is None or space.image.name not in _pictures or settings.picture_share <= 0.0:
        return
    view = context.region.view2d
    left, bottom = view.view_to_region(0.0, 0.0, clip=False)
    right, top = view.view_to_region(1.0, 1.0, clip=False)
    draw_picture(_texture(space.image.name, settings.picture_share), left, bottom, right - left, top - bottom)


def _texture(name: str, share: float) -> Any:
    key = (name, round(share * 100))
    if key not in _textures:
        picture = _pictures[name]
        pixels = np.full((*picture.shape[:2], 4), share, np.float32)
        pixels[..., :3] = picture[::-1] / np.float32(255.0)
        _textures.clear()
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
    if _handle is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handle, "WINDOW")
        _handle = None
