"""Folders of labelled clouds read back to learn from: what `pointcloud` wrote, and ShapeNetPart's layout from anywhere (numpy only).

Labels go by name: files and folders may number the same names differently, but must have the same ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.downstream.points.sets.shapenetpart_reading import PartFolder, find_part_folder, read_part_file
from dnerf_core.errors import AnnotationError, UsageError, counted, listed
from dnerf_core.files.cloud_reading import read_cloud
from dnerf_core.files.names import LABELS_NAME
from dnerf_core.files.opening.regular_files import read_regular_bytes
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import LabelSet

Split = Literal["train", "validation", "test"]
ReadPoints = tuple[NDArray[Any], NDArray[np.uint8], WorldUp]
"""Points [N, 3], label ids [N], and the axis that points up."""

SPLIT_FOLDERS: dict[str, Split] = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation"}
SPLIT_FOLDERS |= {"test": "test"}
"""What folders of splits are called."""

_OWN_NAME = re.compile(r"(s[0-9]{4,10})(_[pf][0-9]+)?")
"""What `pointcloud` calls a subject, and one of its poses."""


@dataclass(frozen=True, eq=False)
class LabelledCloud:
    """One cloud to learn from.

    Attributes:
        name: of the file, without its ending.
        folder: index of the folder that it is from.
        split: where the folder says one.
        points: float32 [N, 3], the file's frame and unit.
        labels: uint8 [N], ids of the label set of all folders; 0 of points without a part, 255 ignored.
        sha256: of the file, 64 hexadecimal digits.
        up: the axis that points up, where the file tells one.
    """

    name: str
    folder: int
    split: Split | None
    points: NDArray[np.float32]
    labels: NDArray[np.uint8]
    sha256: str
    up: WorldUp = "y"

    @property
    def subject(self) -> str:
        """Whom it shows: poses of one subject, and clouds of one name in several folders, are of the same."""
        match = _OWN_NAME.fullmatch(self.name)
        return match[1] if match else self.name


@dataclass(frozen=True, eq=False)
class CloudSets:
    """The clouds of some folders under one label set.

    Attributes:
        remarks: what the user should know, one line each.
    """

    folders: tuple[Path, ...]
    labels: LabelSet
    clouds: tuple[LabelledCloud, ...]
    remarks: tuple[str, ...] = ()

    def folder_sha256(self, folder: int) -> str:
        """A hash of the labels, and of names and contents of a folder's clouds."""
        sums = hashlib.sha256("\n".join(self.labels.names).encode())
        for cloud in self.clouds:
            if cloud.folder == folder:
                sums.update(f"\n{cloud.split} {cloud.name} {cloud.sha256}".encode())
        return sums.hexdigest()


@dataclass(frozen=True, eq=False)
class FoundClouds:
    """A folder before its clouds are read.

    Attributes:
        labels: None: it names none, and takes those of the others.
        files: path and split of each cloud.
        read: points float [N, 3] and labels uint8 [N] of a file, by ids of a label set.
    """

    path: Path
    labels: LabelSet | None
    files: tuple[tuple[Path, Split | None], ...]
    read: Callable[[Path, LabelSet], ReadPoints]
    remarks: tuple[str, ...] = ()


def read_cloud_sets(folders: Sequence[Path], category: str | None = None) -> CloudSets:
    """All clouds of some folders: PLY and NPZ in them or as `pointcloud` lays them out, or ShapeNetPart's text files.

    Of a folder with one cloud in several formats NPZ is read, else PLY.

    Args:
        category: of folders of the benchmark that hold several: its name or synset.

    Raises:
        UsageError: a folder without labelled clouds, or a file that cannot be read.
        AnnotationError: labels that do not go together.
    """
    found = [find_clouds(Path(folder), category) for folder in folders]
    labels = _common_labels(found, category)
    clouds: list[LabelledCloud] = []
    for index, folder in enumerate(found):
        for path, split in folder.files:
            points, ids, up = folder.read(path, labels)
            cloud = LabelledCloud(path.stem, index, split, points.astype(np.float32), ids, file_sha256(path), up)
            clouds.append(checked_cloud(cloud, path))
    remarks = tuple(remark for folder in found for remark in folder.remarks)
    return CloudSets(tuple(folder.path for folder in found), labels, tuple(clouds), remarks)


def find_clouds(path: Path, category: str | None, names: Mapping[int, str] | None = None) -> FoundClouds:
    """The clouds of a folder, none of them read yet; see `read_cloud_sets`.

    Args:
        names: labels by the numbers of parts in ShapeNetPart's layout, in place of what the numbers usually mean.

    Raises:
        UsageError: there are none.
    """
    for suffix in (".npz", ".ply"):
        files = _files_of(path, suffix)
        if files:
            return FoundClouds(path, _labels_of(path, files[0][0]), files, _read_own)
    parts = find_part_folder(path, category)
    if parts is not None:
        labels = _labels_file(path)
        splits: dict[str, Split] = {"train": "train", "val": "validation", "test": "test"}
        chosen = tuple((file, None if split is None else splits[split]) for file, split in parts.files)
        return FoundClouds(path, labels, chosen, _part_reader(parts, names), parts.remarks)
    raise UsageError(
        f"{path}: expected clouds with labels, PLY or NPZ files or ShapeNetPart's folders of text files, found none; "
        "make some with 'dnerf-headless pointcloud'"
    )


