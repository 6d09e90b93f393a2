"""The images that masks of annotated views are painted on: each knows its own file, whatever folder and view are chosen by then."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy
import numpy as np

from dnerf_core.errors import counted
from dnerf_core.labels import IGNORE_ID, LabelSet

from .. import session
from ..annotation_list import annotation_labels, mask_image_name, mask_path, read_mask
from ..scene.annotation import ids_of, open_mask, refill_mask, save_mask
from ..scene.errors import SceneError
from ..scene.painted import is_painted, note_safe, pack_strokes, seems_painted
from ..scene.views import image_to_array
from .file_versions import find_versions, is_changed, keep_versions, note_version

FILE_PROPERTY = "dnerf_mask_file"
"""On a mask's image: the path of its file."""
LABELS_PROPERTY = "dnerf_mask_labels"
"""On a mask's image: its labels, as JSON."""
BESIDE_PROPERTY = "dnerf_mask_beside"
"""On a mask's image in a .blend file: the path of its file from there, for folders that are moved together."""


def mask_images() -> list[bpy.types.Image]:
    """The images of masks, of every folder: one a file, since duplicates are the artist's."""
    marked = [image for image in bpy.data.images if FILE_PROPERTY in image and image.library is None]
    found: dict[str, bpy.types.Image] = {}
    for image in sorted(marked, key=_less_alike):
        found.setdefault(image[FILE_PROPERTY], image)
    return list(found.values())


def _less_alike(image: bpy.types.Image) -> tuple[bool, str]:
    """The one whose name its mask gave it comes first."""
    return image.name != mask_image_name(Path(image[FILE_PROPERTY]).stem), image.name


def image_of_mask(path: Path) -> bpy.types.Image | None:
    """The image of a mask file; None: it has not been opened."""
    return next((image for image in mask_images() if image[FILE_PROPERTY] == str(path)), None)


def picture_path_of(image: bpy.types.Image) -> Path:
    """The picture that a mask is of, which lies in the folder beside the masks'."""
    path = Path(image[FILE_PROPERTY])
    return path.parent.parent / "images" / path.name


def open_view_mask(scene: bpy.types.Scene, name: str, *, anew: bool = False) -> bpy.types.Image:
    """The image to paint a view's mask on: as it has been painted where no file has that yet, else as its file is.

    Args:
        anew: as its file is in any case.

    Raises:
        UsageError: no folder is open.
        AnnotationError: the file cannot be read.
    """
    path, labels = mask_path(scene, name), annotation_labels(scene)
    image = image_of_mask(path)
    if image is not None and is_painted(image) and not anew:
        return image
    ids = read_mask(path, labels)
    note_version(path)
    if image is None or tuple(image.size) != ids.shape[::-1]:
        if image is not None:
            del image[FILE_PROPERTY]  # which has another size by now
        image = open_mask(mask_image_name(name), ids, labels)
    elif not np.array_equal(image_to_array(image)[..., :3], labels.colorize(ids)):
        refill_mask(image, ids, labels)  # another program has painted it since
    image[FILE_PROPERTY], image[LABELS_PROPERTY] = str(path), json.dumps(labels.to_json())
    return image


def save_painting(image: bpy.types.Image, *, repair: bool = False, over: bool = False) -> int:
    """Write a mask to its file as it is painted, and let the lists say so; returns the pixels that were repaired.

    Args:
        over: also where another program has changed the file since it was read or written here.

    Raises:
        SceneError: pixels that have no label's colour, without `repair`; such a file, without `over`.
        OSError: such a file cannot be read.
        OutputError: the file cannot be written.
    """
    path, labels = Path(image[FILE_PROPERTY]), LabelSet.from_json(json.loads(image[LABELS_PROPERTY]), image.name)
    if not over and is_changed(path):
        raise SceneError(
            f"{path}: expected the file as it was read here, found that another program has changed it; press Save Mask to write "
            "over it, or Read Again to take it"
        )
    painted = ids_of(image, labels, snap=repair)
    save_mask(path, painted.ids, labels)
    note_version(path)
    if painted.repaired_px:
        refill_mask(image, painted.ids, labels)
    else:
        pack_strokes(image)
        note_safe(image)
    for scene in bpy.data.scenes:
        item = scene.dnerf.annotation_items.get(path.stem)
        if item is not None and listed_folder(scene) == path.parent.parent:
            item.painted = bool((painted.ids != 0).any())
            item.prefilled = item.prefilled and bool((painted.ids == IGNORE_ID).any())
    return painted.repaired_px


def save_paintings(folder: Path | None = None) -> list[str]:
    """Write every mask that has been painted, of one folder or of all; returns a line for each that could not be: it stays as it is."""
    lines = []
    for image in unsaved_masks(folder):
        try:
            if is_painted(image):
                save_painting(image)
            else:
                pack_strokes(image)  # its last strokes have been undone
        except session.EXPECTED as error:
            lines.append(str(error))
    return lines


def need_saved(folder: Path) -> None:
    """Write what has been painted of a folder, before its files are used.

    Raises:
        SceneError: something of it could not be written.
    """
    lines = save_paintings(folder)
    if lines:
        raise SceneError(not_saved_line(lines))


def not_saved_line(lines: list[str]) -> str:
    """What is shown of the lines of `save_paintings`: the first, and how many more there are."""
    more = f" (and {counted(len(lines) - 1, 'more mask')})" if len(lines) > 1 else ""
    return f"not saved: {lines[0]}{more}"


def unsaved_masks(folder: Path | None = None) -> list[bpy.types.Image]:
    """The images of masks that seem to have been painted since they were saved, of one folder or of all."""
    return [
        image
        for image in mask_images()
        if (folder is None or Path(image[FILE_PROPERTY]).parent.parent == folder) and seems_painted(image)
    ]


def listed_folder(scene: bpy.types.Scene) -> Path:
    """The folder that a scene names, for panels: it may be none that there is."""
    return Path(os.path.abspath(bpy.path.abspath(scene.dnerf.annotation_folder)))


def note_places(blend_path: str) -> None:
    """Note where the files are from the .blend file that is about to be saved."""
    for image in mask_images():
        try:
            image[BESIDE_PROPERTY] = os.path.relpath(image[FILE_PROPERTY], os.path.dirname(blend_path))
        except ValueError:  # on another drive of Windows
            image[BESIDE_PROPERTY] = image[FILE_PROPERTY]
    keep_versions(_with_files())


def find_places() -> None:
    """A .blend file has been opened: where it and the folder have been moved together, the files are at their new place."""
    for image in mask_images() if bpy.data.filepath else ():
        from_here = image.get(BESIDE_PROPERTY, image[FILE_PROPERTY])
        moved = Path(os.path.abspath(Path(bpy.data.filepath).parent / from_here))
        if moved.is_file():
            image[FILE_PROPERTY] = str(moved)
    find_versions(_with_files())


def _with_files() -> list[tuple[bpy.types.Image, Path]]:
    return [(image, Path(image[FILE_PROPERTY])) for image in mask_images()]
