"""What one call of `train-pointnet` trains: which clouds, by which recipe. All of it is checked before any is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerf_core import job_ranges
from dnerf_core.errors import AnnotationError, UsageError, counted, listed
from dnerf_core.limits import MAX_SEED, MAX_SUBJECTS
from dnerf_core.ranges import Choice, Number, Ranged, Share, Whole, ranged

if TYPE_CHECKING:
    from dnerf_core.downstream.points.sets.labelled_clouds import CloudSets, LabelledCloud
    from dnerf_core.labels import LabelSet

NETWORKS = ("pointnet-small", "pointnet", "pointnet2-small", "pointnet2")
WITH_ONNX = ("pointnet-small", "pointnet")
"""Networks without loops over points, whose number may then stay free in an ONNX file."""
MAX_REPEAT = 10_000
UPS = ("x", "y", "z", "-x", "-y", "-z")


@dataclass(frozen=True, kw_only=True)
class TrainPointnetCall(Ranged):
    """What one call of `train-pointnet` asks for.

    Attributes:
        folders: of clouds, see `labelled_clouds.read_cloud_sets`.
        category: of folders of ShapeNetPart; None: the only one there.
        repeat: how many times the clouds of each folder count where a batch draws from all of them; None: once.
        validation: see `validated_subjects`.
        onnx: a second file for other programs; None: none.
    """

    folders: tuple[Path, ...]
    output: Path
    network: str = ranged(Choice(NETWORKS, "pointnet-small", "Train this network: small ones of our own, or the papers' widths."))
    recipe: Literal["aligned", "scans"] = ranged(
        Choice(
            ("aligned", "scans"),
            "scans",
            "Train for clouds that all stand and face alike (aligned), or for scans of any heading, with holes and strays (scans).",
        )
    )
    points: int = ranged(Whole(16, 65536, 1024, "Show the network N points of a cloud at a time."))
    batch: int = ranged(Whole(2, 1024, 16, "Show N clouds a step."))
    steps: int = ranged(Whole(1, 1_000_000, 2000, job_ranges.TRAIN_STEPS.text))
    learning_rate: float = ranged(Number(1e-7, 1.0, 0.003))
    seed: int = ranged(Whole(0, MAX_SEED, 0))
    validation: float | None = ranged(Share(MAX_SUBJECTS))
    mix: Literal["clouds", "folders"] = ranged(
        Choice(
            ("clouds", "folders"),
            "clouds",
            "Draw evenly from all clouds, or from each folder as many, however few it has (folders).",
        )
    )
    repeat: tuple[int, ...] | None = None
    up: Literal["x", "y", "z", "-x", "-y", "-z"] | None = ranged(Choice(UPS))
    category: str | None = None
    allow_missing_classes: bool = ranged(job_ranges.OFF)
    precision: Literal["auto", "float32", "bfloat16"] = ranged(
        Choice(("auto", "float32", "bfloat16"), "auto", "Multiply in this number format; auto measures which is faster here.")
    )
    onnx: Path | None = None
    device: str = ranged(job_ranges.DEVICE)


@dataclass(frozen=True, eq=False)
class PointPlan:
    """A checked call.

    Attributes:
        sets: what the folders hold.
        training: clouds of each group that a batch draws from evenly; those that are repeated come as many times.
        validation: clouds that are scored and not trained on.
        remarks: what the user should know, one line each.
    """

    call: TrainPointnetCall
    sets: CloudSets
    training: tuple[tuple[LabelledCloud, ...], ...]
    validation: tuple[LabelledCloud, ...]
    remarks: tuple[str, ...]

    @property
    def labels(self) -> LabelSet:
        """What the clouds' ids mean."""
        return self.sets.labels

    @property
    def clouds_trained(self) -> int:
        """How many clouds are trained on."""
        return len(self.trained)

    @cached_property
    def trained(self) -> tuple[LabelledCloud, ...]:
        """The clouds that are trained on, each once."""
        return tuple(dict.fromkeys(cloud for group in self.training for cloud in group))

    def message_fields(self) -> dict[str, Any]:
        """What the first and the last message say of the call."""
        return {
            "command": "train-pointnet",
            "output": str(self.call.output),
            "network": self.call.network,
            "recipe": self.call.recipe,
            "clouds": self.clouds_trained,
            "clouds_validation": len(self.validation),
            "steps": self.call.steps,
        }

    @cached_property
    def folder_sums(self) -> tuple[str, ...]:
        """A hash of each folder's clouds."""
        return tuple(self.sets.folder_sha256(index) for index in range(len(self.sets.folders)))

    def identity(self) -> dict[str, Any]:
        """All that decides the result, by the words in which a message names it."""
        call = self.call
        repeated = {} if call.repeat is None else {"--repeat": list(call.repeat)}
        return {
            **repeated,
            "the clouds": list(self.folder_sums),
            "--validation": sorted(f"{cloud.folder}/{cloud.name}" for cloud in self.validation),
            "the labels": self.labels.to_json(),
            "--up": call.up,
            **{f"--{name.replace('_', '-')}": getattr(call, name) for name in ("network", "recipe", "points", "batch", "steps")},
            **{f"--{name.replace('_', '-')}": getattr(call, name) for name in ("learning_rate", "seed", "mix", "precision")},
        }

    def identity_sha256(self) -> str:
        """A hash of the identity."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


def plan_points(call: TrainPointnetCall) -> PointPlan:
    """Read the folders of a call.

    Raises:
        DNeRFError: folders or labels that cannot be used, nothing left to train on, or options that do not go together.
    """
    from dnerf_core.downstream.points.sets.labelled_clouds import read_cloud_sets

    if call.output.suffix.lower() != ".safetensors":
        raise UsageError(f"--output {call.output}: expected a name that ends in .safetensors, found another; rename it")
    _check_onnx(call)
    _check_repeat(call)
    sets = read_cloud_sets(call.folders, call.category)
    validated = validated_subjects(sets.clouds, call.validation)
    tested = {cloud.subject for cloud in sets.clouds if cloud.split == "test"} - validated
    validation = tuple(cloud for cloud in sets.clouds if cloud.subject in validated and cloud.split != "test")
    kept = [cloud for cloud in sets.clouds if cloud.subject not in validated | tested]
    if not kept:
        raise UsageError("CLOUDS: expected clouds to train on beside those for validation and testing, found none; add some")
    remarks = [*sets.remarks]
    if tested:
        remarks.append(f"{counted(len(tested), 'subject')} of a split for testing left out")
    named = {cloud.subject for cloud in sets.clouds if cloud.split in ("validation", "test")}
    elsewhere = [cloud.name for cloud in sets.clouds if cloud.split == "train" and cloud.subject in named]
    if elsewhere:
        remarks.append(f"left out of the training, for validation or testing has their subjects, too: {listed(elsewhere, 3)}")
    if call.mix == "folders":
        groups = [tuple(cloud for cloud in kept if cloud.folder == folder) for folder in range(len(sets.folders))]
        empty = [str(folder) for folder, group in zip(sets.folders, groups, strict=True) if not group]
        if empty:
            raise UsageError(f"--mix folders: expected clouds to train on in each folder, found none in {empty[0]}; leave it out")
    else:
        times = call.repeat or (1,) * len(sets.folders)
        groups = [tuple(cloud for cloud in kept for _ in range(times[cloud.folder]))]
    if not call.allow_missing_classes:
        _check_classes(kept, sets.labels)
    return PointPlan(call, sets, tuple(groups), validation, tuple(remarks))


def validated_subjects(clouds: Sequence[LabelledCloud], share: float | None) -> set[str]:
    """The subjects that are scored and not trained on: those in a split for validation, and of the others a share.

    Args:
        share: below 1 a share of the subjects that are in no split for validation or testing (at least one of them, unless it is 0), else
            a number, at even steps in the folders' order; None: none where there is a split for validation, else a tenth, rounded, and at
            least one, of 3 or more.

    Raises:
        UsageError: none would be left to train on.
    """
    named = {cloud.subject for cloud in clouds if cloud.split == "validation"}
    taken = named | {cloud.subject for cloud in clouds if cloud.split == "test"}
    others = list(dict.fromkeys(cloud.subject for cloud in clouds if cloud.subject not in taken))
    count = len(others)
    if share is None:
        chosen = max(1, round(count / 10)) if count >= 3 and not named else 0
    elif share < 1:
        chosen = max(1, round(count * share)) if share else 0
    else:
        chosen = int(share)
    if chosen and chosen >= count:
        raise UsageError(
            f"--validation: expected at least one of {counted(count, 'subject')} left to train on, found none; hold out fewer"
        )
    return named | {others[int((k + 0.5) * count / chosen)] for k in range(chosen)}


def _check_onnx(call: TrainPointnetCall) -> None:
    if call.onnx is None:
        return
    if call.network not in WITH_ONNX:
        raise UsageError(
            f"--onnx: expected --network {' or '.join(WITH_ONNX)}, found {call.network}, whose farthest-point sampling is a loop that "
            "ONNX files keep for one number of points alone; leave --onnx out"
        )
    if call.onnx.suffix.lower() != ".onnx":
        raise UsageError(f"--onnx {call.onnx}: expected a name that ends in .onnx, found another; rename it")
    from dnerf_core.downstream.onnx_writing import require_onnx

    require_onnx()


def _check_repeat(call: TrainPointnetCall) -> None:
    if call.repeat is None:
        return
    if call.mix == "folders":
        raise UsageError(
            "--repeat: expected --mix clouds, found folders, of which each gives as many clouds; leave one of them out"
        )
    if len(call.repeat) != len(call.folders):
        raise UsageError(
            f"--repeat: expected a number for each of {counted(len(call.folders), 'folder')}, found {counted(len(call.repeat), 'number')}; "
            "give them in the folders' order"
        )
    strange = [times for times in call.repeat if not 1 <= times <= MAX_REPEAT]
    if strange:
        raise UsageError(f"--repeat: expected whole numbers from 1 to {MAX_REPEAT}, found {strange[0]}; correct it")


def _check_classes(clouds: Sequence[LabelledCloud], labels: LabelSet) -> None:
    """Refuse a part that no cloud to train on has."""
    present = {int(label) for cloud in clouds for label in set(cloud.labels.tolist())}
    missing = [label.name for label in labels.labels[1:] if label.id not in present]
    if missing:
        raise AnnotationError(
            f"clouds to train on: expected every part in some cloud, found none of {', '.join(missing)}; add clouds, choose another "
            "--validation, or go on without with --allow-missing-classes"
        )
