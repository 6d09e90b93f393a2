"""Reading annotated folders: what `sample` wrote, with the masks painted. Everything is checked before anything is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.errors import AnnotationError, CheckpointError, UnpaintedError, UsageError, listed
from dnerf_core.files.annotated_record import read_labels, read_plan, text_of
from dnerf_core.files.masks import is_painted, read_mask
from dnerf_core.files.snapping import SnapTally
from dnerf_core.files.view_poses import Pose, poses_of_views
from dnerf_core.labels import IGNORE_ID, LabelSet
from dnerf_core.subject_key import SubjectKey

_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
_SNAPPED_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
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
        snapped: what was read by the nearest colour.
    """

    folders: tuple[Path, ...]
    model: str
    generator_sha256: str
    labels: LabelSet
    images: tuple[AnnotatedImage, ...]
    skipped: int
    snapped: SnapTally = field(default_factory=SnapTally)

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


def read_annotations(folders: Sequence[Path], *, skip_unpainted: bool = False, snap_colors: bool = False) -> Annotations:
    """Read and check annotated folders.

    Args:
        skip_unpainted: leave out masks in which nothing is painted instead of refusing them.
        snap_colors: read masks by the nearest label colour, as `read_mask` has it, and JPEG and BMP files and other names of PNGs, too.

    Raises:
        UsageError: a folder named twice.
        UnpaintedError: masks with nothing painted.
        AnnotationError: a folder or file that cannot be used as it is; the message names it.
        CheckpointError: a subject file that is gone or another one by now.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("annotated folders: expected each one once, found one twice; name it once")
    snap = SnapTally() if snap_colors else None
    parts = [read_folder(folder, snap) for folder in folders]
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
            f"{listed([str(image.mask_path) for image in empty], _LISTED)}: expected painted masks, found only "
            f"{_unpainted_kinds(empty)} in {len(empty)} of {len(images)}; "
            "paint them, or leave them out with --skip-unpainted"
        )
    return Annotations(
        tuple(folders),
        first.model,
        first.generator_sha256,
        first.labels,
        tuple(painted),
        len(images) - len(painted),
        snap or SnapTally(),
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


def read_folder(folder: Path, snap: SnapTally | None = None) -> Annotations:
    """All views of one annotated folder, painted or not.

    Raises:
        AnnotationError: as `read_annotations`.
    """
    plan = read_plan(folder)
    labels = read_labels(folder)
    cameras_path = folder / "cameras.json"
    cameras, poses = _read_cameras(cameras_path)
    expected = plan.view_names()
    _same_names(f"{cameras_path}: cameras", list(expected), list(cameras), "restore the file; the sample command writes it anew")
    masks = folder / "masks"
    try:
        paths = sorted(masks.iterdir()) if masks.is_dir() else []
    except OSError as error:
        raise AnnotationError(f"{masks}: expected a folder of masks, it cannot be read: {error.strerror}; correct it") from error
    # An editor's own files may lie beside the masks; another picture may be a mask under a wrong name.
    found = [path for path in paths if path.suffix.lower() in _PICTURES and not path.name.startswith(".")]
    by_view = {} if snap is None else _other_names(found, expected)
    taken = {path.name for path in by_view.values()}
    views_of = {path.name: f"{name}.png" for name, path in by_view.items()}
    names = [views_of.get(path.name, path.name) for path in found if path.stem not in by_view or path.name in taken]
    remedy = "restore what is missing (the sample command writes it empty) and take other files away"
    if snap is None and _other_names(found, expected):
        remedy += ", or take .jpg, .jpeg, .bmp and .PNG for masks with --snap-colors"
    _same_names(f"{masks}: masks", [f"{name}.png" for name in expected], names, remedy)
    images = []
    for name, (seed, view) in expected.items():
        path = by_view.get(name, masks / f"{name}.png")
        mask = read_mask(path, labels, plan.size_px, snap=snap)
        subject = plan.subject(seed)._replace(pose=poses.get(name))
        images.append(AnnotatedImage(name, subject, view, cameras[name], mask, path))
    return Annotations((folder,), plan.model, plan.generator_sha256, labels, tuple(images), 0)


def _other_names(paths: Sequence[Path], views: Collection[str]) -> dict[str, Path]:
    """Masks under other names than NAME.png, by the view; such a file was saved beside the one that `sample` wrote, and stands for it.

    Raises:
        AnnotationError: two of one view.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in views and path.suffix.lower() in _SNAPPED_SUFFIXES and path.suffix != ".png":
            if path.stem in found:
                raise AnnotationError(
                    f"{path}: expected one mask of view {path.stem}, found {found[path.stem].name} as well; take one away"
                )
            found[path.stem] = path
    return found


def _read_cameras(path: Path) -> tuple[dict[str, Camera], dict[str, Pose]]:
    """The cameras of an annotated folder by view, and the poses that subjects have in views that tell one."""
    text = text_of(path)
    try:
        cameras = cameras_from_json(text, str(path))
    except UsageError as error:  # what the file holds is no option of the call
        raise AnnotationError(str(error)) from error
    return cameras, poses_of_views(json.loads(text.removeprefix("\ufeff")), str(path), AnnotationError)


def _same_names(what: str, expected: Sequence[str], names: Sequence[str], remedy: str) -> None:
    missing = [name for name in expected if name not in set(names)]
    surplus = [name for name in names if name not in set(expected)]
    if missing or surplus:
        faults = [f"{len(missing)} missing: {listed(missing, _LISTED)}"] if missing else []
        faults += [f"{len(surplus)} of no view: {listed(surplus, _LISTED)}"] if surplus else []
        raise AnnotationError(
            f"{what}: expected one for each of {len(expected)} views, found {len(names)}, {', '.join(faults)}; {remedy}"
        )


def _shown_folders(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
