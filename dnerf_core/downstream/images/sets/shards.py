"""Data sets in WebDataset shards as `render --format webdataset` writes them: read member by member where they lie, nothing is unpacked."""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.images.sets.labeled_set import LabeledSet, ViewFacts, decoded_ids
from dnerf_core.errors import AnnotationError, UsageError, brief
from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import LabelSet

INDEX_NAME = "index.json"
FOLDER = "webdataset"
MAX_MEMBER_BYTES = 2**30
_IMAGE, _MASK, _ROW = "image.png", "mask.png", "json"
_REMEDY = "render the data set again"


@dataclass(frozen=True)
class _Member:
    """Where a member's bytes lie."""

    shard: Path
    offset: int
    size: int


class ShardSet(LabeledSet):
    """The shards of a data set, split by split.

    Args:
        place: as the call names it.
        indexes: the folder of each split's shards by the split's name, "" of a data set without splits.

    Raises:
        UsageError: an index that cannot be used, a shard that is missing, or views without image and mask.
        AnnotationError: labels that make no set, or differ between splits.
    """

    kind = "webdataset"

    def __init__(self, place: Path, indexes: dict[str, Path]) -> None:
        views: list[ViewFacts] = []
        self._members: list[tuple[_Member, _Member]] = []
        labels: LabelSet | None = None
        for split, folder in indexes.items():
            index = _index(folder)
            found = LabelSet.from_json(index["labels"], f"{folder / INDEX_NAME}: labels")
            if labels is not None and found != labels:
                raise AnnotationError(f"{folder / INDEX_NAME}: expected the labels of the other splits, found others; {_REMEDY}")
            labels = found
            for shard in index["shards"]:
                for name, members in _samples(folder / shard["file"]):
                    self._members.append((members[_IMAGE], members[_MASK]))
                    views.append(ViewFacts(name, _subject(members[_ROW], name), split))
        if labels is None or not views:
            raise UsageError(f"{place}: expected views in its shards, found none; {_REMEDY}")
        super().__init__(place, labels, views)

    def data(self, index: int) -> tuple[bytes, bytes]:
        image, mask = self._members[index]
        return _read(image), _read(mask)

    def mask(self, index: int, data: bytes) -> NDArray[np.uint8]:
        return decoded_ids(data, self.labels, f"{self.place}: {self.views[index].name}: mask")


def shard_folders(path: Path) -> dict[str, Path]:
    """The folders of shards that a path names, by split: itself, the `webdataset` in it, or those of its splits; empty: there are none."""
    if _has_index(path):
        return {"": path}
    if _has_index(path / FOLDER):
        return {"": path / FOLDER}
    found = sorted(index.parent for index in path.glob(f"*/{FOLDER}/{INDEX_NAME}"))
    return {folder.parent.name: folder for folder in found}


def _has_index(folder: Path) -> bool:
    path = folder / INDEX_NAME
    return path.is_file() and any(folder.glob("*.tar"))


def _index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX_NAME
    try:
        index = json.loads(read_user_text(path, "the index of shards", _REMEDY))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected the index of shards, found no JSON; {_REMEDY}") from error
    shards = index.get("shards") if isinstance(index, dict) else None
    if not isinstance(shards, list) or not all(isinstance(shard, dict) and _is_name(shard.get("file")) for shard in shards):
        raise UsageError(f"{path}: expected a list of shards such as views-000000.tar, found {brief(shards)}; {_REMEDY}")
    if "labels" not in index:
        raise UsageError(f"{path}: expected labels of masks, found none; render it with --channels rgb,mask")
    named: dict[str, Any] = index
    return named


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_]+-[0-9]{6}\.tar", value) is not None


def _samples(shard: Path) -> list[tuple[str, dict[str, _Member]]]:
    """The views of a shard with their members, in order."""
    samples: dict[str, dict[str, _Member]] = {}
    try:
        with open_regular(shard) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                name, _, suffix = member.name.partition(".")
                if not member.isreg() or member.size > MAX_MEMBER_BYTES:
                    raise UsageError(
                        f"{shard}: {brief(member.name)}: expected a plain file of a view, found something else; {_REMEDY}"
                    )
                samples.setdefault(name, {})[suffix] = _Member(shard, member.offset_data, member.size)
    except (OSError, tarfile.TarError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{shard}: expected a shard of the data set, it cannot be read: {reason}; {_REMEDY}") from error
    for name, members in samples.items():
        lacks = [suffix for suffix in (_IMAGE, _MASK, _ROW) if suffix not in members]
        if lacks:
            raise UsageError(
                f"{shard}: {brief(name)}: expected an image and a mask, found no {lacks[0]}; render it with --channels rgb,mask"
            )
    return list(samples.items())


def _read(member: _Member) -> bytes:
    try:
        with open_regular(member.shard) as file:
            file.seek(member.offset)
            data = file.read(member.size)
    except OSError as error:
        raise AnnotationError(
            f"{member.shard}: expected a shard, it cannot be read: {error.strerror or error}; {_REMEDY}"
        ) from error
    if len(data) != member.size:
        raise AnnotationError(f"{member.shard}: expected {member.size} bytes at {member.offset}, found {len(data)}; {_REMEDY}")
    return data


def _subject(member: _Member, name: str) -> str:
    """By the view's row: its subject file's name, or its seed."""
    try:
        row = json.loads(_read(member))
        if isinstance(file := row.get("subject_file"), str):
            return f"file {file}"
        return f"seed {int(row['seed'])}"
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{member.shard}: {brief(name)}.json: expected the row of a view, found something else; {_REMEDY}"
        ) from error
