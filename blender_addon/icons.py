"""Label colours, and the picture of a search, as icons: a panel shows no other colour or picture that is not a property."""

from __future__ import annotations

from typing import Any

import bpy.utils.previews
import numpy as np
from numpy.typing import NDArray

_SIZE_PX = 16
_PICTURE = "picture"
_colors: Any = None


def color_icon(color: tuple[int, int, int]) -> int:
    """The icon of a colour, for `icon_value`."""
    name = bytes(color).hex()
    if name not in _colors:
        icon = _colors.new(name)
        icon.icon_size = (_SIZE_PX, _SIZE_PX)
        pixels = np.ones((_SIZE_PX, _SIZE_PX, 4), np.float32)
        pixels[..., :3] = np.array(color, np.float32) / 255.0
        icon.icon_pixels_float.foreach_set(pixels.ravel())
    return int(_colors[name].icon_id)


def keep_picture(rgb: NDArray[np.uint8]) -> None:
    """Make uint8 [H, W, 3] what `picture_icon` shows."""
    icon = _colors[_PICTURE] if _PICTURE in _colors else _colors.new(_PICTURE)
    height, width = rgb.shape[:2]
    icon.image_size = (width, height)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = rgb[::-1] / np.float32(255.0)
    icon.image_pixels_float.foreach_set(pixels.ravel())


def drop_picture() -> None:
    """There is none any more."""
    if _PICTURE in _colors:
        del _colors[_PICTURE]


def has_picture() -> bool:
    """Whether there is one."""
    return _PICTURE in _colors


def picture_icon() -> int:
    """The icon of the picture, for `template_icon`."""
    return int(_colors[_PICTURE].icon_id)


def register() -> None:
    global _colors  # noqa: PLW0603  # Blender keeps it until it is removed
    _colors = bpy.utils.previews.new()


def unregister() -> None:
    global _colors  # noqa: PLW0603
    bpy.utils.previews.remove(_colors)
    _colors = None
