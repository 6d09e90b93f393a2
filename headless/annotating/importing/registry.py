"""The tools whose files are read. One more is a module beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headless.annotating.importing import coco, cvat, labelme, mask_files, voc
from headless.annotating.importing.documents import json_of, xml_of
from headless.annotating.importing.drawn import DrawnPicture, Target
from headless.annotating.importing.sources import Source


@dataclass(frozen=True)
class Tool:
    """A tool's files.

    Attributes:
        title: what a message calls them.
        read: the pictures in a source, see `drawn.DrawnPicture`; files of others are passed over.
    """

    title: str
    read: Callable[[Source, Target], Iterator[DrawnPicture]]


TOOLS: dict[str, Tool] = {
    "labelme": Tool("labelme's JSON files", labelme.read),
    "coco": Tool("a COCO instances file", coco.read),
    "cvat": Tool("a file of CVAT for images 1.1", cvat.read),
    "voc": Tool("a folder SegmentationClass with its labelmap.txt", voc.read),
    "masks": Tool("masks as PNG files", mask_files.read),
}
"""By the words that `--from` takes."""


def tool_of(source: Source, name: str) -> str | None:
    """Which tool a file of a source is of, by its content; None: none of them. Plain masks are not told from other pictures.

    Raises:
        AnnotationError: it cannot be read, or is no JSON or XML though it is called so.
    """
    lower = name.lower()
    if lower.endswith(".json"):
        data = json_of(source.read(name), source.shown(name))
        return "labelme" if labelme.is_labelme(data) else "coco" if coco.is_coco(data) else None
    if lower.endswith(".xml"):
        return "cvat" if cvat.is_cvat(xml_of(source.read(name), source.shown(name))) else None
    return "voc" if voc.is_class_picture(name) else None
