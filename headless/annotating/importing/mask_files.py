"""Mask pictures by the rules that painted masks are read by, matched to views by their names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from dnerf_core.errors import AnnotationError
from dnerf_core.files.masks import read_mask
from dnerf_core.labels import IGNORE_ID
from headless.annotating.importing.drawn import Bitmap, DrawnPicture, Shape, Target
from headless.annotating.importing.sources import FileSource, FolderSource, Source


def read(source: Source, target: Target) -> Iterator[DrawnPicture]:
    """The masks among the PNG files of a folder; below it, those in a folder `masks` where it has one.

    Raises:
        AnnotationError: an archive.
    """
    if not isinstance(source, FileSource | FolderSource):
        raise AnnotationError(f"{source.path}: expected a folder of masks, found an archive; unpack it first")
    names = [name for name in source.names if name.lower().endswith(".png")]
    inside = [name for name in names if PurePosixPath(name).parent.name.lower() == "masks"]
    for name in inside or names:
        path = source.path if isinstance(source, FileSource) else source.file(name)
        yield DrawnPicture((name,), None, str(path), partial(_shapes, path, target))


def _shapes(path: Path, target: Target) -> list[Shape]:
    ids = read_mask(path, target.labels, target.size_px)
    names = {**dict(enumerate(target.labels.names)), IGNORE_ID: "ignore"}
    return [Shape(names[value], Bitmap(0, 0, ids == value)) for value in np.unique(ids).tolist()]
