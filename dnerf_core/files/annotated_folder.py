"""Reading annotated folders: what `sample` wrote, with the masks painted. Everything is checked before anything is computed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.errors import AnnotationError, CheckpointError, UnpaintedError, UsageError, brief, json_fault
from dnerf_core.files.masks import is_painted, read_mask
from dnerf_core.files.names import LABELS_NAME, RECORD_FORMAT, RECORD_NAME, RECORD_VERSION, view_name
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import IGNORE_ID, LabelSet
from dnerf_core.limits import MAX_RESOLUTION, MAX_TRUNCATION, MAX_VIEWS, MAX_VIEWS_A_CALL, MIN_RESOLUTION
from dnerf_core.seeds import parse_seeds
from dnerf_core.subject_key import SubjectFile, SubjectKey, recorded_files

_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
_LISTED = 3
"""Files that a message names before it says how many more there are."""


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One painted view.

    Attributes:
        name: the stem of its files, such as s0003_v01.
        subject: which subject it shows.
        view: its number among the subject's views.
        camera: where it was seen from.
        mask: uint8 [S, S] of label ids at the model's image size, 255 ignored.
        mask_path: the file.
    """

    name: str
    subject: SubjectKey
    view: int
    camera: Camera
    mask: NDArray[np.uint8]
    mask_path: Path


@dataclass(frozen=True, eq=False)
class Annotations:
    """The painted views of one or more folders of the same generator and label set.

    Attributes:
        folders: where they were read from.
        model: the model that the folders name, an embedded model's name or an absolute path.
        generator_sha256: its generator, see `dnerf_core.checkpoints.generator_hash`.
        labels: what the ids mean.
        images: views in the order of the folders, seeds and view numbers.
        skipped: masks left out since nothing is painted in them.
    """

    folders: tuple[Path, ...]
    model: str
    generator_sha256: str
    labels: LabelSet
    images: tuple[AnnotatedImage, ...]
    skipped: int

    @property
    def subjects(self) -> tuple[SubjectKey, ...]:
        """Every subject once, in the order of its first view."""
        return tuple(dict.fromkeys(image.subject for image in self.images))

    def sha256(self) -> str:
        """A hash of all that a training reads of the folders."""
        digest = hashlib.sha256(json.dumps([self.generator_sha256, self.labels.to_json()]).encode())
        for image in self.images:
            digest.update(json.dumps([image.subject.identity, image.camera.to_json()]).encode())
            digest.update(image.mask.tobytes())
        return digest.hexdigest()


