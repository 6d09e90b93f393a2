"""CVAT for images 1.1: one XML file of all pictures, shapes with a z_order, the higher on top."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from xml.etree.ElementTree import Element

import numpy as np

from dnerf_core.errors import AnnotationError, brief
from headless.annotating.importing.documents import number_of, points_of, whole_of, xml_of
from headless.annotating.importing.drawn import Area, Bitmap, DrawnPicture, Ellipse, Rings, Shape, Target
from headless.annotating.importing.sources import Source

_AREAS = ("polygon", "box", "ellipse", "mask")
_NO_AREAS = ("polyline", "points", "cuboid", "skeleton")


def is_cvat(root: Element) -> bool:
    """Whether an XML document is CVAT's."""
    return root.tag == "annotations"


def read(source: Source, target: Target) -> Iterator[DrawnPicture]:
    """The pictures of all CVAT files in the source; other XML files are passed over.

    Raises:
        AnnotationError: a file that is no XML, or one that is CVAT's and damaged or of a video.
    """
    for name in source.names:
        if name.lower().endswith(".xml"):
            where = source.shown(name)
            root = xml_of(source.read(name), where)
            if is_cvat(root):
                yield from _pictures(root, where, target)


def _pictures(root: Element, where: str, target: Target) -> Iterator[DrawnPicture]:
    if root.find("track") is not None:
        raise AnnotationError(f"{where}: expected images, found tracks of a video; export it as CVAT for images 1.1")
    for index, element in enumerate(root.iterfind("image")):
        name = element.get("name")
        if not name:
            raise AnnotationError(f"{where}: image {index}: expected a name, found none; export it again")
        place = f"{where}: image {brief(name)}"
        size_px = (whole_of(element.get("width"), "width", place), whole_of(element.get("height"), "height", place))
        yield DrawnPicture((name,), size_px, place, partial(_shapes, element, place, target))


def _shapes(picture: Element, where: str, target: Target) -> list[Shape]:
    shapes: list[tuple[int, Shape]] = []
    for element in picture:
        if element.tag not in (*_AREAS, *_NO_AREAS):
            continue  # tags, which label pictures, and what later versions may add beside shapes
        label = element.get("label") or ""
        place = f"{where}: {element.tag} {brief(label)}"
        if element.tag in _NO_AREAS:
            raise AnnotationError(
                f"{place}: expected an area ({', '.join(_AREAS)}), found none; draw it as an area, or remove it"
            )
        order = whole_of(element.get("z_order") or "0", "z_order", place)
        shapes.append((order, Shape(label, _area(element, place, target))))
    return [shape for _, shape in sorted(shapes, key=lambda ordered: ordered[0])]  # of the same order the later on top


def _area(element: Element, where: str, target: Target) -> Area:
    if element.tag == "polygon":
        return Rings((_points(element.get("points"), where),))
    if element.tag == "mask":
        return _bitmap(element, where, target)
    turn = number_of(element.get("rotation") or "0", "rotation", where)
    if element.tag == "ellipse":
        x, y, radius_x, radius_y = (number_of(element.get(key), key, where) for key in ("cx", "cy", "rx", "ry"))
        if radius_x < 0 or radius_y < 0:
            raise AnnotationError(
                f"{where}: expected half axes of at least 0, found {radius_x:g} and {radius_y:g}; draw it again"
            )
        return Ellipse(x, y, radius_x, radius_y, turn)
    left, top, right, bottom = (number_of(element.get(key), key, where) for key in ("xtl", "ytl", "xbr", "ybr"))
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    if turn:
        centre = corners.mean(axis=0)
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        corners = (corners - centre) @ np.array([(cos, sin), (-sin, cos)]) + centre  # clockwise, as y points down
    return Rings((corners,))


def _points(text: str | None, where: str) -> np.ndarray:
    """Points of "x,y;x,y;.."."""
    try:
        points = [[float(number) for number in pair.split(",")] for pair in (text or "").split(";")]
    except ValueError:
        raise AnnotationError(f"{where}: points: expected x,y;x,y;.., found {brief(text)}; export it again") from None
    return points_of(points, f"{where}: points", least=3)


def _bitmap(element: Element, where: str, target: Target) -> Bitmap:
    """Run lengths of a box, row by row, a run outside and a run inside by turns."""
    left, top, width, height = (whole_of(element.get(key), key, where) for key in ("left", "top", "width", "height"))
    if not (0 < width <= target.size_px and 0 < height <= target.size_px):
        raise AnnotationError(f"{where}: expected a box no larger than the picture, found {width} x {height}; export it again")
    text = element.get("rle") or ""
    runs = [int(run) if run.strip().isdecimal() and len(run) < 12 else -1 for run in text.split(",")]
    if min(runs) < 0 or sum(runs) != width * height:
        raise AnnotationError(f"{where}: rle: expected run lengths of {width} x {height} pixels, found others; export it again")
    return Bitmap(left, top, np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width))
