"""Rendered channels as Blender images.

Convention: arrays are [H, W, ..] with row 0 at the top; Blender's pixels begin at the bottom left. 8-bit values come back as they
went in: the images are byte images, whose values Blender changes for display only.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import LabelSet

from .errors import SceneError
from .painted import is_painted, note_safe

IMAGE_PROPERTY = "dnerf_image"
"""On images made here: an image of the same name with it is made anew, another's, and one that has been painted on, is left alone."""
SHOWN_PROPERTY = "dnerf_shown"
"""On images that are made of a view's files when they are shown: the name that they were made under."""


def own_image(name: str) -> bpy.types.Image | None:
    """The image made here under that name, also where somebody else's has the name itself; None: there is none."""
    image = bpy.data.images.get(name)
    if image is not None and image.get(IMAGE_PROPERTY):
        return image
    return next((image for image in bpy.data.images if image.get(SHOWN_PROPERTY) == name == _without_number(image.name)), None)


def is_file_itself(image: bpy.types.Image) -> bool:
    """Whether an image is a view's file, by its path, and still of the view that it was made for."""
    return bool(image.filepath) and image.packed_file is None and image.get(SHOWN_PROPERTY) == _without_number(image.name)


def _without_number(name: str) -> str:
    """A name without what Blender adds where it is taken, such as `.001`."""
    stem, dot, number = name.rpartition(".")
    return stem if dot and len(number) == 3 and number.isdigit() else name


def image_from_array(name: str, rgb: NDArray[np.uint8], *, is_data: bool = False) -> bpy.types.Image:
    """An image of uint8 [H, W, 3], kept in the .blend file; sRGB, or Non-Color where it is data.

    Raises:
        SceneError: no such array.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise SceneError(f"{name}: expected an image uint8 [H, W, 3], found {rgb.dtype} {list(rgb.shape)}; convert it")
    image = _image(name, rgb.shape[1], rgb.shape[0], is_data=is_data)
    refill(image, rgb)
    return image


def image_to_array(image: bpy.types.Image) -> NDArray[np.uint8]:
    """The 8-bit values [H, W, 4] of a byte image, red, green, blue, alpha.

    Raises:
        SceneError: no such image: floating point, without pixels, or not of four channels.
    """
    width, height = image.size
    if image.is_float or image.channels != 4 or not width or not height:
        found = "floating point" if image.is_float else f"{width} x {height} pixels of {image.channels} channels"
        raise SceneError(f"{image.name}: expected an 8-bit colour image, found {found}; open it again without 32-bit float")
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    return np.ascontiguousarray(np.rint(255.0 * values).astype(np.uint8).reshape(height, width, 4)[::-1])


def mask_image(name: str, mask: NDArray[np.uint8], labels: LabelSet) -> bpy.types.Image:
    """The image of a mask [H, W] in its labels' colours; `annotation.ids_of` gives the ids back.

    Raises:
        AnnotationError: as `LabelSet.colorize`.
    """
    return image_from_array(name, labels.colorize(mask), is_data=True)


def overlay_image(name: str, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], labels: LabelSet) -> bpy.types.Image:
    """The image of a mask's colours laid over the picture, see `LabelSet.overlay`."""
    return image_from_array(name, labels.overlay(rgb, mask))


def depth_image(name: str, depth_planar: NDArray[np.float32]) -> bpy.types.Image:
    """A floating point image of planar depth [H, W], the same in red, green and blue; background, +inf, is 0 as in EXR files."""
    image = _image(name, depth_planar.shape[1], depth_planar.shape[0], is_float=True, is_data=True)
    finite = np.where(np.isfinite(depth_planar), depth_planar, np.float32(0.0)).astype(np.float32)
    _fill(image, np.repeat(finite[..., None], 3, axis=2))
    return image


def depth_picture(depth_planar: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Planar depth [H, W] to look at, uint8 [H, W, 3]: white near to dark gray far, black at background."""
    seen = np.isfinite(depth_planar)
    gray = np.zeros(depth_planar.shape, np.uint8)
    if seen.any():
        near, far = np.percentile(depth_planar[seen], [1, 99])
        share = np.clip((depth_planar[seen] - near) / max(far - near, 1e-6), 0.0, 1.0)
        gray[seen] = np.rint(255 - 205 * share)
    return np.repeat(gray[..., None], 3, axis=2)


def _image(name: str, width: int, height: int, *, is_data: bool, is_float: bool = False) -> bpy.types.Image:
    """An image of that size to fill: the one of that name made here before, or a new one."""
    old = own_image(name)
    if old is not None and is_painted(old):
        old.name = f"{name} painted"  # the artist's now; editors and materials go on showing it
    elif old is not None:
        same = (*old.size, old.is_float, old.colorspace_settings.is_data) == (width, height, is_float, is_data)
        if same and not old.filepath:  # the pixels of a file's image would be written over the file when it is saved or unpacked
            return old
        fresh = _new_image(name, width, height, is_float=is_float, is_data=is_data)
        old.user_remap(fresh)  # who shows the old one shows the new one
        bpy.data.images.remove(old)
        fresh.name = name
        return fresh
    return _new_image(name, width, height, is_float=is_float, is_data=is_data)


def _new_image(name: str, width: int, height: int, *, is_float: bool, is_data: bool) -> bpy.types.Image:
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=is_float, is_data=is_data)
    image.alpha_mode = "STRAIGHT"
    image.use_fake_user = True  # or Blender would not save it while no editor shows it
    image[IMAGE_PROPERTY] = True
    return image


def refill(image: bpy.types.Image, rgb: NDArray[np.uint8], *, safe: bool = True) -> None:
    """Set the pixels of a byte image from uint8 [H, W, 3] of its size; `safe`: they are no painted ones, see `painted`."""
    _fill(image, rgb.astype(np.float32) / np.float32(255.0), safe=safe)


def _fill(image: bpy.types.Image, values: NDArray[np.float32], *, safe: bool = True) -> None:
    """Set the pixels, opaque, from [H, W, 3], and keep them in the .blend file."""
    pixels = np.ones((*values.shape[:2], 4), np.float32)
    pixels[..., :3] = values[::-1]
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    if safe:
        note_safe(image)
