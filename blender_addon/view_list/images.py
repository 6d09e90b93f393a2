"""Blender images of the list's views, made of their files when they are shown.

The picture itself is the file, by its path. What no file has as it is to be seen, such as a mask in its labels' colours, is made of the
files, and is in the .blend file only while something uses it. With `pack_views` all of them are kept in the .blend file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.files.opening.regular_files import open_regular, read_regular_text
from dnerf_core.labels import LabelSet

from ..annotation_list import read_mask, read_picture
from ..places import kept_path
from ..scene import views as scene_views
from ..scene.cameras import square_view
from ..scene.errors import SceneError
from ..scene.painted import is_painted, note_safe
from ..scene.views import IMAGE_PROPERTY, SHOWN_PROPERTY, image_to_array, is_file_itself, own_image
from ..shown_views import KINDS
from .items import file_of, pose_of

_LARGEST_SIDE_PX = 1 << 15


def view_image(item: bpy.types.PropertyGroup, kind: str, *, pack: bool) -> tuple[bpy.types.Image, bool]:
    """The image of one of a view's `KINDS`, and whether it has been made now.

    Args:
        pack: keep it in the .blend file.

    Raises:
        SceneError: it is neither in the .blend file nor in the folder.
        AnnotationError: a file cannot be read.
    """
    name = item.name + kind
    image = own_image(name)
    fresh = image is None
    if image is None:
        image = _make_image(item, kind, name)
        image[SHOWN_PROPERTY] = name
        image.use_fake_user = False
        note_safe(image)
    if pack and is_file_itself(image) and not is_painted(image):
        image = scene_views.image_from_array(name, image_to_array(image)[..., :3])
    image.use_fake_user = image.use_fake_user or pack
    return image, fresh


def _make_image(item: bpy.types.PropertyGroup, kind: str, name: str) -> bpy.types.Image:
    path = file_of(item, kind)
    if path is None:
        where = f"found none in {item.folder}" if item.folder else "found it no more"
        what = {"": "an image", " depth": "a depth file (.exr or .npy)"}.get(kind, "a mask")
        raise SceneError(f"{item.name}: expected {what} of the view, {where}; render the views again")
    square = square_view(pose_of(item)) if item.seen else None

    def cut(array: NDArray[Any]) -> NDArray[Any]:
        return array if square is None else square.crop(array)

    if kind == " depth":
        image = scene_views.depth_image(name, cut(_read_depth(path)))
        scene_views.note_exact_depth(image, kept_path(path))
        return image
    if kind == "":
        rgb = read_picture(path)
        if cut(rgb).shape == rgb.shape:
            return _open_file(name, path)
        return scene_views.image_from_array(name, np.ascontiguousarray(cut(rgb)))
    labels = _read_labels(Path(item.folder))
    ids = np.ascontiguousarray(cut(read_mask(path, labels)))
    if kind == " labels":
        return scene_views.mask_image(name, ids, labels)
    picture = file_of(item, "")
    if picture is None:
        raise SceneError(f"{item.name}: expected an image of the view, found none in {item.folder}; render the views again")
    return scene_views.overlay_image(name, np.ascontiguousarray(cut(read_picture(picture))), ids, labels)


def _open_file(name: str, path: Path) -> bpy.types.Image:
    image = bpy.data.images.load(str(path))
    image.name = name
    image[IMAGE_PROPERTY] = True
    _set_path(image, path)
    return image


def _set_path(image: bpy.types.Image, path: Path) -> None:
    """By the .blend file, where that is saved; saving it the first time makes Blender do so."""
    try:
        image.filepath = bpy.path.relpath(str(path)) if bpy.data.is_saved else str(path)
    except ValueError:  # on another drive of Windows
        image.filepath = str(path)


def _read_labels(folder: Path) -> LabelSet:
    path = folder / "labels.json"
    try:
        return LabelSet.from_json(read_regular_text(path), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(
            f"{path}: expected the labels of the folder's views, it cannot be read; render them anew"
        ) from error


def _read_depth(path: Path) -> NDArray[np.float32]:
    """Planar depth [H, W], +inf at background."""
    fault = f"{path}: expected planar depth, it cannot be read; render the views again"
    try:
        open_regular(path).close()
        if path.suffix == ".npy":
            depth = np.array(np.load(path, mmap_mode="r", allow_pickle=False), np.float32)
            if depth.ndim != 2 or max(depth.shape) > _LARGEST_SIDE_PX:
                raise AnnotationError(fault)
            return depth
    except (OSError, ValueError, EOFError) as error:
        raise AnnotationError(fault) from error
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        width, height = image.size
        if not width or not height or not image.is_float:
            raise AnnotationError(fault)
        values = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(values)
        depth = values.reshape(height, width, image.channels)[::-1, :, 0].copy()
    finally:
        bpy.data.images.remove(image)
    depth[depth == 0] = np.inf
    return depth


def refresh_file_image(item: bpy.types.PropertyGroup) -> None:
    """A view has been rendered: its image, where it is a file, is the one that the list has now. One that was painted on stays."""
    image, path = own_image(item.name), file_of(item, "")
    if image is None or path is None or not is_file_itself(image):
        return
    if is_painted(image):
        image.name = f"{item.name} painted"  # the artist's now
        del image[SHOWN_PROPERTY]
        return
    _set_path(image, path)
    image.reload()
    note_safe(image)


def note_depth_file(item: bpy.types.PropertyGroup) -> None:
    """A view has been rendered: the picture of its depths, where there is one, says which file has them exactly."""
    image, path = own_image(f"{item.name} depth"), file_of(item, " depth")
    if image is not None and path is not None:
        scene_views.note_exact_depth(image, kept_path(path))


def let_go_of_unused(keep: bpy.types.Image) -> None:
    """Remove images that were made to be shown, and that nothing shows or uses any more, where the files have all of them."""
    images = [image for image in bpy.data.images if SHOWN_PROPERTY in image and not image.use_fake_user and image != keep]
    own = [(image, image[SHOWN_PROPERTY]) for image in images if own_image(image[SHOWN_PROPERTY]) == image]  # but renamed ones
    remove_unused([image for image, name in own if _has_files(name)])


def _has_files(name: str) -> bool:
    """Whether an image can be made again under that name."""
    items = (item for scene in bpy.data.scenes for item in scene.dnerf.view_items if name.startswith(item.name))
    return any(file_of(item, kind) is not None for item in items for kind in KINDS if item.name + kind == name)


def remove_unused(images: list[bpy.types.Image]) -> None:
    """Remove those of the images that nothing uses, and that nobody has painted on."""
    users = bpy.data.user_map(subset=set(images)) if images else {}
    for image in images:
        if not users.get(image) and not is_painted(image):
            bpy.data.images.remove(image)


def images_of(item: bpy.types.PropertyGroup) -> list[bpy.types.Image]:
    """The extension's images of a view."""
    found = (own_image(item.name + kind) for kind in KINDS)
    return [image for image in found if image is not None]