def read_annotations(folders: Sequence[Path], *, skip_unpainted: bool = False) -> Annotations:
    """Read and check annotated folders.

    Args:
        skip_unpainted: leave out masks in which nothing is painted instead of refusing them.

    Raises:
        UsageError: a folder named twice.
        UnpaintedError: masks with nothing painted.
        AnnotationError: a folder or file that cannot be used as it is; the message names it.
        CheckpointError: a subject file that is gone or another one by now.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("annotated folders: expected each one once, found one twice; name it once")
    parts = [read_folder(folder) for folder in folders]
    first = parts[0]
    for part in parts[1:]:
        if part.generator_sha256 != first.generator_sha256:
            raise AnnotationError(
                f"{part.folders[0]}: expected the generator of {first.folders[0]} ({first.generator_sha256[:12]}), found "
                f"{part.generator_sha256[:12]}; train on folders of one model at a time"
            )
        if part.labels != first.labels:
            raise AnnotationError(
                f"{part.folders[0] / 'labels.json'}: expected the labels of {first.folders[0]} "
                f"({', '.join(first.labels.names)}), found {', '.join(part.labels.names)} or other colours; use one label set"
            )
    images = [image for part in parts for image in part.images]
    for file in {image.subject.file for image in images if image.subject.file is not None}:
        file.check()
    painted = [image for image in images if is_painted(image.mask)]
    if not painted:
        raise UnpaintedError(
            f"{_shown_folders(folders)}: expected painted masks, found only {_unpainted_kinds(images)}; paint some first"
        )
    if len(painted) < len(images) and not skip_unpainted:
        empty = [image for image in images if not is_painted(image.mask)]
        raise UnpaintedError(
            f"{_listed([str(image.mask_path) for image in empty])}: expected painted masks, found only "
            f"{_unpainted_kinds(empty)} in {len(empty)} of {len(images)}; "
            "paint them, or leave them out with --skip-unpainted"
        )
    return Annotations(
        tuple(folders), first.model, first.generator_sha256, first.labels, tuple(painted), len(images) - len(painted)
    )


def check_generator(annotations: Annotations, path: Path) -> None:
    """Refuse a model whose generator did not make the images of annotated folders.

    Raises:
        CheckpointError: it did not, or the file cannot be used.
    """
    from dnerf_core.checkpoints.generator_hash import generator_sha256

    sha256 = generator_sha256(path)
    if sha256 != annotations.generator_sha256:
        raise CheckpointError(
            f"{path}: expected the generator that {annotations.folders[0]} was sampled from "
            f"({annotations.generator_sha256[:12]}), found another ({sha256[:12]}); name the right one with --model"
        )


def missing_classes(images: Sequence[AnnotatedImage], labels: LabelSet) -> list[str]:
    """Names of the classes, background too, that occur in none of the masks."""
    counts = np.sum([np.bincount(image.mask.ravel(), minlength=256) for image in images], axis=0)
    return [label.name for label in labels.labels if counts[label.id] == 0]


def _unpainted_kinds(images: Sequence[AnnotatedImage]) -> str:
    """What unpainted masks hold."""
    kinds = []
    if any((image.mask == 0).any() for image in images):
        kinds.append("background")
    if any((image.mask == IGNORE_ID).any() for image in images):
        kinds.append(f"ignored pixels ({IGNORE_ID})")
    return " and ".join(kinds)


def read_folder(folder: Path) -> Annotations:
    """All views of one annotated folder, painted or not.

    Raises:
        AnnotationError: as `read_annotations`.
    """
    plan = read_plan(folder)
    labels = read_labels(folder)
    cameras_path = folder / "cameras.json"
    cameras = _read_cameras(cameras_path)
    expected = plan.view_names()
    _same_names(f"{cameras_path}: cameras", list(expected), list(cameras), "restore the file; the sample command writes it anew")
    masks = folder / "masks"
    try:
        paths = sorted(masks.iterdir()) if masks.is_dir() else []
    except OSError as error:
        raise AnnotationError(f"{masks}: expected a folder of masks, it cannot be read: {error.strerror}; correct it") from error
    # An editor's own files may lie beside the masks; another picture may be a mask under a wrong name.
    mask_names = [path.name for path in paths if path.suffix.lower() in _PICTURES and not path.name.startswith(".")]
    _same_names(
        f"{masks}: masks",
        [f"{name}.png" for name in expected],
        mask_names,
        "restore what is missing (the sample command writes it empty) and take other files away",
    )
    images = []
    for name, (seed, view) in expected.items():
        path = masks / f"{name}.png"
        mask = read_mask(path, labels, plan.size_px)
        images.append(AnnotatedImage(name, plan.subject(seed), view, cameras[name], mask, path))
    return Annotations((folder,), plan.model, plan.generator_sha256, labels, tuple(images), 0)


def _read_cameras(path: Path) -> dict[str, Camera]:
    try:
        return cameras_from_json(_text(path), str(path))
    except UsageError as error:  # what the file holds is no option of the call
        raise AnnotationError(str(error)) from error


@dataclass(frozen=True)
class FolderPlan:
    """What is read of a folder's record."""

    model: str
    generator_sha256: str
    seeds: tuple[int, ...]
    views: int
    truncation: float
    size_px: int
    files: tuple[SubjectFile, ...]

    def subject(self, seed: int) -> SubjectKey:
        """The subject of this number."""
        return SubjectKey(seed, self.truncation, self.files[seed] if self.files else None)

    def view_names(self) -> dict[str, tuple[int, int]]:
        """Seed and number of every view, by its name."""
        return {view_name(seed, view): (seed, view) for seed in self.seeds for view in range(self.views)}


