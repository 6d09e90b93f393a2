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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dnerf_core import __version__
from dnerf_core.camera import CAMERAS_FORMAT_VERSION, CONVENTION
from dnerf_core.errors import OutputError, brief
from dnerf_core.labels import LabelSet
from headless.plan import OPTION_NAMES, VIEW_NAME_PATTERN, PlannedView
from headless.writers.files import leftovers, make_folder, output_error, remove_files, write_bytes_whole, write_whole
from headless.writers.views import DepthFormat

RECORD_NAME = "dataset.json"
RECORD_FORMAT = "datasetnerf-views"
RECORD_VERSION = 1

CAMERAS_NAME, LABELS_NAME, METADATA_NAME, SHEET_NAME = "cameras.json", "labels.json", "metadata.jsonl", "contact-sheet.png"
_TOP_NAMES = {RECORD_NAME, CAMERAS_NAME, LABELS_NAME, METADATA_NAME, SHEET_NAME}


class DatasetFolder:
    """One folder of views, claimed by one call of one command.

    Args:
        path: the folder, which may be missing yet.
        command: the command's name.
        plan: the call's plan as JSON values, see `ViewPlan.to_json`.
        depth_format: decides the depth files' suffix; None: views have no depth.
        masks: whether views have masks.
    """

    def __init__(self, path: Path, command: str, plan: dict[str, Any], depth_format: DepthFormat | None, masks: bool) -> None:
        self.path = path
        self.record: dict[str, Any] = {
            "format": RECORD_FORMAT,
            "format_version": RECORD_VERSION,
            "command": command,
            "written_by": f"datasetnerf {__version__}",
            "plan": plan,
        }
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

    def open(self) -> None:
        """Make sure that the folder is free or holds this very call, then clear an interrupted run's leftovers and look round.

        Raises:
            OutputError: it is a file, holds something else, or holds the results of another call.
        """
        found = leftovers(self.path, _TOP_NAMES.__contains__)
        self._check({path.name for path in found})
        for kind, suffix in self._suffixes.items():
            found += leftovers(self.path / kind, re.compile(rf"{VIEW_NAME_PATTERN}{re.escape(suffix)}").fullmatch)
        remove_files(found)
        self._there = {kind: _names_in(self.path / kind) for kind in self.kinds}

    def claim(self) -> None:
        """Make the folder and record the call in it, where that has not been done.

        Raises:
            OutputError: it cannot be written.
        """
        make_folder(self.path)
        self.write_once(RECORD_NAME, _json_bytes(self.record))
        for kind in self.kinds:
            make_folder(self.path / kind)

    def missing_kinds(self, name: str) -> list[str]:
        """The kinds of file that the view `name` lacked when the folder was opened."""
        return [kind for kind, suffix in self._suffixes.items() if f"{name}{suffix}" not in self._there[kind]]

    def lacks(self, name: str) -> bool:
        """Whether the file `name` is missing at the top of the folder."""
        return not (self.path / name).exists()

    def write_once(self, name: str, data: bytes) -> None:
        """Write the file `name` at the top of the folder unless it is there.

        Raises:
            OutputError: it cannot be written.
        """
        if self.lacks(name):
            write_bytes_whole(self.path / name, data)

    def write_lines_once(self, name: str, lines: Iterable[str]) -> None:
        """Write the file `name` at the top of the folder, line by line as they come, unless it is there.

        Raises:
            OutputError: it cannot be written.
        """

        def write(temporary: Path) -> None:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(lines)

        if self.lacks(name):
            write_whole(self.path / name, write)

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

    def _check(self, left_over: set[str]) -> None:
        try:
            held = {entry.name for entry in self.path.iterdir()} if self.path.exists() else set()
        except OSError as error:
            raise output_error(self.path, error) from error
        held -= left_over
        if not held:
            return
        if RECORD_NAME not in held:
            raise OutputError(
                f"{self.path}: expected a new or empty folder or this command's own results, found {sorted(held)[0]!r} "
                f"and no {RECORD_NAME}; choose another --output"
            )
        found = _read_record(self.path / RECORD_NAME)
        theirs = _comparable(found)
        ours = _comparable(self.record)
        for key, label in OPTION_NAMES.items():
            if theirs.get(key) != ours.get(key):
                raise OutputError(
                    f"{self.path}: holds the results of another call, {label} was {_shown(theirs.get(key))} "
                    f"and is now {_shown(ours.get(key))}; choose another --output, or repeat that call to finish it"
                )


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
    return _json_bytes(labels.to_json())


def _json_bytes(data: Any) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise output_error(folder, error) from error


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(
            f"{path}: expected the record of an earlier call, it cannot be read ({error}); choose another --output"
        ) from error
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT or record.get("format_version") != RECORD_VERSION:
        raise OutputError(f"{path}: expected format {RECORD_FORMAT} {RECORD_VERSION}, found another; choose another --output")
    return record


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    plan = record.get("plan")
    return {"command": record.get("command"), "written_by": record.get("written_by"), **(plan if isinstance(plan, dict) else {})}


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else brief(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    elif isinstance(value, list) and all(isinstance(item, float | int) for item in value):
        text = ":".join(f"{item:g}" for item in value)
    return text if len(text) <= 40 else f"{text[:37]}..."
