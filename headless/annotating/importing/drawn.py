"""What a tool's file says, whatever the tool: pictures, and labelled areas on them.

Convention: points are (x, y) in pixels, x to the right and y down; the first pixel reaches from 0 to 1, and its centre is at 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.labels import LabelSet


@dataclass(frozen=True, eq=False)
class Rings:
    """One or more closed outlines, each float64 [N, 2]; see `raster.rings_patch` for how they combine."""

    rings: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Ellipse:
    """An ellipse: centre and half axes in pixels, turned clockwise by `rotation_deg` (y points down)."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    rotation_deg: float = 0.0


@dataclass(frozen=True, eq=False)
class Bitmap:
    """Pixels: bool [h, w], the first of them at column `left`, row `top`; what lies outside the picture does not count."""

    left: int
    top: int
    inside: NDArray[np.bool_]


Area = Rings | Ellipse | Bitmap


@dataclass(frozen=True)
class Shape:
    """One labelled area, by the name that the tool's file has for its label."""

    label: str
    area: Area


@dataclass(frozen=True)
class DrawnPicture:
    """What a file says of one picture.

    Attributes:
        names: what the picture may be called; the first that is a view of the folder counts. Folders and endings do not.
        size_px: width and height that the file gives; None: `shapes` checks it.
        where: the file and the place in it, for messages.
        shapes: the areas, the last on top; read only of a picture that is a view of the folder.
    """

    names: tuple[str, ...]
    size_px: tuple[int, int] | None
    where: str
    shapes: Callable[[], list[Shape]]


@dataclass(frozen=True)
class Target:
    """The annotated folder that masks are made for.

    Attributes:
        views: the names of its views, by these names in small letters.
        size_px: the side of its square pictures.
        labels: what ids mean.
    """

    views: Mapping[str, str]
    size_px: int
    labels: LabelSet

    def view_of(self, *names: str) -> str | None:
        """The view that the first of these picture names means which means one; None: none does."""
        return next((view for name in names if (view := self.views.get(stem_of(name).lower())) is not None), None)

    def check_size(self, width_px: int, height_px: int, where: str) -> None:
        """Refuse a picture of another size.

        Raises:
            AnnotationError: it has one.
        """
        if (width_px, height_px) != (self.size_px, self.size_px):
            raise AnnotationError(
                f"{where}: expected a picture of {self.size_px} x {self.size_px} px like the folder's, found {width_px} x {height_px}; "
                "annotate the pictures in images/ as they are"
            )


def stem_of(name: str) -> str:
    """The last part of a picture's name without its ending, whichever slashes it has."""
    last = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, _ = last.rpartition(".")
    return stem if dot else last