def read_labels(folder: Path) -> LabelSet:
    """What the ids in an annotated folder's masks mean.

    Raises:
        AnnotationError: its labels.json cannot be used.
    """
    path = folder / LABELS_NAME
    return LabelSet.from_json(_text(path), str(path))


def read_plan(folder: Path) -> FolderPlan:
    """What an annotated folder's record says of its views.

    Raises:
        AnnotationError: it is none, or damaged.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        raise AnnotationError(f"{folder}: expected a folder made by `sample`, found no {RECORD_NAME}; name such a folder")
    try:
        record: Any = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise AnnotationError(
            f"{path}: expected the record of a sample call, found no JSON ({json_fault(error)}); restore it"
        ) from error
    known = isinstance(record, dict) and record.get("format") == RECORD_FORMAT and record.get("format_version") == RECORD_VERSION
    if not known:
        raise AnnotationError(
            f"{path}: expected format {RECORD_FORMAT} {RECORD_VERSION}, found another; name a folder of `sample`"
        )
    if record.get("command") != "sample":
        raise AnnotationError(
            f"{path}: expected a folder made by `sample`, found one by {brief(record.get('command'))}; name another"
        )
    plan = record.get("plan")
    kinds: dict[str, type | tuple[type, ...]] = {
        "model": str,
        "generator_sha256": str,
        "seeds": str,
        "views": int,
        "truncation": (int, float),
        "resolution_px": int,
    }
    for key, kind in kinds.items():
        if not isinstance(plan, dict) or not isinstance(plan.get(key), kind):
            raise AnnotationError(f"{path}: plan: expected a value of {key!r}, found none or another kind; restore the file")
    assert isinstance(plan, dict)
    try:
        seeds = parse_seeds(plan["seeds"])
    except ValueError as error:
        raise AnnotationError(f"{path}: plan: seeds: {error}; restore the file") from error
    ranges = {
        "views": (1, min(MAX_VIEWS, MAX_VIEWS_A_CALL // len(seeds))),
        "truncation": (0, MAX_TRUNCATION),
        "resolution_px": (MIN_RESOLUTION, MAX_RESOLUTION),
    }
    for key, (low, high) in ranges.items():
        if isinstance(plan[key], bool) or not low <= plan[key] <= high:
            raise AnnotationError(
                f"{path}: plan: {key}: expected a number from {low} to {high:g}, found {brief(plan[key])}; restore the file"
            )
    if re.fullmatch("[0-9a-f]{64}", plan["generator_sha256"]) is None:
        raise AnnotationError(
            f"{path}: plan: generator_sha256: expected 64 hexadecimal digits, found {brief(plan['generator_sha256'])}; "
            "restore the file"
        )
    truncation = float(plan["truncation"])
    files = recorded_files(plan, len(seeds), f"{path}: plan")
    if files and (seeds != tuple(range(len(files))) or truncation != 1.0):
        raise AnnotationError(f"{path}: plan: seeds: expected the numbers of the subject files, found others; restore the file")
    return FolderPlan(plan["model"], plan["generator_sha256"], seeds, plan["views"], truncation, plan["resolution_px"], files)


def _same_names(what: str, expected: Sequence[str], names: Sequence[str], remedy: str) -> None:
    missing = [name for name in expected if name not in set(names)]
    surplus = [name for name in names if name not in set(expected)]
    if missing or surplus:
        faults = [f"{len(missing)} missing: {_listed(missing)}"] if missing else []
        faults += [f"{len(surplus)} of no view: {_listed(surplus)}"] if surplus else []
        raise AnnotationError(
            f"{what}: expected one for each of {len(expected)} views, found {len(names)}, {', '.join(faults)}; {remedy}"
        )


def _text(path: Path) -> str:
    return read_user_text(path, "a file that `sample` wrote", "restore it, or repeat the sample command", AnnotationError)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _shown_folders(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
