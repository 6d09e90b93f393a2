"""Data sets in COCO's formats: `instances.json`, and `panoptic.json` with the pictures in `panoptic/`.

The program knows classes of pixels and no objects, so an instance is all that an image shows of one part, in one piece or several; its
segmentation is an uncompressed RLE. By option it is each connected piece, pixels that touch at a corner included, which tells two wheels
apart, but counts one twice behind a post, and every speck as an object. A panoptic segment is all of a part in either case, and the
background one more, of a class that is no thing.

Convention: category ids are label ids, the background (0) in `panoptic.json` only. A segment's id is its label's plus 1, written as
R + 256 G + 65536 B; 0 is what the mask says to ignore. `file_name` is relative to `images/` and `panoptic/`. Ids of images and annotations
count from 1.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core import __version__
from dnerf_core.errors import OutputError
from dnerf_core.files.masks import read_mask
from dnerf_core.files.names import VIEW_NAME_PATTERN
from dnerf_core.files.whole import leftovers, make_folder, remove_files
from dnerf_core.labels import IGNORE_ID
from headless.datasets.formats.connected import connected_pieces
from headless.datasets.formats.export import Export
from headless.datasets.plan import PlannedView
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from headless.datasets.listed import Listed

INSTANCES_NAME, PANOPTIC_NAME, PANOPTIC_FOLDER = "instances.json", "panoptic.json", "panoptic"


@dataclass(frozen=True)
class Region:
    """All pixels of one label in one mask, or one piece of them; box (x, y, width, height) in pixels, RLE counts column by column."""

    label: int
    area: int
    box: tuple[int, int, int, int]
    counts: list[int]


def regions(mask: NDArray[np.uint8], *, background: bool = False, connected: bool = False) -> list[Region]:
    """The region of each label that a mask [H, W] shows, in the order of ids; what is to be ignored is none.

    `connected`: its pieces instead, in the order of `connected_pieces`.
    """
    visible = []
    for label in np.unique(mask).tolist():
        if label == IGNORE_ID or (label == 0 and not background):
            continue
        part = mask == label
        for region in connected_pieces(part) if connected else [part]:
            rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
            x, y = int(columns[0]), int(rows[0])
            box = (x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)
            visible.append(Region(label, int(region.sum()), box, run_lengths(region)))
    return visible


def run_lengths(region: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed RLE of a mask [H, W]: lengths of runs down the columns, of zeros and ones in turn, zeros first."""
    flat = region.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], changes, [flat.size]]))
    return [0, *lengths.tolist()] if flat[0] else lengths.tolist()


def write_split(listing: Listed, split: str) -> None:
    """Write what is missing of a split's annotations, `panoptic.json` last.

    Raises:
        OutputError: a file cannot be written.
        AnnotationError: a mask cannot be read.
    """
    folder = listing.folder
    place = folder.split_folder(split)
    make_folder(place / PANOPTIC_FOLDER)
    folder.write_lines_once(folder.named(place / INSTANCES_NAME), _file_lines(listing, split, panoptic=False))
    folder.write_lines_once(folder.named(place / PANOPTIC_NAME), _file_lines(listing, split, panoptic=True))
    remove_files(leftovers(place, {INSTANCES_NAME, PANOPTIC_NAME}.__contains__))
    remove_files(leftovers(place / PANOPTIC_FOLDER, re.compile(rf"{VIEW_NAME_PATTERN}\.png").fullmatch))


