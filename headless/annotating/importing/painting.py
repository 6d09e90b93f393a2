"""From what a tool wrote to the masks of an annotated folder's views. All of it is read and checked before anything is written."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, brief
from headless.annotating.importing.drawn import DrawnPicture, Target
from headless.annotating.importing.label_names import LabelNames
from headless.annotating.importing.raster import patch_of
from headless.annotating.importing.registry import TOOLS, tool_of
from headless.annotating.importing.sources import Source

_FILES_LOOKED_AT = 20
"""To say what a source without a tool's files holds instead."""


@dataclass
class PaintedMasks:
    """The masks that a source gives.

    Attributes:
        strangers: names of pictures that are none of the folder's.
    """

    size_px: int
    strangers: list[str] = field(default_factory=list)
    _packed: dict[str, bytes] = field(default_factory=dict)

    @property
    def views(self) -> list[str]:
        """The views that have a mask, by name."""
        return sorted(self._packed)

    def put(self, view: str, mask: NDArray[np.uint8]) -> None:
        """Keep the mask uint8 [S, S] of a view; packed, since there may be many."""
        self._packed[view] = zlib.compress(mask.tobytes(), 1)

    def mask(self, view: str) -> NDArray[np.uint8]:
        """The mask uint8 [S, S] of a view."""
        flat = np.frombuffer(zlib.decompress(self._packed[view]), np.uint8)
        return flat.reshape(self.size_px, self.size_px)


def painted_masks(source: Source, tool: str, target: Target, names: LabelNames) -> PaintedMasks:
    """The masks of all views that the source paints something in.

    A mask is background where nothing is painted; of shapes that overlap the last one counts.

    Raises:
        AnnotationError: files that cannot be used, none of the tool's, none of the folder's pictures, or unknown labels.
    """
    masks, places = PaintedMasks(target.size_px), dict[str, str]()
    pictures = 0
    for picture in TOOLS[tool].read(source, target):
        pictures += 1
        view = target.view_of(*picture.names)
        if view is None:
            masks.strangers.append(picture.names[0])
            continue
        if picture.size_px is not None:
            target.check_size(*picture.size_px, picture.where)
        mask = _mask_of(picture, target.size_px, names)
        if mask is None:
            continue
        if view in places:
            raise AnnotationError(
                f"{picture.where}: expected {view} in one place, found it in {places[view]}, too; keep one of them"
            )
        places[view] = picture.where
        masks.put(view, mask)
    if not pictures:
        raise _nothing_of(source, tool)
    if len(masks.strangers) == pictures:
        raise AnnotationError(
            f"{source.path}: expected pictures of the folder, such as {next(iter(target.views.values()))}, found "
            f"{', '.join(map(brief, masks.strangers[:3]))}; name the folder that they are of"
        )
    names.check(str(source.path), "labels.json")
    return masks


def _mask_of(picture: DrawnPicture, size_px: int, names: LabelNames) -> NDArray[np.uint8] | None:
    """The mask uint8 [S, S] of a picture; None: nothing is painted in it."""
    mask, unknown = np.zeros((size_px, size_px), np.uint8), False
    for shape in picture.shapes():
        value = names.id_of(shape.label)
        if value is None:
            unknown = True
            continue
        patch = patch_of(shape.area, size_px, size_px)
        mask[patch.box][patch.inside] = value
    return mask if unknown or mask.any() else None


def _nothing_of(source: Source, tool: str) -> AnnotationError:
    """What is said where a source has no file of the tool: what it has, and the word for that."""
    other = next(_tools_in(source), None)
    what = ", ".join(map(brief, source.names[:3])) or "no file" if other is None else TOOLS[other].title
    remedy = "name what the tool wrote" if other is None else f"say --from {other}"
    return AnnotationError(f"{source.path}: expected {TOOLS[tool].title}, found {what}; {remedy}")


def _tools_in(source: Source) -> Iterator[str]:
    candidates = [name for name in source.names if name.lower().endswith((".json", ".xml", ".png"))]
    for name in candidates[:_FILES_LOOKED_AT]:
        try:
            tool = tool_of(source, name)
        except AnnotationError:
            continue  # damaged, or nothing of a tool's; the message is about what is missing
        if tool is not None:
            yield tool
