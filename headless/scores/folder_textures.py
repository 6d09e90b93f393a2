"""Line textures of the objects of a folder of posed views: one pixel row of every frame, images and masks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, UsageError, counted
from dnerf_core.files.masks import read_mask
from dnerf_core.files.posed_folder import PosedView
from dnerf_core.labels import LabelSet
from dnerf_core.multiview.consistency import line_texture
from headless.pictures.texture_sheet import TextureRow, texture_sheet
from headless.scores.folder_consistency import PosedObject, ScoredObject

MAX_OBJECTS = 4
"""Objects that are drawn, the first ones."""

MAX_FRAMES = 512
"""Of an object; of more, so many evenly spread ones."""


@dataclass(frozen=True)
class DrawnObject:
    """An object, how it scored, and the pixel row that is drawn of it."""

    item: PosedObject
    scored: ScoredObject
    row: int


def check_row(item: PosedObject, row: int | None) -> None:
    """Refuse a row that the first view of an object does not have, before the work.

    Raises:
        UsageError: there is no such row.
    """
    if row is None:
        return
    height = item.folder.labelled(item.views[0]).depth_planar.shape[0]
    if row >= height:
        raise UsageError(f"--row: expected 0 to {height - 1}, the rows of {item.views[0].name!r}, found {row}; choose another")


def middle_row(item: PosedObject, scored: ScoredObject) -> int:
    """The row through an object's middle: the median over its views of where the centre of its box appears."""
    rows = []
    for view, (_, height) in zip(item.views, scored.sizes_px, strict=True):
        (_, v), _ = view.camera.project(scored.box.middle)
        if np.isfinite(v):  # not behind the camera
            rows.append(v * height)
    height = scored.sizes_px[0][1]
    return min(max(int(np.median(rows)), 0), height - 1) if rows else height // 2


def textures_png(title: str, objects: Sequence[DrawnObject], labels: LabelSet) -> bytes:
    """The sheet of some objects as a PNG.

    Raises:
        AnnotationError: frames of different sizes, or an image that is missing or of another size than its depth.
        OutputError: an image cannot be read.
    """
    return texture_sheet(title, [_row_of(drawn, labels) for drawn in objects], labels)


def _row_of(drawn: DrawnObject, labels: LabelSet) -> TextureRow:
    item, sizes_px = drawn.item, drawn.scored.sizes_px
    count = len(item.views)
    shown = sorted({int(index) for index in np.rint(np.linspace(0, count - 1, min(count, MAX_FRAMES)))})
    size_px = sizes_px[shown[0]]
    for index in shown:
        if sizes_px[index] != size_px:
            (width, height), (other_width, other_height) = size_px, sizes_px[index]
            raise AnnotationError(
                f"{item.folder.depth_path(item.views[index])}: expected {width} x {height} px as the object's first view for "
                f"--textures, found {other_width} x {other_height}; resize it, or leave out --textures"
            )
    views = [item.views[index] for index in shown]
    masks = [_line(read_mask(item.folder.mask_path(view), labels, size_px, like="depth"), drawn.row) for view in views]
    strips = [("masks", labels.colorize(np.concatenate(masks)))]
    if (views[0].place / "images").is_dir():
        images = [_line(_image(item, view, size_px), drawn.row) for view in views]
        strips.insert(0, ("images", np.concatenate(images)))
    frames = counted(count, "frame") if len(shown) == count else f"{len(shown)} of {counted(count, 'frame')}"
    return TextureRow(
        item.name, f"pixel row {drawn.row}\nof 0 to {size_px[1] - 1}\n{frames}", views[0].name, views[-1].name, strips
    )


def _line(frame: NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
    return line_texture([frame], row)


def _image(item: PosedObject, view: PosedView, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    image = item.folder.image(view)
    expected = (size_px[1], size_px[0], 3)
    if image.shape != expected:
        raise AnnotationError(
            f"{item.folder.image_path(view)}: expected an RGB image {list(expected)} to go with the depth, found "
            f"{list(image.shape)}; save it again so"
        )
    return image
