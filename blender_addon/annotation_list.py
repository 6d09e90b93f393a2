"""The views of the annotated folder as the panel lists them, and where their files are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.files.opening.whole_png import DamagedPngError, check_png
from dnerf_core.labels import IGNORE_ID, LabelSet

from .places import absolute_path
from .scene.views import image_to_array


def list_views(scene: bpy.types.Scene, result: dict[str, Any]) -> int:
    """Fill the list from the worker's answer to `sample` or `open_annotations`; returns how many views are to do."""
    settings = scene.dnerf
    kept = {item.name: item.prefilled for item in settings.annotation_items}
    settings.annotation_items.clear()
    for view in result["views"]:
        item = settings.annotation_items.add()
        item.name = view["name"]
        item.painted = bool(view["painted"])
        item.prefilled = item.painted and kept.get(item.name, False)
    settings.annotation_index = min(settings.annotation_index, len(result["views"]) - 1)
    settings.annotation_label_set = json.dumps(result["labels"])
    return views_to_do(scene)


def views_to_do(scene: bpy.types.Scene) -> int:
    """How many masks are still empty."""
    return sum(not item.painted for item in scene.dnerf.annotation_items)


def annotation_labels(scene: bpy.types.Scene) -> LabelSet:
    """The folder's labels.

    Raises:
        UsageError: no folder has been opened.
    """
    text = scene.dnerf.annotation_label_set
    if not text:
        raise UsageError("annotate: expected an open annotation folder, found none; sample views, or open a folder")
    return LabelSet.from_json(json.loads(text), "the folder's labels")


def chosen_view(scene: bpy.types.Scene) -> bpy.types.PropertyGroup:
    """The view chosen in the list.

    Raises:
        UsageError: there is none.
    """
    items, index = scene.dnerf.annotation_items, scene.dnerf.annotation_index
    if not 0 <= index < len(items):
        raise UsageError(
            "annotate: expected a chosen view, found none; sample views, or open a folder, and choose one in the list"
        )
    return items[index]


def annotation_folder(scene: bpy.types.Scene) -> Path:
    """Where the views are."""
    return absolute_path(scene.dnerf.annotation_folder, "annotate: folder")


def picture_path(scene: bpy.types.Scene, name: str) -> Path:
    """A view's image."""
    return annotation_folder(scene) / "images" / f"{name}.png"


def mask_path(scene: bpy.types.Scene, name: str) -> Path:
    """A view's mask."""
    return annotation_folder(scene) / "masks" / f"{name}.png"


def mask_image_name(name: str) -> str:
    """What the image that a view's mask is painted on is called."""
    return f"{name} mask"


def read_picture(path: Path) -> NDArray[np.uint8]:
    """An image file's colours, uint8 [H, W, 3].

    Raises:
        AnnotationError: it is not there, no PNG, or damaged, of which Blender itself says nothing.
    """
    if not path.is_file():
        raise AnnotationError(f"{path}: expected an image, found none; open the folder again")
    try:
        with open_regular(path) as file:
            check_png(file)
    except (OSError, DamagedPngError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AnnotationError(f"{path}: expected a PNG image, it cannot be read: {reason}; restore or save it again") from error
    image = bpy.data.images.load(str(path))
    try:
        if not all(image.size):
            raise AnnotationError(f"{path}: expected an image, it cannot be read; restore it")
        return np.ascontiguousarray(image_to_array(image)[..., :3])
    finally:
        bpy.data.images.remove(image)


def read_mask(path: Path, labels: LabelSet) -> NDArray[np.uint8]:
    """A mask file's ids [H, W]: by its colours, or, where it is a gray picture of ids, the ids themselves.

    Raises:
        AnnotationError: it is not there, damaged, or has colours that are no labels.
    """
    picture = read_picture(path)
    ids = picture[..., 0]
    known = (ids < labels.num_classes) | (ids == IGNORE_ID)  # white means ignore in palettes, too
    if (picture == ids[..., None]).all() and known.all():
        return np.ascontiguousarray(ids)
    return labels.ids_from_colors(picture, str(path))
