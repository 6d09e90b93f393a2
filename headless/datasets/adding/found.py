"""The data set that a folder holds already, as views that were added one by one: whatever call of `render` made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dnerf_core import __version__
from dnerf_core.camera import Camera
from dnerf_core.errors import DNeRFError, OutputError
from dnerf_core.files.names import CAMERAS_NAME, RECORD_FORMAT, RECORD_NAME
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.whole import output_error, temporary_for
from dnerf_core.subject_key import SubjectFile, SubjectKey
from headless.datasets.adding.views import AddedSubject, AddedView, AddedViews
from headless.work.at_work import is_lock_name
from headless.work.checksums import is_sums_name

ANOTHER_FOLDER = "choose another folder"


VIEWS_OF = {"render": "a data set of views, as render writes it", "composite": "a data set of subjects composed with a scene"}
"""What a folder is in which views are added one by one, by the command that it records."""


def recorded_plan(folder: Path, command: str) -> dict[str, Any] | None:
    """The plan of the `command` that a folder records, one of `VIEWS_OF`; None: nothing is there.

    Raises:
        OutputError: something else is there, or the record cannot be read.
    """
    path = folder / RECORD_NAME
    if not path.exists():
        if held := _strange(folder):
            raise OutputError(
                f"{folder}: expected an empty folder or a data set of views, found {held!r} and no {RECORD_NAME}; {ANOTHER_FOLDER}"
            )
        return None
    record = _json(path)
    plan = record.get("plan")
    if record.get("format") != RECORD_FORMAT or record.get("command") != command or not isinstance(plan, dict):
        found = record.get("command", record.get("format"))
        raise OutputError(f"{folder}: expected {VIEWS_OF[command]}, found one of {found}; {ANOTHER_FOLDER}")
    if record.get("written_by") != f"datasetnerf {__version__}":
        raise OutputError(
            f"{folder}: expected a data set of datasetnerf {__version__}, found one written by {record.get('written_by')}; {ANOTHER_FOLDER}"
        )
    return plan


def found_views(plan: dict[str, Any], folder: Path) -> AddedViews:
    """The views of a folder whose record has this plan.

    Raises:
        OutputError: its lists cannot be read, or it was left before it had any.
    """
    where = str(folder / RECORD_NAME)
    return AddedViews.from_json(plan, where) if "added" in plan else _listed(plan, folder / CAMERAS_NAME)


def _listed(plan: dict[str, Any], path: Path) -> AddedViews:
    """Those of a call that saw all its subjects from the same cameras, by its cameras.json."""
    if not path.exists():
        raise OutputError(
            f"{path.parent}: expected a data set with its {CAMERAS_NAME}, found it unfinished; repeat the command that it is of, or "
            f"{ANOTHER_FOLDER}"
        )
    files = plan.get("subject_files")
    subjects: dict[int, list[AddedView]] = {}
    try:
        for view in _json(path)["views"]:
            pose = tuple(map(float, view["pose"])) if "pose" in view else None
            subjects.setdefault(int(view["seed"]), []).append(
                AddedView(int(view["view"]), Camera.from_json(view, str(path)), pose, str(view.get("camera", "")))
            )
        keys = {number: _key(plan, files, number) for number in subjects}
    except (KeyError, TypeError, ValueError, IndexError, DNeRFError) as error:
        raise OutputError(f"{path}: expected the cameras of a data set, found others ({error}); {ANOTHER_FOLDER}") from error
    return AddedViews({number: AddedSubject(keys[number], tuple(views)) for number, views in subjects.items()}, plan)


def _key(plan: dict[str, Any], files: Any, number: int) -> SubjectKey:
    if files is None:
        return SubjectKey(number, float(plan["truncation"]))
    # where the file lies the record does not say; it is needed only where a view has still to be made
    return SubjectKey(number, 1.0, SubjectFile(Path(str(files[number]["file"])), str(files[number]["sha256"])))


def _strange(folder: Path) -> str | None:
    """Something that lies in a folder without a record; None: nothing, or what an interrupted call left."""
    try:
        names = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise output_error(folder, error) from error
    return next((name for name in names if not (is_lock_name(name) or is_sums_name(name) or temporary_for(name))), None)


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_regular_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"{path}: expected a list of a data set, it cannot be read ({error}); {ANOTHER_FOLDER}") from error
    if not isinstance(data, dict):
        raise OutputError(f"{path}: expected a list of a data set, found something else; {ANOTHER_FOLDER}")
    return data
