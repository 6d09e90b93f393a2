"""The data set folder: recognising it as ours, what is missing in it, and the lists that describe its views.

    images/s0003_v01.png   masks/s0003_v01.png   depth/s0003_v01.exr   normals/s0003_v01.png   uncertainty/s0003_v01.png
    joints/s0003_v01.json   vertices/s0003_v01.npy
    cameras.json  labels.json  template.npz  metadata.jsonl  contact-sheet.png  dataset.json

With splits, the folders of the first line and `metadata.jsonl` lie in a folder of each split, which is whole in itself.

`dataset.json` is written first and records the call. A file that is there is whole (see `dnerf_core.files.whole`), so what is
missing is what has yet to be done.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dnerf_core.camera import CAMERAS_FORMAT_VERSION, CONVENTION
from dnerf_core.files.names import (
    CAMERAS_NAME,
    DEPTH_SCALE_KEY,
    ID2LABEL_NAME,
    LABELS_NAME,
    METADATA_NAME,
    RECORD_FORMAT,
    SHEET_NAME,
    TEMPLATE_NAME,
    VIEW_NAME_PATTERN,
)
from dnerf_core.files.pictures import DEPTH_STEPS
from dnerf_core.files.whole import leftovers, make_folder, output_error, remove_files
from dnerf_core.labels import LabelSet
from headless.datasets.channels import BY_FOLDER, ENTRIES
from headless.datasets.plan import PlannedView, ViewPlan
from headless.work.checksums import Journal
from headless.work.result_folder import ResultFolder

REJECTED_NAME = "rejected.jsonl"
_TOP_NAMES = {CAMERAS_NAME, LABELS_NAME, ID2LABEL_NAME, METADATA_NAME, REJECTED_NAME, SHEET_NAME, TEMPLATE_NAME}


class DatasetFolder(ResultFolder):
    """One folder of views, claimed by one call of one command.

    Attributes:
        splits: those that have a subject; [""] where there are none. Others get no folder, since readers take an empty one for an error.

    Args:
        path: the folder, which may be missing yet.
        command: the command's name.
        plan: decides which kinds of file views have, and where they lie.
        record: the call as JSON values, where it is more than `ViewPlan.to_json` of the plan.
        more_names: files at the top of the folder besides those that every such folder has.
    """

    def __init__(
        self, path: Path, command: str, plan: ViewPlan, record: dict[str, Any] | None = None, more_names: Iterable[str] = ()
    ) -> None:
        super().__init__(path, RECORD_FORMAT, command, record or plan.to_json(), {*_TOP_NAMES, *more_names})
        self.plan = plan
        self.splits = [split for split, seeds in plan.seeds_by_split().items() if seeds]
        entries = [entry for name, entry in ENTRIES.items() if name in plan.channels and entry.folder]
        self._suffixes = {entry.folder: entry.file_suffix(plan) for entry in entries}
        for entry in sorted(entries, key=lambda entry: entry.folder):
            if (file_facts := entry.record(plan)) is not None:
                self.record[entry.folder] = file_facts
        self._names_seen: dict[Path, set[str]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs of it: not which files this one has seen."""
        return self.__dict__ | {"_names_seen": {}, "journal": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In another process, which has a journal of its own."""
        self.__dict__ |= state
        self.journal = Journal(self.path, self.is_recorded)

    def is_recorded(self, name: str) -> bool:
        """All but what is painted in a folder of `sample`: masks, and the labels that may be added to."""
        return self.record["command"] != "sample" or not (name == LABELS_NAME or name.startswith("masks/"))

    def is_own(self, name: str) -> bool:
        """A list, or a view's file."""
        if super().is_own(name):
            return self.is_recorded(name)
        *_, kind, file = ("", *name.split("/"))
        suffix = self._suffixes.get(kind)
        return (
            self.is_recorded(name)
            and suffix is not None
            and re.fullmatch(VIEW_NAME_PATTERN + re.escape(suffix), file) is not None
        )

    def top_leftovers(self) -> list[Path]:
        """Temporary files that interrupted runs left at the top of the folder and of those of its splits."""
        folders = [self.split_folder(split) for split in self.splits if split]
        return [
            *super().top_leftovers(),
            *(path for folder in folders for path in leftovers(folder, {METADATA_NAME}.__contains__)),
        ]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of file each view has, which are also the names of the folders they lie in."""
        return tuple(self._suffixes)

    def split_folder(self, split: str) -> Path:
        """Where the views of a split lie; the folder itself for the split "", which is all of them."""
        return self.path / split if split else self.path

    def named(self, path: Path) -> str:
        """A path below the folder, relative to it."""
        return path.relative_to(self.path).as_posix()

    def suffix(self, kind: str) -> str:
        """What the names of the files of `kind` end in, with the dot."""
        return self._suffixes[kind]

    def file(self, kind: str, name: str) -> Path:
        """Where the file of `kind` of the view `name` belongs."""
        return self._kind_folder(kind, name) / f"{name}{self._suffixes[kind]}"

    def read(self, kind: str, name: str, labels: LabelSet | None, size_px: int) -> NDArray[Any]:
        """The values of the file of `kind` of the view `name`, as the engine gave them.

        Raises:
            OutputError: it cannot be read, or has another size.
            AnnotationError: a mask that cannot be read.
        """
        reader = BY_FOLDER[kind].read
        assert reader is not None
        return reader(self.file(kind, name), labels, size_px)

    def _kind_folder(self, kind: str, name: str) -> Path:
        return self.split_folder(self.plan.split_of(seed_of(name))) / kind

    def _view_folders(self) -> Iterator[tuple[Path, str]]:
        """The folders that views' files lie in, each with its files' suffix."""
        for split in self.splits:
            for kind, suffix in self._suffixes.items():
                yield self.split_folder(split) / kind, suffix

    def open(self, seeds: Container[int] | None = None, *, only_look: bool = False) -> None:
        """Make sure that the folder is free or holds this very call, then clear an interrupted run's leftovers and look round.

        Args:
            seeds: only these subjects' leftovers are cleared: the others' may be files that another process is writing; None: all.
            only_look: clear nothing.

        Raises:
            OutputError: it is a file, holds something else, or holds the results of another call.
        """
        self.check()
        if not only_look:
            self.clear(seeds)
        self.look()

    def clear(self, seeds: Container[int] | None = None) -> None:
        """Remove the temporary files of writers that were killed.

        Args:
            seeds: as `open` has it.

        Raises:
            OutputError: one cannot be removed.
        """
        stale = self.top_leftovers() if seeds is None else []
        for folder, suffix in self._view_folders():
            name = re.compile(rf"{VIEW_NAME_PATTERN}{re.escape(suffix)}")

            def is_ours(file: str, name: re.Pattern[str] = name) -> bool:
                match = name.fullmatch(file)
                return match is not None and (seeds is None or int(match["seed"]) in seeds)

            stale += leftovers(folder, is_ours)
        remove_files(stale)

    def look(self) -> None:
        """See which files are there now."""
        self._names_seen = {folder: _names_in(folder) for folder, _ in self._view_folders()}

    def claim(self) -> None:
        """Make the folders and record the call, where that has not been done.

        Raises:
            OutputError: it cannot be written.
        """
        super().claim()
        for folder, _ in self._view_folders():
            make_folder(folder)

    def missing_kinds(self, name: str) -> list[str]:
        """The kinds of file that the view `name` lacked when the folder was opened."""
        folder = self.split_folder(self.plan.split_of(seed_of(name)))
        return [kind for kind, suffix in self._suffixes.items() if f"{name}{suffix}" not in self._names_seen[folder / kind]]

    def lacking_kinds(self, name: str) -> list[str]:
        """The kinds of file that the view `name` lacks now."""
        return [kind for kind in self._suffixes if not self.file(kind, name).exists()]

    def files_of(self, view: PlannedView) -> dict[str, str]:
        """The view's files as a row of `metadata.jsonl` names them, relative to the folder that `metadata.jsonl` lies in."""
        return {BY_FOLDER[kind].row_key: f"{kind}/{view.name}{suffix}" for kind, suffix in self._suffixes.items()}


def integer_depth_scale(plan: ViewPlan) -> dict[str, float]:
    """What lists say of depth in whole numbers: world units of a step; nothing where depth is no such picture."""
    return {DEPTH_SCALE_KEY: 1 / DEPTH_STEPS} if plan.depth_format == "png16" else {}


def seed_of(name: str) -> int:
    """The seed of a view's name."""
    return int(name[1 : name.index("_")])


def cameras_lines(views: Iterable[PlannedView], plan: ViewPlan) -> Iterator[str]:
    """The lines of `cameras.json` as `dnerf_core.camera.cameras_from_json` reads it, with size, seed and view added; a line a view."""
    size = [plan.resolution_px, plan.resolution_px]
    head = json.dumps(
        {"version": CAMERAS_FORMAT_VERSION, "convention": CONVENTION, "image_size_px": size, **integer_depth_scale(plan)}
    )
    yield head[:-1] + ', "views": [\n'
    separator = ""
    for view in views:
        pose = {} if view.pose is None else {"pose": view.pose}
        yield separator + json.dumps({"name": view.name, **view.which, **view.camera.to_json(), **pose})
        separator = ",\n"
    yield "\n]}\n"


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise output_error(folder, error) from error