def _file_lines(listing: Listed, split: str, *, panoptic: bool) -> Iterator[str]:
    """A file, an image and an annotation a line."""
    assert listing.labels is not None
    categories = [
        {"id": label.id, "name": label.name, "supercategory": "part" if label.id else "background"}
        | ({"isthing": int(label.id > 0), "color": list(label.color)} if panoptic else {})
        for label in listing.labels.labels
        if panoptic or label.id
    ]
    info = {"description": f"{listing.plan.model_name}, rendered by datasetnerf {__version__}", "version": __version__}
    if not panoptic and listing.options.coco_instances != "parts":
        info["instances"] = listing.options.coco_instances
    head = {
        "info": info,
        "licenses": [{"id": 1, "name": listing.origin.licence if listing.origin else "not told", "url": ""}],
        "categories": categories,
    }
    yield json.dumps(head)[:-1] + ', "images": ['
    size_px = listing.plan.resolution_px
    before = "\n"
    for number, (_, view) in enumerate(listing.views(split), start=1):
        image = {"id": number, "file_name": f"{view.name}.png", "width": size_px, "height": size_px, "license": 1}
        yield before + json.dumps(image | view.which)
        before = ",\n"
    yield '\n], "annotations": ['
    before = "\n"
    for annotation in _panoptic(listing, split) if panoptic else _instances(listing, split):
        yield before + json.dumps(annotation)
        before = ",\n"
    yield "\n]}\n"


def _instances(listing: Listed, split: str) -> Iterator[dict[str, Any]]:
    """An annotation for each part of each view."""
    number = 0
    size = [listing.plan.resolution_px] * 2
    for image_id, _, view_regions in _regions_of_views(listing, split, panoptic=False):
        for region in view_regions:
            number += 1
            yield {
                "id": number,
                "image_id": image_id,
                "category_id": region.label,
                "segmentation": {"size": size, "counts": region.counts},
                "area": region.area,
                "bbox": region.box,
                "iscrowd": 0,
            }


def _panoptic(listing: Listed, split: str) -> Iterator[dict[str, Any]]:
    """An annotation for each view, whose picture is written before."""
    for image_id, name, view_regions in _regions_of_views(listing, split, panoptic=True):
        segments = [
            {"id": region.label + 1, "category_id": region.label, "area": region.area, "bbox": region.box, "iscrowd": 0}
            for region in view_regions
        ]
        yield {"image_id": image_id, "file_name": f"{name}.png", "segments_info": segments}


def _regions_of_views(listing: Listed, split: str, *, panoptic: bool) -> Iterator[tuple[int, str, list[Region]]]:
    """(image id, view's name, regions) in the order of the plan, read by the listing's workers; panoptic pictures are written, too."""
    folder, labels = listing.folder, listing.labels
    assert labels is not None

    def read(task: tuple[int, PlannedView]) -> list[Region]:
        name = task[1].name
        mask = read_mask(folder.file("masks", name), labels, listing.plan.resolution_px)
        if panoptic:
            picture = folder.split_folder(split) / PANOPTIC_FOLDER / f"{name}.png"
            folder.write_once(folder.named(picture), segment_png(mask))
        return regions(mask, background=panoptic, connected=not panoptic and listing.options.coco_instances == "connected")

    with listing.reporter.progress("panoptic" if panoptic else "instances", listing.count(split)) as advance:
        tasks = ([(number, view)] for number, (_, view) in enumerate(listing.views(split), start=1))
        for (number, view), view_regions in run_tasks(tasks, read, listing.workers, in_order=True):
            yield number, view.name, view_regions
            advance()


def segment_png(mask: NDArray[np.uint8]) -> bytes:
    """The panoptic picture of a mask [H, W]: an RGB PNG whose pixels are ids of segments."""
    ids = np.where(mask == IGNORE_ID, 0, mask.astype(np.uint32) + 1)
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG")
    return buffer.getvalue()


def check_split(listing: Listed, split: str) -> None:
    """Make sure that the instances of a split that is complete are what is chosen for.

    Raises:
        OutputError: they are others, or the file cannot be read.
    """
    path = listing.folder.split_folder(split) / INSTANCES_NAME
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(file.readline().rstrip() + "]}")  # up to the images, see `_file_lines`
        held = head["info"].get("instances", "parts")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise OutputError(
            f"{path}: expected the annotations that this command wrote, found others; delete it, and run again"
        ) from error
    chosen = listing.options.coco_instances
    if held != chosen:
        raise OutputError(f"{path}: expected {chosen}, as --coco-instances says, found {held}; delete it, and run again")


EXPORT = Export((INSTANCES_NAME, PANOPTIC_NAME), write_split, check_split)
