"""The lists of a data set that `dnerf-headless render` wrote: which views it has, in which splits, and where their files are.

cameras.json   labels.json   metadata.jsonl, or SPLIT/metadata.jsonl
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.errors import UsageError, brief, did_you_mean, json_fault
from dnerf_core.files.names import CAMERAS_NAME, DEPTH_SCALE_KEY, LABELS_NAME, METADATA_NAME
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.pictures import DEPTH_STEPS
from dnerf_core.files.split_folders import split_of_path
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import LabelSet

_FILE_KEYS = ("image_file_name", "mask_file_name", "depth_file", "joints_file", "vertices_file")


@dataclass(frozen=True)
class ViewRow:
    """One view: its name, subject and number, camera, the files that it has, and world units of a step of depth that is a picture."""

    name: str
    seed: int
    view: int
    camera: Camera
    image: Path | None
    mask: Path | None
    depth: Path | None
    joints: Path | None
    vertices: Path | None
    depth_scale: float


@dataclass(frozen=True)
class ViewLists:
    """A data set's views in the order of its lists, the names of its splits, what its masks' ids mean (None: no masks), and the split
    whose views alone they are (None: all)."""

    rows: list[ViewRow]
    splits: tuple[str, ...]
    labels: LabelSet | None
    split: str | None


def read_view_lists(folder: Path, split: str | None = None) -> ViewLists:
    """The lists of a data set.

    Args:
        folder: the data set, or the folder of one of its splits, which is then the split.
        split: the split whose views are listed; None: all of them, split by split in the order of their names.

    Raises:
        UsageError: no such folder, no data set, one that is not finished, a split that it does not have, or a damaged list.
        AnnotationError: labels.json cannot be used.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: expected a data set folder, found {'a file' if folder.exists() else 'nothing'}; render one there"
        )
    folder, named = split_of_path(folder)
    if named is not None and split not in (None, named):
        raise UsageError(
            f"{folder / named}: split {brief(split)}: expected {named}, whose folder it is; name the data set's folder"
        )
    split = named or split
    cameras_path = folder / CAMERAS_NAME
    if not cameras_path.is_file():
        raise UsageError(f"{folder}: expected a data set that render wrote, found no {CAMERAS_NAME}; give the folder of --output")
    whole = (folder / METADATA_NAME).is_file()
    splits = () if whole else tuple(sorted(path.parent.name for path in folder.glob(f"*/{METADATA_NAME}")))
    if not splits and not whole:
        raise UsageError(
            f"{folder}: expected a finished data set, found no {METADATA_NAME}; repeat the render command, which ends it"
        )
    if split is not None and split not in splits:
        available = f"the splits {', '.join(splits)}" if splits else "a data set without splits"
        raise UsageError(
            f"{folder}: split {brief(split)}: expected one that it has, found {available}{did_you_mean(split, splits)}; choose another"
        )
    places = [folder] if whole else [folder / name for name in splits if split in (None, name)]
    cameras = cameras_from_json(_text_of(cameras_path), str(cameras_path))
    labels_path = folder / LABELS_NAME
    labels = LabelSet.from_json(_text_of(labels_path), str(labels_path)) if labels_path.is_file() else None
    return ViewLists([row for place in places for row in _rows_of(place, cameras)], splits, labels, split)


def _rows_of(place: Path, cameras: dict[str, Camera]) -> list[ViewRow]:
    path = place / METADATA_NAME
    return [
        _row_of(line, place, cameras, f"{path}: line {number}")
        for number, line in enumerate(_text_of(path).splitlines(), start=1)
        if line.strip()
    ]


def _row_of(line: str, place: Path, cameras: dict[str, Camera], where: str) -> ViewRow:
    try:
        data: Any = without_surrogates(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{where}: expected JSON, found {json_fault(error)}; repeat the render command in a new folder"
        ) from None
    files = {key: data.get(key) for key in _FILE_KEYS} if isinstance(data, dict) else {}
    named = [name for name in files.values() if name is not None]
    if not named or not all(isinstance(name, str) and _lies_inside(name) for name in named):
        raise UsageError(
            f"{where}: expected files of a view below the folder, found {brief(named or data)}; is it a data set of render?"
        )
    name = PurePosixPath(named[0]).stem
    if name not in cameras:
        raise UsageError(f"{where}: expected a camera for {name} in {CAMERAS_NAME}, found none; render the data set again")
    image, mask, depth, joints, vertices = (None if file is None else place / file for file in files.values())
    seed, view = (number if isinstance(number := data.get(key), int) else -1 for key in ("seed", "view"))
    scale = data.get(DEPTH_SCALE_KEY, 1 / DEPTH_STEPS)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise UsageError(f"{where}: {DEPTH_SCALE_KEY}: expected world units of a step of depth, found {brief(scale)}; correct it")
    return ViewRow(name, seed, view, cameras[name], image, mask, depth, joints, vertices, float(scale))


def _lies_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _text_of(path: Path) -> str:
    return read_user_text(path, "a list of a data set", "render the data set again")
