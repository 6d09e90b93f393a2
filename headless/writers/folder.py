"""The data set folder: recognising it as ours, what is missing in it, and the lists that describe its views.

    images/s0003_v01.png   masks/s0003_v01.png   depth/s0003_v01.exr
    cameras.json  labels.json  metadata.jsonl  contact-sheet.png  dataset.json

`dataset.json` is written first and records the call. A file that is there is whole (see `headless.writers.files`), so what is
missing is what has yet to be done.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from dnerf_core.camera import CAMERAS_FORMAT_VERSION, CONVENTION
from dnerf_core.labels import LabelSet
from headless.plan import VIEW_NAME_PATTERN, PlannedView
from headless.writers.files import leftovers, make_folder, output_error, remove_files
from headless.writers.result_folder import ResultFolder, json_bytes
from headless.writers.views import DepthFormat

RECORD_FORMAT = "datasetnerf-views"

CAMERAS_NAME, LABELS_NAME, METADATA_NAME, SHEET_NAME = "cameras.json", "labels.json", "metadata.jsonl", "contact-sheet.png"
_TOP_NAMES = {CAMERAS_NAME, LABELS_NAME, METADATA_NAME, SHEET_NAME}


class DatasetFolder(ResultFolder):
    """One folder of views, claimed by one call of one command.

    Args:
        path: the folder, which may be missing yet.
        command: the command's name.
        plan: the call's plan as JSON values, see `ViewPlan.to_json`.
        depth_format: decides the depth files' suffix; None: views have no depth.
        masks: whether views have masks.
    """

    def __init__(self, path: Path, command: str, plan: dict[str, Any], depth_format: DepthFormat | None, masks: bool) -> None:
        super().__init__(path, RECORD_FORMAT, command, plan, _TOP_NAMES)
        self._suffixes = {"images": ".png"}
        if masks:
            self._suffixes["masks"] = ".png"
        if depth_format is not None:
            self._suffixes["depth"] = f".{depth_format}"
            self.record["depth"] = {
                "kind": "planar, along the optical axis",
                "unit": "world units of the model",
                "background": 0 if depth_format == "exr" else "inf",
            }
        self._there: dict[str, set[str]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of file each view has, which are also the names of the folders they lie in."""
        return tuple(self._suffixes)

    def file(self, kind: str, name: str) -> Path:
        """Where the file of `kind` of the view `name` belongs."""
        return self.path / kind / f"{name}{self._suffixes[kind]}"

    def open(self, seeds: Container[int] | None = None) -> None:
        """Make sure that the folder is free or holds this very call, then clear an interrupted run's leftovers and look round.

        Args:
            seeds: only these subjects' leftovers are cleared: the others' may be files that another process is writing; None: all.

        Raises:
            OutputError: it is a file, holds something else, or holds the results of another call.
        """
        self.check()
        found = self.top_leftovers() if seeds is None else []
        for kind, suffix in self._suffixes.items():
            name = re.compile(rf"{VIEW_NAME_PATTERN}{re.escape(suffix)}")

            def is_ours(file: str, name: re.Pattern[str] = name) -> bool:
                match = name.fullmatch(file)
                return match is not None and (seeds is None or int(match["seed"]) in seeds)

            found += leftovers(self.path / kind, is_ours)
        remove_files(found)
        self.look()

    def look(self) -> None:
        """See which files are there now."""
        self._there = {kind: _names_in(self.path / kind) for kind in self.kinds}

    def claim(self) -> None:
        """Make the folders and record the call, where that has not been done.

        Raises:
            OutputError: it cannot be written.
        """
        super().claim()
        for kind in self.kinds:
            make_folder(self.path / kind)

    def missing_kinds(self, name: str) -> list[str]:
        """The kinds of file that the view `name` lacked when the folder was opened."""
        return [kind for kind, suffix in self._suffixes.items() if f"{name}{suffix}" not in self._there[kind]]

    def metadata(self, views: Iterable[PlannedView]) -> Iterator[str]:
        """`metadata.jsonl`: a line a view, in the order of the plan.

        Hugging Face `datasets` decodes every column named `*_file_name` as a picture, which the depth is not; hence `depth_file`.
        """
        for view in views:
            row: dict[str, Any] = {"image_file_name": self._relative("images", view.name)}
            if "masks" in self._suffixes:
                row["mask_file_name"] = self._relative("masks", view.name)
            if "depth" in self._suffixes:
                row["depth_file"] = self._relative("depth", view.name)
            yield json.dumps(row | {"seed": view.seed, "view": view.view}) + "\n"

    def _relative(self, kind: str, name: str) -> str:
        return self.file(kind, name).relative_to(self.path).as_posix()


def cameras_lines(views: Iterable[PlannedView], resolution_px: int) -> Iterator[str]:
    """The lines of `cameras.json` as `dnerf_core.camera.cameras_from_json` reads it, with the size, seed and view added; a line a view."""
    head = json.dumps(
        {"version": CAMERAS_FORMAT_VERSION, "convention": CONVENTION, "image_size_px": [resolution_px, resolution_px]}
    )
    yield head[:-1] + ', "views": [\n'
    separator = ""
    for view in views:
        yield separator + json.dumps({"name": view.name, "seed": view.seed, "view": view.view, **view.camera.to_json()})
        separator = ",\n"
    yield "\n]}\n"


def labels_json(labels: LabelSet) -> bytes:
    """`labels.json`: the label set."""
    return json_bytes(labels.to_json())


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise output_error(folder, error) from error
