"""Whether predictions and what they are held against show views of the same cameras, where both sides say which."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.errors import AnnotationError, UsageError, json_fault
from dnerf_core.files.names import CAMERAS_NAME
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.split_folders import split_of_path
from dnerf_core.files.text import read_user_text
from headless.scores.predictions.files import MaskFile, folder_of_masks
from headless.scores.predictions.truths import TrueItem

_SAME = 1e-4
"""Of poses and intrinsics, by the cameras' distance from the origin: less than numbers lose that another program has written again."""


def check_same_cameras(pairs: Sequence[tuple[TrueItem, MaskFile]], predictions: Path, against: Path) -> None:
    """Refuse predictions of other cameras than those of the views that they are named as.

    Args:
        pairs: views and clips with their predictions.
        predictions, against: the folders; one without cameras, or whose cameras.json is another program's, says nothing.

    Raises:
        AnnotationError: a view whose cameras differ, the first of all.
        UsageError: a file of cameras that cannot be read.
    """
    own_path, true_path = _data_set_of(predictions) / CAMERAS_NAME, _data_set_of(against) / CAMERAS_NAME
    own, true = (_cameras(path) for path in (own_path, true_path))
    for item, file in pairs:
        if not item.is_video:
            for name, there, here in _both(own, true, [item.name]):
                _check(name, there, here, own_path, true_path)
            continue
        clip_path = file.path.with_name(f"{item.name}-{CAMERAS_NAME}")
        true_clips = sorted([*against.glob(clip_path.name), *against.glob(f"*/{clip_path.name}")])
        if clip_path.is_file() and true_clips:
            clip, true_clip = _cameras(clip_path), _cameras(true_clips[0])
            for name, there, here in _both(clip, true_clip, list(true_clip)):
                _check(f"{item.name} {name}", there, here, clip_path, true_clips[0])


def _data_set_of(folder: Path) -> Path:
    """The folder whose cameras are those of some masks."""
    folder = folder_of_masks(folder)
    if folder.name == "masks" and not (folder / CAMERAS_NAME).is_file():
        folder = folder.parent
    return split_of_path(folder)[0]


def _both(own: dict[str, Camera], true: dict[str, Camera], names: Sequence[str]) -> Iterator[tuple[str, Camera, Camera]]:
    for name in names:
        if name in own and name in true:
            yield name, own[name], true[name]


def _check(name: str, own: Camera, true: Camera, own_path: Path, true_path: Path) -> None:
    size = max(1.0, float(np.abs(true.cam2world[:3, 3]).max()))
    pose, lens = np.abs(own.cam2world - true.cam2world).max(), np.abs(own.intrinsics - true.intrinsics).max()
    if pose > _SAME * size or lens > _SAME:
        which = "stands elsewhere" if pose > _SAME * size else "has another lens"
        raise AnnotationError(
            f"{own_path}: {name}: expected the camera of the view of that name in {true_path}, found one that {which}; predict the views "
            f"that are scored against, or remove {CAMERAS_NAME} where it is not of these predictions"
        )


def _cameras(path: Path) -> dict[str, Camera]:
    """The cameras of a cameras.json by name; empty: there is none, or it is another program's."""
    if not path.is_file():
        return {}
    text = read_user_text(path, "the cameras of views", "remove it, or restore it")
    try:
        data: Any = without_surrogates(json.loads(text.removeprefix("\ufeff")))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected JSON, found {json_fault(error)}; restore it, or remove it") from None
    return cameras_from_json(data, str(path)) if isinstance(data, dict) and "views" in data else {}
