"""Label colours as icons, since a panel shows no colour that is not a property."""

from __future__ import annotations

from typing import Any

import bpy.utils.previews
import numpy as np

_SIZE_PX = 16
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


def register() -> None:
    global _colors  # noqa: PLW0603  # Blender keeps it until it is removed
    _colors = bpy.utils.previews.new()


def unregister() -> None:
    global _colors  # noqa: PLW0603
    bpy.utils.previews.remove(_colors)
    _colors = None
