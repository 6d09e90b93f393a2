"""What predictions are held against: the masks of a folder, or the demo's exact truth of a data set's views."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.errors import AnnotationError, UsageError, brief, json_fault, listed
from dnerf_core.files.masks import is_painted, read_sized_mask
from dnerf_core.files.names import CAMERAS_NAME, RECORD_NAME
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.posed_folder import PosedFolder
from dnerf_core.files.split_folders import split_of_path
from dnerf_core.files.view_poses import Pose, poses_of_views
from dnerf_core.labels import LabelSet
from headless.scores.predictions.files import LISTED, MaskFile, folder_of_masks, ids_of_video, mask_files
from headless.scores.predictions.reading import read_labels

Masks = Iterator[NDArray[np.uint8]]


@dataclass(frozen=True)
class TrueItem:
    """A view, or a clip: its name, whether it has frames, the true ids uint8 [H, W] of each, 255 ignored, and its images, if any."""

    name: str
    is_video: bool
    masks: Callable[[], Masks]
    images: Callable[[], Iterator[NDArray[np.uint8]]]


@dataclass(frozen=True)
class Truth:
    """All items, what their ids mean, and how many masks were left out since nothing is painted in them."""

    items: list[TrueItem]
    labels: LabelSet
    skipped: int = 0


def folder_truth(path: Path, *, skip_unpainted: bool = False) -> Truth:
    """The masks of a data set, of one of its splits, of an annotated folder, of label videos, or of any folder with a labels.json.

    Args:
        skip_unpainted: of an annotated folder, leave out masks with nothing painted instead of refusing them.

    Raises:
        AnnotationError: no masks, no labels.json, or one that cannot be used.
        UnpaintedError: an annotated folder with masks that are not painted.
    """
    top, split = split_of_path(path)
    files = mask_files(path)
    labels = read_labels(path if split is None else top)
    items = {name: _of_file(file, labels) for name, file in files.items()}
    if _record(folder_of_masks(top)).get("command") != "sample":
        return Truth(list(items.values()), labels)
    unpainted = [name for name, item in items.items() if not any(map(is_painted, item.masks()))]
    if len(unpainted) == len(items) or (unpainted and not skip_unpainted):
        raise AnnotationError(
            f"{path}: expected painted masks, found {len(unpainted)} of {len(items)} with nothing painted: {listed(unpainted, LISTED)}; "
            "paint them, or leave them out with --skip-unpainted"
        )
    return Truth([item for name, item in items.items() if name not in set(unpainted)], labels, len(unpainted))


def _of_file(file: MaskFile, labels: LabelSet) -> TrueItem:
    def masks() -> Masks:
        if file.is_video:
            yield from ids_of_video(file.path)
        else:
            yield read_sized_mask(file.path, labels, lambda width, height: None)

    return TrueItem(file.stem, file.is_video, masks, file.images)


SeedView = tuple[int, Camera, Pose | None]
"""The seed of a subject, where it is seen from, and its pose; None: its own."""


def demo_truth(path: Path, device: str) -> Truth:
    """The exact truth of the views, or clips, of a folder that `render`, `sample` or `video` wrote with a model of the demo.

    Args:
        path: the folder with cameras and record; of a data set with splits all of it, or one split's folder.

    Raises:
        UsageError: a folder without cameras or record, or of subjects whose truth is not known.
        CheckpointError: the model that it was made with cannot be had.
    """
    top, _ = split_of_path(folder_of_masks(path))
    record = _record(top)
    plan = record.get("plan")
    model_name, size = (plan or {}).get("model_name", (plan or {}).get("model")), (plan or {}).get("resolution_px")
    if not isinstance(model_name, str) or not isinstance(size, int):
        raise UsageError(
            f"{top / RECORD_NAME}: expected the record of a data set, which names its model and seeds, found none; name the folder that "
            "render wrote with an embedded model as FOLDER"
        )
    assert isinstance(plan, dict)
    if plan.get("truncation", 1.0) != 1.0 or "subject_files" in plan:
        found = "subject files" if "subject_files" in plan else f"truncation {plan['truncation']}"
        raise UsageError(
            f"{top / RECORD_NAME}: expected seeds with truncation 1, whose truth is known, found {found}; render others"
        )
    from dnerf_core.demo.truth import require_truth, true_mask
    from headless import models

    model = models.load_model(model_name, device)
    labels = require_truth(model).labels

    def masks(views: Sequence[SeedView]) -> Masks:
        for seed, camera, pose in views:
            yield true_mask(model, seed, camera, size, pose)

    if record.get("command") == "video":
        clips = _clips(path)
        files = {name: MaskFile(name, cameras.with_name(f"{name}-labels.mkv")) for name, cameras in clips.items()}
        items = [
            TrueItem(name, True, partial(masks, _clip_views(cameras)), files[name].images) for name, cameras in clips.items()
        ]
    else:
        items = [
            TrueItem(name, False, partial(masks, [view]), MaskFile(name, place / "masks" / f"{name}.png").images)
            for name, view, place in _posed_views(path)
        ]
    return Truth(items, labels)


def _posed_views(path: Path) -> Iterator[tuple[str, SeedView, Path]]:
    """Name, view and folder of each view of a data set."""
    folder = PosedFolder.open(folder_of_masks(path))
    for name, views in folder.objects.items():
        seed = name.removeprefix("s").partition("_")[0]
        if not seed.isdigit():
            raise UsageError(
                f"{folder.path / CAMERAS_NAME}: expected the seed of every view, found none of {views[0].name}; "
                "name a folder that render wrote"
            )
        for view in views:
            yield view.name, (int(seed), view.camera, view.pose), view.place


def _clips(path: Path) -> dict[str, Path]:
    """The cameras files of a folder of videos, by the clips' names."""
    tail = f"-{CAMERAS_NAME}"
    files = sorted([*path.glob(f"*{tail}"), *path.glob(f"*/*{tail}")])
    if not files:
        raise UsageError(f"{path}: expected the cameras of videos, NAME{tail}, found none; name the folder that video wrote")
    return {file.name.removesuffix(tail): file for file in files}


def _clip_views(path: Path) -> list[SeedView]:
    """The view of each frame of a clip."""
    text = _text(path)
    cameras = cameras_from_json(text, str(path))
    data = json.loads(text)
    found, poses = [], poses_of_views(data, str(path))
    for view in data["views"]:
        seeds, share = view.get("seeds"), view.get("share")
        if not isinstance(seeds, list) or len(seeds) != 2 or (share != 0 and seeds[0] != seeds[1]):
            raise UsageError(
                f"{path}: {view['name']}: expected one seed, whose truth is known, found {brief(seeds)}; name videos made without --between"
            )
        found.append((int(seeds[0]), cameras[view["name"]], poses.get(view["name"])))
    return found


def _record(folder: Path) -> dict[str, Any]:
    """The record of a folder; empty: it has none."""
    path = folder / RECORD_NAME
    if not path.is_file():
        return {}
    try:
        record: Any = without_surrogates(json.loads(_text(path)))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected the record of a folder, found no JSON ({json_fault(error)}); restore it") from error
    return record if isinstance(record, dict) and isinstance(record.get("plan", {}), dict) else {}


def _text(path: Path) -> str:
    try:
        return read_regular_text(path, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: expected a list of a data set, it cannot be read ({error}); render the data set again"
        ) from error
