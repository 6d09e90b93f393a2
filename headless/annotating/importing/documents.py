"""JSON, XML and PNG out of strangers' files, and values of them, each refused by its place."""

from __future__ import annotations

import io
import json
from typing import Any, NoReturn, TypeVar
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.errors import AnnotationError, brief, json_fault
from dnerf_core.files.pictures import PICTURE_ERRORS

T = TypeVar("T")

MAX_COORDINATE_PX = 1e6
"""Beyond any picture; farther points are no outlines of one."""
_MAX_DEPTH = 64
"""Of elements in elements: formats of annotations have five."""


def json_of(data: bytes, where: str) -> Any:
    """What a JSON file holds.

    Raises:
        AnnotationError: it is none.
    """
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{where}: expected JSON, found bytes that are no UTF-8; save it again") from error
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{where}: expected JSON, found {json_fault(error)}; save it again") from error


def xml_of(data: bytes, where: str) -> Element:
    """The root of an XML file. Document types, and so entities, which can stand for other files or fill the memory, are refused.

    Raises:
        AnnotationError: it is none, or has one.
    """
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise AnnotationError(f"{where}: expected elements at most {_MAX_DEPTH} deep, found more; is it the tool's file?")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*declaration: Any) -> NoReturn:
        raise AnnotationError(
            f"{where}: expected XML without a document type, found one (DOCTYPE); annotation tools write none, remove it"
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise AnnotationError(f"{where}: expected XML, found {error}; save it again") from error
    except (ValueError, LookupError) as error:  # an encoding that is not known
        raise AnnotationError(f"{where}: expected XML, it cannot be read: {error}; save it again") from error
    return builder.close()


def picture_of(data: bytes, where: str) -> Image.Image:
    """The PNG of these bytes: its size is known and its bytes are whole, its pixels are yet to be read.

    Raises:
        AnnotationError: it is none, or damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.verify()  # every check sum; the picture is of no use afterwards
        return Image.open(io.BytesIO(data), formats=("PNG",))
    except PICTURE_ERRORS as error:
        raise damaged(where, error) from error


def damaged(where: str, error: Exception) -> AnnotationError:
    """What is said of a PNG that Pillow refuses."""
    return AnnotationError(f"{where}: expected a PNG image, it cannot be read: {' '.join(str(error).split())}; save it again")


def member(data: Any, key: str, kind: type[T], where: str) -> T:
    """The value of this kind below a key of a JSON object.

    Raises:
        AnnotationError: there is none, or of another kind.
    """
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {str: "text", int: "a whole number", list: "a list", dict: "an object"}
        found = "none" if value is None else brief(value)
        raise AnnotationError(f"{where}: {key}: expected {words[kind]}, found {found}; is it the tool's file as it was saved?")
    return value


def points_of(values: Any, where: str, *, least: int) -> NDArray[np.float64]:
    """Points float64 [N, 2] out of `[[x, y], ..]`.

    Raises:
        AnnotationError: they are none, fewer than `least`, or farther than `MAX_COORDINATE_PX` away.
    """
    if not isinstance(values, list) or not all(isinstance(point, list | tuple) and len(point) == 2 for point in values):
        raise AnnotationError(f"{where}: expected points [[x, y], ..], found {brief(values)}; save it again")
    if len(values) < least:
        raise AnnotationError(f"{where}: expected at least {least} points, found {len(values)}; draw it again, or remove it")
    for point in values:
        for value in point:
            # comparing first: nan is beyond every bound, and a whole number of any length compares
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_COORDINATE_PX:
                raise AnnotationError(
                    f"{where}: expected coordinates within {MAX_COORDINATE_PX:g} px, found {brief(value)}; draw it again"
                )
    return np.array(values, np.float64).reshape(-1, 2)


def number_of(text: str | None, what: str, where: str) -> float:
    """A number out of XML's text.

    Raises:
        AnnotationError: it is none, or beyond `MAX_COORDINATE_PX`.
    """
    try:
        number = float(text or "")
    except ValueError:
        number = np.nan
    if not abs(number) <= MAX_COORDINATE_PX:
        raise AnnotationError(f"{where}: {what}: expected a number, found {brief(text)}; export it again")
    return number


def whole_of(text: str | None, what: str, where: str) -> int:
    """A whole number out of XML's text.

    Raises:
        AnnotationError: as `number_of`, or one with a fraction.
    """
    number = number_of(text, what, where)
    if number != int(number):
        raise AnnotationError(f"{where}: {what}: expected a whole number, found {brief(text)}; export it again")
    return int(number)
