"""labelme 5 and 6: one JSON file a picture, shapes in the order in which they are painted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, brief
from dnerf_core.files.pictures import PICTURE_ERRORS
from headless.annotating.importing.documents import damaged, json_of, member, picture_of, points_of
from headless.annotating.importing.drawn import Area, Bitmap, DrawnPicture, Ellipse, Rings, Shape, Target
from headless.annotating.importing.sources import Source

_AREAS = "polygon, rectangle, oriented_rectangle, circle or mask"


def is_labelme(data: Any) -> bool:
    """Whether a JSON value is a labelme file's."""
    return isinstance(data, dict) and isinstance(data.get("shapes"), list) and "imagePath" in data


def read(source: Source, target: Target) -> Iterator[DrawnPicture]:
    """The pictures of all labelme files in the source; other JSON files are passed over.

    Raises:
        AnnotationError: a file that is no JSON, or one that is labelme's and damaged.
    """
    for name in source.names:
        if name.lower().endswith(".json"):
            where = source.shown(name)
            data = json_of(source.read(name), where)
            if is_labelme(data):
                yield _picture(data, name, where, target)


def _picture(data: dict[str, Any], name: str, where: str, target: Target) -> DrawnPicture:
    pictured = data["imagePath"]
    size_px = (member(data, "imageWidth", int, where), member(data, "imageHeight", int, where))
    # what labelme shows when it opens the file comes first; the file's own name stands in where that is no view
    names = (pictured, name) if isinstance(pictured, str) and pictured else (name,)
    return DrawnPicture(names, size_px, where, partial(_shapes, data["shapes"], where, target))


def _shapes(entries: list[Any], where: str, target: Target) -> list[Shape]:
    shapes = []
    for number, entry in enumerate(entries):
        place = f"{where}: shapes[{number}]"
        label = member(entry, "label", str, place)
        shapes.append(Shape(label, _area(entry, f"{place} ({brief(label)})", target)))
    return shapes


def _area(entry: dict[str, Any], where: str, target: Target) -> Area:
    kind = entry.get("shape_type") or "polygon"  # before version 4 there was no other
    if kind == "polygon":
        return Rings((points_of(entry.get("points"), where, least=3),))
    if kind == "oriented_rectangle":
        return Rings((_exactly(4, entry, where, kind),))
    if kind == "rectangle":
        (x0, y0), (x1, y1) = _exactly(2, entry, where, kind)
        return Rings((np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]),))
    if kind == "circle":
        centre, rim = _exactly(2, entry, where, kind)
        radius = float(np.hypot(*(rim - centre)))
        return Ellipse(float(centre[0]), float(centre[1]), radius, radius)
    if kind == "mask":
        return _bitmap(entry, where, target)
    raise AnnotationError(f"{where}: expected an area ({_AREAS}), found a {brief(kind)}; draw it as an area, or remove it")


def _exactly(count: int, entry: dict[str, Any], where: str, kind: str) -> NDArray[np.float64]:
    points = points_of(entry.get("points"), where, least=count)
    if len(points) != count:
        raise AnnotationError(f"{where}: expected {count} points of a {kind}, found {len(points)}; draw it again")
    return points


def _bitmap(entry: dict[str, Any], where: str, target: Target) -> Bitmap:
    """A PNG in its box, whose corners are its first and its last pixel."""
    corners = _exactly(2, entry, where, "mask").astype(np.int64)  # labelme, too, cuts the fractions off
    (left, top), (right, bottom) = (int(edge) for edge in corners[0]), (int(edge) for edge in corners[1])
    try:
        data = base64.b64decode(member(entry, "mask", str, where), validate=True)
    except (binascii.Error, ValueError) as error:
        raise AnnotationError(f"{where}: mask: expected a PNG in base64, found other text; save it again") from error
    with picture_of(data, f"{where}: mask") as image:
        expected = (right - left + 1, bottom - top + 1)
        if image.size != expected or max(image.size) > target.size_px:
            raise AnnotationError(
                f"{where}: mask: expected {expected[0]} x {expected[1]} px like its box, and no more than the picture, "
                f"found {image.size[0]} x {image.size[1]}; save it again"
            )
        try:
            pixels = np.array(image.convert("L"))
        except PICTURE_ERRORS as error:
            raise damaged(f"{where}: mask", error) from error
    return Bitmap(left, top, pixels != 0)
