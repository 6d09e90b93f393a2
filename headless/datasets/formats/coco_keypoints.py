"""Data sets of subjects that move in COCO's keypoint format: `person_keypoints.json`, one annotation a view, its subject.

Convention: category 1 is the subject; its keypoints are the model's joints in their order, `skeleton` their bones as pairs counted from 1.
A keypoint is (x, y, v): pixels with a pixel's centre at a whole number, as COCO has it, and v 0 outside of the picture, 1 hidden, 2 seen.
The segmentation is the silhouette as an uncompressed RLE. `file_name` is relative to `images/`. Ids count from 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dnerf_core import __version__
from dnerf_core.files.masks import read_mask
from dnerf_core.files.view_poses import read_joints
from dnerf_core.files.whole import leftovers, remove_files
from dnerf_core.labels import IGNORE_ID
from headless.datasets.formats.coco import regions
from headless.datasets.formats.export import Export
from headless.datasets.plan import PlannedView
from headless.datasets.poses.joints import OUTSIDE
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from headless.datasets.listed import Listed

INDEX_NAME = "person_keypoints.json"


def write_split(listing: Listed, split: str) -> None:
    """Write a split's annotations.

    Raises:
        OutputError: a file cannot be read or written.
        AnnotationError: a mask cannot be read.
    """
    folder = listing.folder
    place = folder.split_folder(split)
    folder.write_lines_once(folder.named(place / INDEX_NAME), _file_lines(listing, split))
    remove_files(leftovers(place, {INDEX_NAME}.__contains__))


def _file_lines(listing: Listed, split: str) -> Iterator[str]:
    """The file, an image and an annotation a line."""
    skeleton = listing.plan.skeleton
    assert skeleton is not None
    head = {
        "info": {"description": f"{listing.plan.model_name}, rendered by datasetnerf {__version__}", "version": __version__},
        "licenses": [{"id": 1, "name": listing.origin.licence if listing.origin else "not told", "url": ""}],
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(skeleton.names),
                "skeleton": [[parent + 1, joint + 1] for joint, parent in enumerate(skeleton.parents) if parent >= 0],
            }
        ],
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
    for annotation in _annotations(listing, split):
        yield before + json.dumps(annotation)
        before = ",\n"
    yield "\n]}\n"


def _annotations(listing: Listed, split: str) -> Iterator[dict[str, Any]]:
    """An annotation for each view that shows its subject; read by the listing's workers."""
    folder, labels, size_px = listing.folder, listing.labels, listing.plan.resolution_px
    assert labels is not None

    def read(task: tuple[int, PlannedView]) -> dict[str, Any] | None:
        number, view = task
        mask = read_mask(folder.file("masks", view.name), labels, size_px)
        found = regions(np.where((mask != 0) & (mask != IGNORE_ID), 1, 0).astype(np.uint8))
        if not found:
            return None
        joints = read_joints(folder.file("joints", view.name))
        keypoints: list[float] = []
        for (x, y), visibility in zip(joints["joints_px"], joints["visibility"], strict=True):
            keypoints += [0, 0, OUTSIDE] if visibility == OUTSIDE else [round(x - 0.5, 3), round(y - 0.5, 3), visibility]
        return {
            "image_id": number,
            "category_id": 1,
            "keypoints": keypoints,
            "num_keypoints": sum(visibility != OUTSIDE for visibility in joints["visibility"]),
            "segmentation": {"size": [size_px, size_px], "counts": found[0].counts},
            "area": found[0].area,
            "bbox": found[0].box,
            "iscrowd": 0,
        }

    with listing.reporter.progress("keypoints", listing.count(split)) as advance:
        tasks = ([(number, view)] for number, (_, view) in enumerate(listing.views(split), start=1))
        identity = 0
        for _, annotation in run_tasks(tasks, read, listing.workers, in_order=True):
            if annotation is not None:
                identity += 1
                yield {"id": identity} | annotation
            advance()


EXPORT = Export((INDEX_NAME,), write_split)
"""How the format is written."""