def _files_of(path: Path, suffix: str) -> tuple[tuple[Path, Split | None], ...]:
    """The clouds of a kind: in the folder or in its folder of that kind, else in those of splits."""
    plain = _here(path, suffix)
    if plain:
        return tuple((file, SPLIT_FOLDERS.get(path.name)) for file in plain)
    return tuple((file, split) for name, split in SPLIT_FOLDERS.items() for file in _here(path / name, suffix))


def _here(path: Path, suffix: str) -> list[Path]:
    for folder in (path, path / suffix[1:]):
        files = sorted(file for file in folder.glob("*") if file.suffix.lower() == suffix and not file.name.startswith("."))
        if files:
            return files
    return []


def _labels_file(path: Path) -> LabelSet | None:
    for place in (path / LABELS_NAME, path.parent / LABELS_NAME):
        if place.is_file():
            return LabelSet.from_json(read_user_text(place, "a labels file"), str(place))
    return None


def _labels_of(path: Path, first: Path) -> LabelSet:
    labels = _labels_file(path) or read_cloud(first).get("label_set")
    if labels is None:
        raise AnnotationError(
            f"{path}: expected labels with names, in a labels.json there or in the clouds, found none in {first.name}; put one there"
        )
    return labels


def _read_own(path: Path, labels: LabelSet) -> ReadPoints:
    cloud = read_cloud(path)
    if "labels" not in cloud:
        raise AnnotationError(f"{path}: expected a cloud with labels, found none; leave it out")
    ids = np.asarray(cloud["labels"])
    own = cloud.get("label_set")
    if own is not None:
        table = _renumbering(own, labels, str(path))
        if ids.size and ids[ids != 255].max(initial=0) >= own.num_classes:
            raise AnnotationError(f"{path}: expected label ids below {own.num_classes}, found {ids.max()}; save it again")
        ids = table[ids]
    elif ids.size and ids[ids != 255].max(initial=0) >= labels.num_classes:
        raise AnnotationError(
            f"{path}: expected label ids below {labels.num_classes}, those of {labels.names_text()}, found {ids[ids != 255].max()}; "
            "name them in its labels.json"
        )
    return cloud["points"], ids.astype(np.uint8), cloud.get("world_up", "y")


def _part_reader(parts: PartFolder, names: Mapping[int, str] | None) -> Callable[[Path, LabelSet], ReadPoints]:
    return lambda path, labels: (*read_part_file(path, parts.ids_by_number(labels, names)), "y")


def _common_labels(found: Sequence[FoundClouds], category: str | None) -> LabelSet:
    """The label set of all folders: the first named one, whose names the others share."""
    named = [folder for folder in found if folder.labels is not None]
    if not named:
        parts = find_part_folder(found[0].path, category)
        assert parts is not None  # every other folder names its labels
        return parts.own_labels()
    first = named[0].labels
    assert first is not None
    for folder in named[1:]:
        assert folder.labels is not None
        _renumbering(folder.labels, first, f"{folder.path} beside {named[0].path}")
    return first


def _renumbering(own: LabelSet, labels: LabelSet, where: str) -> NDArray[np.uint8]:
    """uint8 [256]: ids of a label set by those of another of the same names.

    Raises:
        AnnotationError: names that one of them lacks.
    """
    ours, theirs = own.names[1:], labels.names[1:]
    differing = [name for name in (*ours, *theirs) if (name in ours) != (name in theirs)]
    if differing:
        raise AnnotationError(
            f"{where}: expected the labels {', '.join(theirs)}, found {', '.join(ours)}, where {listed(differing, 6)} "
            f"{'differs' if len(differing) == 1 else 'differ'}; rename or merge them"
        )
    table = np.full(256, 255, np.uint8)
    table[0] = 0
    for label in own.labels[1:]:
        table[label.id] = labels.names.index(label.name)
    return table


def checked_cloud(cloud: LabelledCloud, path: Path) -> LabelledCloud:
    """A cloud that can be learned from.

    Raises:
        AnnotationError: it has no points, or none with a part, or places that are none.
    """
    fault = None
    if not len(cloud.points):
        fault = "no points"
    elif not np.isfinite(cloud.points).all():
        fault = counted(int((~np.isfinite(cloud.points).all(axis=1)).sum()), "point") + " without finite coordinates"
    elif not ((cloud.labels != 0) & (cloud.labels != 255)).any():
        fault = "no point with a label of a part"
    if fault:
        raise AnnotationError(f"{path}: expected points with labels to learn from, found {fault}; leave it out")
    return cloud


def file_sha256(path: Path) -> str:
    """Of a file's content."""
    return hashlib.sha256(read_regular_bytes(path)).hexdigest()
