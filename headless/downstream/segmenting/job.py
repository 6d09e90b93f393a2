"""One plan of files on its way into one folder: a file whose results are all there is not labelled again. Importing this imports torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.images.segmenter import Segmenter, calibration_in
from dnerf_core.downstream.network_file import load_network_file
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.errors import OutputError
from dnerf_core.files.names import LABELS_NAME, SHEET_NAME, json_bytes, labels_json
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.pictures import read_image, write_image
from dnerf_core.files.whole import leftovers, make_folder, remove_files, write_bytes_whole
from headless import models
from headless.downstream.segmenting.confidence import POOR, STRANGE, poor_picture
from headless.downstream.segmenting.pictures import label_clip, label_picture
from headless.downstream.segmenting.plan import Item, SegmentPlan
from headless.downstream.segmenting.results import (
    CLOUDS,
    CONFIDENCE,
    FACTS,
    MASKS,
    MESHES,
    OVERLAYS,
    THUMBNAILS,
    Facts,
    facts_name,
    thumbnail_name,
    tiles,
)
from headless.downstream.segmenting.shapes import label_shape
from headless.pictures.picture_grid import picture_grid
from headless.work.reporting import Reporter
from headless.work.result_folder import ResultFolder

RECORD_FORMAT = "datasetnerf-segments"
LIST_NAME = "segments.json"
SHEET_ROWS = 24
"""Files that the sheet shows, the first ones."""
_ALWAYS = (FACTS, THUMBNAILS, OVERLAYS)
_FOLDERS = {"image": (*_ALWAYS, MASKS, CONFIDENCE), "points": _ALWAYS}
_FRAMES_AN_EVENT = 25

Label = Callable[[Item], tuple[Facts, NDArray[np.uint8]]]


class SegmentJob:
    """A plan and the folder it goes to.

    Attributes:
        missing: items that lacked a result when the job was made.
    """

    def __init__(self, plan: SegmentPlan, folder: ResultFolder, reporter: Reporter) -> None:
        """Claims nothing yet, but refuses a folder of another call, and clears what an interrupted run of this one left.

        Raises:
            OutputError: it is another call's, or cannot be read.
        """
        self.plan, self.folder, self.reporter = plan, folder, reporter
        folder.check()
        places = [folder.path / name for name in (*_FOLDERS["image"], CLOUDS, MESHES)]
        remove_files([*folder.top_leftovers(), *(stale for place in places for stale in leftovers(place, lambda _: True))])
        self.missing = [item for item in plan.items if self._facts(item) is None]

    def write(self) -> list[Facts]:
        """Label the missing files and write what tells of all; returns the facts of all.

        Raises:
            DNeRFError: a file cannot be read, or a result cannot be written.
        """
        self.folder.claim()
        self.folder.write_once(LABELS_NAME, labels_json(self.plan.header.labels))
        if self.missing:
            for name in _FOLDERS[self.plan.header.kind]:
                make_folder(self.folder.path / name)
            label = self._labeller()
            shown = {item.name for item in self.plan.items[:SHEET_ROWS]}
            with self.reporter.progress("files", len(self.missing)) as advance:
                for item in self.missing:
                    facts, thumbnail = label(item)
                    if item.name in shown:
                        write_image(self.folder.path / thumbnail_name(item.name), thumbnail)
                    write_bytes_whole(self.folder.path / facts_name(item.name), json_bytes(facts.to_json()))
                    self._tell(facts)
                    advance()
        found = [self._facts(item) for item in self.plan.items]
        whole = [facts for facts in found if facts is not None]
        if len(whole) < len(found):
            raise OutputError(f"{self.folder.path}: expected the results of every file, some are gone; repeat the command")
        self.folder.write_once(LIST_NAME, json_bytes([facts.to_json() for facts in whole]))
        if self.folder.lacks(SHEET_NAME):
            write_bytes_whole(self.folder.path / SHEET_NAME, self._sheet(whole))
        self.folder.completed = True
        return whole

    def is_poor(self, facts: Facts) -> bool:
        """Whether a file is probably none of the kind that the network learned from."""
        return self._fault(facts) is not None

    def _fault(self, facts: Facts) -> str | None:
        """By what a file is known to be of another kind, "expected A, found B"."""
        header = self.plan.header
        if header.kind == "image":
            calibration = calibration_in(header.settings, f"{header.path}: settings")
            if calibration is not None and facts.energy is not None:
                return poor_picture(calibration, facts.shares[header.labels.names[0]], facts.energy)
        if facts.strangeness is not None:
            if facts.strangeness <= STRANGE:
                return None
            return f"expected a strangeness of {STRANGE:g} or less, found {facts.strangeness:.2f}"
        if facts.confidence < POOR[header.kind]:
            return f"expected a mean confidence of {POOR[header.kind]:g} or more, found {facts.confidence:.2f}"
        return None

    def _facts(self, item: Item) -> Facts | None:
        """What is known of an item whose results are all there."""
        path = self.folder.path / facts_name(item.name)
        if not path.exists():
            return None
        try:
            facts = Facts.from_json(json.loads(read_regular_text(path)))
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise OutputError(
                f"{path}: expected what this command wrote, it cannot be read; remove it and repeat the command"
            ) from error
        return None if any(map(self.folder.lacks, facts.files)) else facts

    def _tell(self, facts: Facts) -> None:
        self.reporter.event("labelled", **facts.to_json())
        for remark in facts.remarks:
            self.reporter.warning(remark, name=facts.name)
        if (fault := self._fault(facts)) is not None:
            header, remedy = self.plan.header, "train on such data"
            if header.kind == "image" and header.training.get("photographs", "none") == "none":
                remedy = "train with --photographs mild"
            elif facts.strangeness is not None:
                remedy = "say which axis points up with --up, or train on such data"
            self.reporter.warning(
                f"{facts.file}: {fault}: the network has probably not learned from the like; look at it, or {remedy}",
                name=facts.name,
            )

    def _labeller(self) -> Label:
        """What labels an item, with the network in memory.

        Raises:
            DNeRFError: the network or the device cannot be used.
        """
        plan, folder = self.plan, self.folder.path
        call, device = plan.call, models.pick_device(plan.call.device)
        file = load_network_file(call.network, plan.header.kind)
        if plan.header.kind == "points":
            of_points = PointSegmenter.load(file, device)
            return lambda item: label_shape(of_points, item, call.up, call.headings, folder)
        of_images = dataclasses.replace(Segmenter.from_file(file, device), mirrored=call.mirrored)

        def label(item: Item) -> tuple[Facts, NDArray[np.uint8]]:
            if item.kind == "picture":
                return label_picture(of_images, item, call.size, folder)

            def progress(done: int, expected: int) -> None:
                if done % _FRAMES_AN_EVENT == 0:
                    self.reporter.event("frames", name=item.name, done=done, frames=expected or None)

            return label_clip(of_images, item, call.size, folder, progress)

        return label

    def _sheet(self, whole: list[Facts]) -> bytes:
        """The contact sheet: a row a file, the first ones."""
        columns = ["image", "labels", "confidence"] if self.plan.header.kind == "image" else ["labels", "confidence"]
        rows = []
        for facts in whole[:SHEET_ROWS]:
            path = self.folder.path / thumbnail_name(facts.name)
            note = "unsure" if self.is_poor(facts) else "confidence"
            pictures: list[Any] = tiles(read_image(path))
            rows.append((f"{_short(facts.name)}\n{facts.type}\n{note} {facts.confidence:.2f}", pictures))
        more = len(whole) - len(rows)
        title = f"{self.plan.call.network.name}, {len(whole)} labelled" + (f", the first {len(rows)}" if more else "")
        return picture_grid(title, columns, rows, self.plan.header.labels)


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:8]}..{name[-8:]}"
