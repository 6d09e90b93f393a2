"""What `sample` wrote down of an annotated folder: its record and its labels."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnerf_core.errors import AnnotationError, brief, json_fault
from dnerf_core.files.names import LABELS_NAME, RECORD_FORMAT, RECORD_NAME, RECORD_VERSION, view_name
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import LabelSet
from dnerf_core.limits import MAX_RESOLUTION, MAX_TRUNCATION, MAX_VIEWS, MAX_VIEWS_A_CALL, MIN_RESOLUTION
from dnerf_core.ranges import Degrees
from dnerf_core.seeds import parse_seeds
from dnerf_core.subject_key import SubjectFile, SubjectKey, recorded_files


@dataclass(frozen=True)
class FolderPlan:
    """What is read of a folder's record.

    Attributes:
        yaw_deg, pitch_deg: ranges that the views were planned in, degrees.
    """

    model: str
    generator_sha256: str
    seeds: tuple[int, ...]
    views: int
    truncation: float
    size_px: int
    files: tuple[SubjectFile, ...]
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]

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
    return LabelSet.from_json(text_of(path), str(path))


def read_plan(folder: Path) -> FolderPlan:
    """What an annotated folder's record says of its views.

    Raises:
        AnnotationError: it is none, or damaged.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        raise AnnotationError(f"{folder}: expected a folder made by `sample`, found no {RECORD_NAME}; name such a folder")
    try:
        record: Any = without_surrogates(json.loads(text_of(path)))
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
    angles = {key: _range_of(plan, key, path) for key in ("yaw_deg", "pitch_deg")}
    return FolderPlan(
        plan["model"], plan["generator_sha256"], seeds, plan["views"], truncation, plan["resolution_px"], files, **angles
    )


def _range_of(plan: dict[str, Any], key: str, path: Path) -> tuple[float, float]:
    found = Degrees(360.0).take(plan.get(key))
    if found is None:
        raise AnnotationError(
            f"{path}: plan: {key}: expected two angles in degrees, found {brief(plan.get(key))}; restore the file"
        )
    return found


def text_of(path: Path) -> str:
    """The text of a file that `sample` wrote.

    Raises:
        AnnotationError: it cannot be read.
    """
    return read_user_text(path, "a file that `sample` wrote", "restore it, or repeat the sample command", AnnotationError)
