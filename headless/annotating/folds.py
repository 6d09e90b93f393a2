"""Painted subjects divided into folds, each held out once while a branch learns from the others. No torch here."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from dnerf_core.errors import UsageError
from headless.annotating.training_plan import TrainCall, TrainingPlan

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.files.annotated_folder import Annotations
    from dnerf_core.subject_key import SubjectKey


def folds_of(annotations: Annotations, folds: int) -> list[tuple[SubjectKey, ...]]:
    """The subjects of each fold, dealt out in turn; a subject's views are in one fold, in whichever poses they show it.

    Raises:
        UsageError: fewer subjects than folds.
    """
    in_poses: dict[SubjectKey, list[SubjectKey]] = {}
    for subject in annotations.subjects:
        in_poses.setdefault(subject.unposed, []).append(subject)
    if len(in_poses) < folds:
        raise UsageError(
            f"--cross-validate {folds}: expected at least as many painted subjects, found {len(in_poses)}; take fewer folds, or paint more"
        )
    subjects = list(in_poses)
    return [tuple(posed for subject in subjects[fold::folds] for posed in in_poses[subject]) for fold in range(folds)]


def plans_of(
    call: TrainCall, annotations: Annotations, facts: ModelFacts, folds: int, learned_share: float = 1.0
) -> list[TrainingPlan]:
    """The training of each fold: from the subjects of the others, scored on its own.

    Args:
        call: how each is trained; its output is a folder, in which fold 1 is fold-1.safetensors.
        learned_share: of the others' subjects, the first of which are learned from, at least one.

    Raises:
        UsageError: see `folds_of`.
    """
    plans = []
    for number, held_out in enumerate(folds_of(annotations, folds), start=1):
        others = list(dict.fromkeys(subject.unposed for subject in annotations.subjects if subject not in set(held_out)))
        learned = set(others[: max(1, math.floor(len(others) * learned_share + 0.5))])
        images = tuple(
            image for image in annotations.images if image.subject in set(held_out) or image.subject.unposed in learned
        )
        fold_call = dataclasses.replace(call, output=call.output / f"fold-{number}.safetensors")
        plans.append(TrainingPlan(fold_call, dataclasses.replace(annotations, images=images), held_out, facts))
    return plans
