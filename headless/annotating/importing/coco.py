"""COCO instances: polygons, and run lengths as lists and as strings, of pictures and categories with ids of any kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, brief
from headless.annotating.importing.documents import json_of, member, points_of
from headless.annotating.importing.drawn import Bitmap, DrawnPicture, Rings, Shape, Target
from headless.annotating.importing.sources import Source

_MAX_RINGS = 10_000
"""Of one annotation; each is held against the others."""


def is_coco(data: Any) -> bool:
    """Whether a JSON value is a COCO file's."""
    return isinstance(data, dict) and all(isinstance(data.get(key), list) for key in ("images", "annotations", "categories"))


def read(source: Source, target: Target) -> Iterator[DrawnPicture]:
    """The pictures of the instances files in the source, or where none is called so of all its COCO files; others are passed over.

    Raises:
        AnnotationError: a file that is no JSON, or one that is COCO's and damaged.
    """
    names = [name for name in source.names if name.lower().endswith(".json")]
    instances = [name for name in names if PurePosixPath(name).name.lower().startswith("instances")]
    for name in instances or names:
        where = source.shown(name)
        data = json_of(source.read(name), where)
        if is_coco(data):
            yield from _pictures(data, where, target)


def _pictures(data: dict[str, Any], where: str, target: Target) -> Iterator[DrawnPicture]:
    categories: dict[Any, str] = {}
    for index, entry in enumerate(data["categories"]):
        place = f"{where}: categories[{index}]"
        key = _id_of(entry, "id", place)
        if key in categories:
            raise AnnotationError(f"{place}: id: expected each one once, found {brief(key)} twice; export it again")
        categories[key] = member(entry, "name", str, place)
    drawn: dict[Any, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for index, entry in enumerate(data["annotations"]):
        drawn[_id_of(entry, "image_id", f"{where}: annotations[{index}]")].append((index, entry))
    for index, entry in enumerate(data["images"]):
        place = f"{where}: images[{index}]"
        name = member(entry, "file_name", str, place)
        size_px = (member(entry, "width", int, place), member(entry, "height", int, place))
        entries = drawn[_id_of(entry, "id", place)]
        yield DrawnPicture((name,), size_px, f"{place} ({brief(name)})", partial(_shapes, entries, categories, where, target))


def _id_of(entry: Any, key: str, where: str) -> int | str:
    value = entry.get(key) if isinstance(entry, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise AnnotationError(f"{where}: {key}: expected an id, found {brief(value)}; export it again")
    return value


def _shapes(entries: list[tuple[int, dict[str, Any]]], categories: dict[Any, str], where: str, target: Target) -> list[Shape]:
    shapes = []
    for index, entry in entries:
        place = f"{where}: annotations[{index}]"
        category = _id_of(entry, "category_id", place)
        if category not in categories:
            raise AnnotationError(
                f"{place}: category_id: expected one of the categories, found {brief(category)}; export it again"
            )
        shapes.append(Shape(categories[category], _area(entry.get("segmentation"), place, target)))
    return shapes


def _area(segmentation: Any, where: str, target: Target) -> Rings | Bitmap:
    if not segmentation:
        raise AnnotationError(
            f"{where}: segmentation: expected polygons or run lengths, found none; a box alone outlines no part: draw one, or "
            "export another format that has it"
        )
    if isinstance(segmentation, dict):
        return Bitmap(0, 0, _run_lengths(segmentation, f"{where}: segmentation", target))
    if not isinstance(segmentation, list) or len(segmentation) > _MAX_RINGS:
        raise AnnotationError(
            f"{where}: segmentation: expected up to {_MAX_RINGS} polygons, found {brief(segmentation)}; export it again"
        )
    rings = []
    for number, flat in enumerate(segmentation):
        place = f"{where}: segmentation[{number}]"
        if not isinstance(flat, list) or len(flat) % 2:
            raise AnnotationError(f"{place}: expected x, y, x, y, .., found {brief(flat)}; export it again")
        rings.append(points_of(list(zip(flat[::2], flat[1::2], strict=True)), place, least=3))
    return Rings(tuple(rings))


def _run_lengths(segmentation: dict[str, Any], where: str, target: Target) -> NDArray[np.bool_]:
    """Pixels of run lengths: column by column, a run outside and a run inside by turns."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [target.size_px, target.size_px]:
        raise AnnotationError(
            f"{where}: size: expected [{target.size_px}, {target.size_px}] like the picture, found {brief(size)}; export it again"
        )
    pixels = target.size_px**2
    runs = counts_of(counts, pixels) if isinstance(counts, str) else counts
    # each no longer than the picture before they are added up: numbers in a file may be of any length
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= pixels for run in runs) or sum(runs) != pixels:
        raise AnnotationError(f"{where}: counts: expected run lengths of {pixels} pixels, found others; export it again")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return inside.reshape(target.size_px, target.size_px).T


def counts_of(text: str, pixels: int) -> list[int] | None:
    """The run lengths that COCO's string form means; None: it means none within `pixels`.

    Five bits a character, the lowest first, from the character 48 on; the sixth bit says that more follow. From the fourth run on it is
    the difference to the run two before. pycocotools reads the same, but trusts the string: a damaged one ends its process.
    """
    counts: list[int] = []
    value = shift = 0
    for char in text:
        bits = ord(char) - 48
        if not 0 <= bits < 64 or shift > 35:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        count = value + (counts[-2] if len(counts) > 2 else 0)
        if not 0 <= count <= pixels:
            return None
        counts.append(count)
        value = shift = 0
    return counts if shift == 0 else None
