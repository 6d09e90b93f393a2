"""What one call of `train` trains: which views of which generator, with which settings. All of it is checked before any is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import AnnotationError, CheckpointError, UsageError
from dnerf_core.limits import MAX_RESOLUTION, MAX_SEED, MAX_SUBJECTS
from dnerf_core.ranges import Choice, Flag, Number, Ranged, Share, Whole, ranged
from dnerf_core.semantic.config import (
    BranchTrainingConfig,
    FeatureKind,
    GuideKind,
    RefinerConfig,
    SemanticConfig,
    check_patch,
)

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.files.annotated_folder import AnnotatedImage, Annotations
    from dnerf_core.labels import LabelSet
    from dnerf_core.subject_key import SubjectKey

_CHECKPOINT_EVERY = 25
_BRANCH, _TRAINING = SemanticConfig(), BranchTrainingConfig()


PATCH = Whole(
    4, MAX_RESOLUTION, None, "Learn in each step from a random square of N x N rays of a view instead of from all of it."
)


@dataclass(frozen=True, kw_only=True)
class TrainCall(Ranged):
    """What one call of `train` asks for.

    Attributes:
        model_name: None: the model that the first folder was sampled from.
        holdout: see `held_out_subjects`.
    """

    folders: tuple[Path, ...]
    output: Path
    model_name: str | None = None
    steps: int = ranged(job_ranges.TRAIN_STEPS)
    feature_kind: FeatureKind = ranged(Choice(("features", "planes"), _BRANCH.feature_kind))
    scales: Literal["all", "last"] = ranged(Choice(("all", "last"), "all"))
    density_prior: bool = ranged(Flag(_BRANCH.density_prior))
    patch: int | None = ranged(PATCH)
    guide: GuideKind = ranged(Choice(("none", "rendered", "rgb"), _BRANCH.refiner.guide))
    learning_rate: float = ranged(Number(1e-7, 1.0, _TRAINING.learning_rate))
    seed: int = ranged(Whole(0, MAX_SEED, _TRAINING.seed))
    holdout: float | None = ranged(Share(MAX_SUBJECTS))
    skip_unpainted: bool = ranged(job_ranges.OFF)
    allow_missing_classes: bool = ranged(job_ranges.OFF)
    snap_colors: bool = ranged(job_ranges.SNAP_COLORS)
    strict: bool = ranged(job_ranges.OFF)
    device: str = ranged(job_ranges.DEVICE)


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """A checked call.

    Attributes:
        call: its options.
        annotations: what the folders hold.
        held_out: the subjects that are scored and not trained on.
        facts: the model whose generator made the folders' images.
    """

    call: TrainCall
    annotations: Annotations
    held_out: tuple[SubjectKey, ...]
    facts: ModelFacts

    @property
    def labels(self) -> LabelSet:
        """What the masks' ids mean."""
        return self.annotations.labels

    @property
    def model_name(self) -> str:
        """The model that the generator comes from."""
        return self.annotations.model if self.call.model_name is None else self.call.model_name

    @property
    def grid_path(self) -> Path:
        """Where the picture grid goes."""
        return self.call.output.with_name(f"{self.call.output.stem}-grid.png")

    @cached_property
    def trained_images(self) -> list[AnnotatedImage]:
        """The views to train on."""
        return _split(self.annotations.images, self.held_out)[0]

    @cached_property
    def scored_images(self) -> list[AnnotatedImage]:
        """The views of the held-out subjects."""
        return _split(self.annotations.images, self.held_out)[1]

    @property
    def semantic(self) -> SemanticConfig:
        """The branch to train."""
        call = self.call
        return SemanticConfig(
            num_classes=self.labels.num_classes,
            feature_kind=call.feature_kind,
            scales=(self.facts.config.source.scales[-1],) if call.scales == "last" else None,
            density_prior=call.density_prior,
            refiner=RefinerConfig(guide=call.guide),
        )

    @property
    def training(self) -> BranchTrainingConfig:
        """How to train it."""
        call = self.call
        return BranchTrainingConfig(
            steps=call.steps,
            learning_rate=call.learning_rate,
            seed=call.seed,
            patch=call.patch,
            checkpoint_every=_CHECKPOINT_EVERY,
        )

    def message_fields(self) -> dict[str, Any]:
        """What the first and the last message say of the call."""
        return {
            "command": "train",
            "output": str(self.call.output),
            "subjects": len(self.annotations.subjects) - len(self.held_out),
            "views": len(self.trained_images),
            "subjects_held_out": len(self.held_out),
            "views_held_out": len(self.scored_images),
            "steps": self.call.steps,
        }

    def identity(self) -> dict[str, Any]:
        """All that decides the result, by the words in which a message names it."""
        from dnerf_core.backbone.config_json import config_to_json

        training = config_to_json(self.training)
        del training["checkpoint_every"]
        if self.training.patch is None:
            del training["patch"]  # files of before there were patches stay what they are
        return {
            "the annotations or the generator": self.annotations.sha256(),
            "--holdout": [list(subject.identity) for subject in self.held_out],
            "the branch's options": config_to_json(self.semantic),
            "the training's options": training,
        }

    def identity_sha256(self) -> str:
        """A hash of the identity."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


def plan_training(call: TrainCall) -> TrainingPlan:
    """Read the folders of a call and find its model.

    Raises:
        DNeRFError: a folder or a model that cannot be used, or nothing left to train on.
    """
    from headless.annotating.painted import read_painted

    annotations = read_painted(call.folders, skip_unpainted=call.skip_unpainted, snap_colors=call.snap_colors)
    held_out = held_out_subjects(annotations.subjects, call.holdout)
    if not call.allow_missing_classes:
        _check_classes(annotations, held_out)
    facts = matching_model(call.model_name, annotations)
    if call.patch is not None:
        check_patch(call.patch, facts.config)
    return TrainingPlan(call, annotations, held_out, facts)


def held_out_subjects(subjects: Sequence[SubjectKey], holdout: float | None) -> tuple[SubjectKey, ...]:
    """The last subjects, which are scored and not trained on; one in several poses is one subject.

    Args:
        holdout: below 1 a share of the subjects (at least one of them, unless it is 0), else a number; None: a tenth, rounded,
            and at least one, of 3 or more subjects.

    Raises:
        UsageError: none would be left to train on.
    """
    in_poses: dict[SubjectKey, list[SubjectKey]] = {}
    for subject in subjects:
        in_poses.setdefault(subject.unposed, []).append(subject)
    count = len(in_poses)
    if holdout is None:
        chosen = max(1, round(count / 10)) if count >= 3 else 0
    elif holdout < 1:
        chosen = max(1, round(count * holdout)) if holdout else 0
    else:
        chosen = int(holdout)
    if chosen >= count:
        raise UsageError(f"--holdout: expected at least one of {count} subjects left to train on, found none; hold out fewer")
    return tuple(posed for subject in list(in_poses)[count - chosen :] for posed in in_poses[subject])


def _split(images: Sequence[AnnotatedImage], held_out: Sequence[SubjectKey]) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """The views of the other subjects, and those of the held-out ones."""
    kept_out = set(held_out)
    return [image for image in images if image.subject not in kept_out], [image for image in images if image.subject in kept_out]


def _check_classes(annotations: Annotations, held_out: Sequence[SubjectKey]) -> None:
    """Refuse a class that nobody painted, or only in held-out views."""
    from dnerf_core.files.annotated_folder import missing_classes

    where = ", ".join(map(str, annotations.folders))
    unpainted = missing_classes(annotations.images, annotations.labels)
    if unpainted:
        raise AnnotationError(
            f"{where}: expected every class in some mask, found none of {', '.join(unpainted)}; paint it, or go on "
            "without it with --allow-missing-classes"
        )
    untrained = missing_classes(_split(annotations.images, held_out)[0], annotations.labels)
    if untrained:
        raise AnnotationError(
            f"{where}: expected every class in a mask to train on, found {', '.join(untrained)} only in the "
            f"{len(held_out)} held-out subjects; choose another --holdout, or add --allow-missing-classes"
        )


def matching_model(model_name: str | None, annotations: Annotations) -> ModelFacts:
    """The model that a call names, or where it names none that of the folders, refused if its generator did not make their images.

    Raises:
        CheckpointError: it did not, or the file cannot be used, or is gone.
    """
    from dnerf_core.embedded import model_path
    from dnerf_core.files.annotated_folder import check_generator

    name = annotations.model if model_name is None else model_name
    path = model_path(name)
    if model_name is None and not path.exists():
        raise CheckpointError(
            f"{path}: expected the model that {annotations.folders[0]} was sampled from, found no file; "
            "say where it is with --model"
        )
    facts = model_facts.describe_model(name)
    check_generator(annotations, facts.path)
    return facts
