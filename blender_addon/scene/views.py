"""Rendered channels as Blender images.

Convention: arrays are [H, W, ..] with row 0 at the top; Blender's pixels begin at the bottom left. 8-bit values come back as they
went in: the images are byte images, whose values Blender changes for display only. All are sRGB, masks too: so the Image Editor shows
the very bytes, whatever the scene's view transform, while it brightens what is Non-Color as if that were linear light.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import LabelSet

from .errors import SceneError
from .painted import is_painted, note_safe

_BYTES_ARE = "sRGB"
"""Blender's name of the space."""
IMAGE_PROPERTY = "dnerf_image"
"""On images made here: an image of the same name with it is made anew, another's, and one that has been painted on, is left alone."""
SHOWN_DEPTH_PROPERTY = "dnerf_shown_depth"
"""On the picture of a depth: which depths are its grays."""
EXACT_DEPTH_PROPERTY = "dnerf_exact_depth"
"""On the picture of a depth: the path of the file that has the exact values; `//` is the .blend file's folder."""
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


def image_from_array(name: str, rgb: NDArray[np.uint8]) -> bpy.types.Image:
    """An sRGB image of uint8 [H, W, 3], kept in the .blend file.

    Raises:
        SceneError: no such array.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise SceneError(f"{name}: expected an image uint8 [H, W, 3], found {rgb.dtype} {list(rgb.shape)}; convert it")
    image = _image(name, rgb.shape[1], rgb.shape[0])
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
    return image_from_array(name, labels.colorize(mask))


def overlay_image(name: str, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], labels: LabelSet) -> bpy.types.Image:
    """The image of a mask's colours laid over the picture, see `LabelSet.overlay`."""
    return image_from_array(name, labels.overlay(rgb, mask))


def depth_image(name: str, depth_planar: NDArray[np.float32]) -> bpy.types.Image:
    """The image of planar depth [H, W] to look at, see `depth_picture`; it says which depths its grays are.

    The exact values are in the view's file: `note_exact_depth` says in which.
    """
    image = image_from_array(name, depth_picture(depth_planar))
    ends = _shown_depths(depth_planar)
    shown = "nothing seen" if ends is None else f"white {ends[0]:.4g} to dark gray {ends[1]:.4g} world units"
    image[SHOWN_DEPTH_PROPERTY] = f"{shown}; black: background"
    image.pop(EXACT_DEPTH_PROPERTY, None)
    return image


def note_exact_depth(image: bpy.types.Image, path: str) -> None:
    """Note with the picture of a depth which file has its exact values."""
    image[EXACT_DEPTH_PROPERTY] = path


def depth_picture(depth_planar: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Planar depth [H, W] to look at, uint8 [H, W, 3]: white near to dark gray far, black at background."""
    gray, ends = np.zeros(depth_planar.shape, np.uint8), _shown_depths(depth_planar)
    if ends is not None:
        near, far = ends
        seen = np.isfinite(depth_planar)
        share = np.clip((depth_planar[seen] - near) / max(far - near, 1e-6), 0.0, 1.0)
        gray[seen] = np.rint(255 - 205 * share)
    return np.repeat(gray[..., None], 3, axis=2)


def _shown_depths(depth_planar: NDArray[np.float32]) -> tuple[float, float] | None:
    """The depths that are shown as the lightest and the darkest gray: all but a hundredth at either end; None: there is no object."""
    seen = depth_planar[np.isfinite(depth_planar)]
    if not seen.size:
        return None
    near, far = np.percentile(seen, [1, 99])
    return float(near), float(far)


def shown_as_srgb(image: bpy.types.Image) -> bpy.types.Image:
    """The image, made sRGB where it is Non-Color, as files of version 0.1.0 have masks; its pixels stay, painted ones too."""
    if image.colorspace_settings.is_data:
        if image.is_dirty:
            image.pack()  # or Blender would read it again without its strokes
        image.colorspace_settings.name = _BYTES_ARE
    return image


def show_old_masks() -> None:
    """A .blend file has been opened: masks that an earlier version made get the colours that they stand for."""
    for image in bpy.data.images:
        if image.get(IMAGE_PROPERTY) and image.library is None and not image.is_float:
            shown_as_srgb(image)


def _image(name: str, width: int, height: int) -> bpy.types.Image:
    """An image of that size to fill: the one of that name made here before, or a new one."""
    old = own_image(name)
    if old is not None and is_painted(old):
        old.name = f"{name} painted"  # the artist's now; editors and materials go on showing it
    elif old is not None:
        same = (*old.size, old.is_float, old.colorspace_settings.is_data) == (width, height, False, False)
        if same and not old.filepath:  # the pixels of a file's image would be written over the file when it is saved or unpacked
            return old
        fresh = _new_image(name, width, height)
        old.user_remap(fresh)  # who shows the old one shows the new one
        bpy.data.images.remove(old)
        fresh.name = name
        return fresh
    return _new_image(name, width, height)


def _new_image(name: str, width: int, height: int) -> bpy.types.Image:
    image = bpy.data.images.new(name, width, height, alpha=False)
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
