"""Pascal VOC folders, CVAT's "segmentation mask 1.1" among them: a picture of class colours a view, and what the colours mean."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, brief
from dnerf_core.files.pictures import PICTURE_ERRORS
from headless.annotating.importing.documents import damaged, picture_of
from headless.annotating.importing.drawn import Bitmap, DrawnPicture, Shape, Target
from headless.annotating.importing.sources import Source

LABELS_NAMES = ("labelmap.txt", "class_names.txt")
"""CVAT's and Datumaro's file of classes, a line `name:r,g,b:parts:actions` each; that of labelme's exporter, a name a line."""
_FOLDERS = ("segmentationclass", "segmentationclasspng")
_VOID = (224, 224, 192)
"""The published colour of what is neither; index 255 of the published palette."""
_IGNORED = "ignore"

Classes = list[tuple[str, tuple[int, int, int]]]
"""Names and colours, by index."""


def is_class_picture(name: str) -> bool:
    """Whether a file, by its name in a source, is a picture of class colours."""
    path = PurePosixPath(name)
    return path.suffix.lower() == ".png" and path.parent.name.lower() in _FOLDERS


def read(source: Source, target: Target) -> Iterator[DrawnPicture]:
    """The pictures in the folder `SegmentationClass` of the source.

    Raises:
        AnnotationError: no file tells what the colours mean, or one that cannot be read.
    """
    names = [name for name in source.names if is_class_picture(name)]
    if not names:
        return
    classes = _classes(source)
    for name in names:
        yield DrawnPicture((name,), None, source.shown(name), partial(_shapes, source, name, classes, target))


def _classes(source: Source) -> Classes:
    found = [name for name in source.names if PurePosixPath(name).name.lower() in LABELS_NAMES]
    if len(found) != 1:
        raise AnnotationError(
            f"{source.path}: expected one {' or '.join(LABELS_NAMES)}, which says what the colours mean, found "
            f"{', '.join(found[:3]) or 'none'}; name the folder that has it"
        )
    where = source.shown(found[0])
    try:
        lines = source.read(found[0]).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{where}: expected names of classes, found bytes that are no UTF-8; save it again") from error
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if PurePosixPath(found[0]).name.lower() == "class_names.txt":
        return [(line, voc_color(index)) for index, line in enumerate(lines)]
    classes = [_class_of(line, index, where) for index, line in enumerate(lines)]
    colors = [color for _, color in classes]
    if len({*colors}) < len(colors):
        raise AnnotationError(f"{where}: expected each colour once, found one twice; give every class its own")
    return classes


def _class_of(line: str, index: int, where: str) -> tuple[str, tuple[int, int, int]]:
    """Name and colour of a line `name:r,g,b:parts:actions`; where there is no colour, the published one of its place."""
    name, _, rest = line.partition(":")
    text = rest.partition(":")[0].strip()
    if not text:
        return name, voc_color(index)
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != 3 or not all(number.isdecimal() and int(number[:4]) <= 255 for number in numbers):
        raise AnnotationError(f"{where}: {brief(name)}: expected a colour such as 128,0,0, found {brief(text)}; correct it")
    red, green, blue = (int(number) for number in numbers)
    return name, (red, green, blue)


def voc_color(index: int) -> tuple[int, int, int]:
    """The colour of an index in Pascal VOC's palette: the index's bits, three at a time, from the highest bit of each channel down."""
    color = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            color[channel] |= ((index >> (3 * place + channel)) & 1) << (7 - place)
    return color[0], color[1], color[2]


def _shapes(source: Source, name: str, classes: Classes, target: Target) -> list[Shape]:
    where = source.shown(name)
    with picture_of(source.read(name), where) as image:
        target.check_size(*image.size, where)
        if image.mode not in ("L", "P", "RGB", "RGBA"):
            raise AnnotationError(f"{where}: expected class colours or indices, found mode {image.mode}; export it again")
        try:
            indices = np.array(image) if image.mode in ("L", "P") else None
            rgb = np.array(image.convert("RGB"))
        except PICTURE_ERRORS as error:
            raise damaged(where, error) from error
    used = rgb.reshape(-1, 3) if indices is None else np.stack([indices.ravel()] * 3, axis=1)
    # a gray ramp as palette says no more than gray: the values are indices
    if indices is not None and np.array_equal(rgb.reshape(-1, 3), used):
        return _by_key(
            indices.astype(np.int64), {index: label for index, (label, _) in enumerate(classes)} | {255: _IGNORED}, where
        )
    keys = _codes(rgb)
    known = {_code(_VOID): _IGNORED} | {_code(color): label for label, color in classes}
    return _by_key(keys, known, where)


def _by_key(keys: NDArray[np.int64], known: dict[int, str], where: str) -> list[Shape]:
    """A shape for each class that occurs."""
    shapes = []
    for key in np.unique(keys).tolist():
        if key not in known:
            row, column = (int(index) for index in np.argwhere(keys == key)[0])
            shown = tuple(key.to_bytes(3, "big")) if key > 255 else key
            raise AnnotationError(
                f"{where}: expected the classes of its {' or '.join(LABELS_NAMES)}, found {shown} at column {column}, row {row}; "
                "export both again"
            )
        shapes.append(Shape(known[key], Bitmap(0, 0, keys == key)))
    return shapes


def _code(color: tuple[int, int, int]) -> int:
    return color[0] << 16 | color[1] << 8 | color[2]


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    wide = rgb.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
