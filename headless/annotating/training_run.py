"""Running a planned training: from the kept state, if one was interrupted, to the model file."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.files.whole import remove_files
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch
from headless import models
from headless.annotating import training_state
from headless.annotating.held_out import score_and_draw
from headless.annotating.suspected_masks import check_masks
from headless.annotating.trained_model import check_places, save_trained, training_record, with_branch
from headless.annotating.training_state import KeptState

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.semantic.training import TrainedBranch, TrainingProgress
    from dnerf_core.subject import Subject
    from dnerf_core.subject_key import SubjectKey
    from headless.annotating.training_plan import TrainingPlan
    from headless.work.reporting import Reporter

_STEPS_AN_EVENT = 10


def run_training(plan: TrainingPlan, reporter: Reporter) -> dict[str, Any]:
    """Train, score, and write the picture grid and the model file; returns the training record.

    Raises:
        DNeRFError: a mask that a strict call refuses, a state file of another call, a model that cannot be used, a loss that explodes,
            or a result that cannot be written.
    """
    started = time.monotonic()
    state_file = training_state.state_path(plan.call.output)
    check_places(plan)
    kept = training_state.read_state(state_file, plan.identity())
    model = models.load_model(plan.model_name, plan.call.device)
    check_masks(plan.annotations.images, model, reporter, strict=plan.call.strict)
    seconds_before = 0.0 if kept is None else kept.seconds
    trained = _train(plan, model, kept, reporter, lambda: seconds_before + time.monotonic() - started)
    labelled, stored = with_branch(plan, model, trained.branch)
    scores = score_and_draw(plan, labelled, reporter)
    record = training_record(plan, trained, scores, seconds_before + time.monotonic() - started)
    save_trained(plan, labelled, record, stored)
    remove_files([state_file])
    return record


def _train(
    plan: TrainingPlan, model: Model, kept: KeptState | None, reporter: Reporter, seconds: Callable[[], float]
) -> TrainedBranch:
    identity, state_file = plan.identity(), training_state.state_path(plan.call.output)
    subjects = list(dict.fromkeys(image.subject for image in plan.trained_images))
    index = {subject: position for position, subject in enumerate(subjects)}
    opened = [opened_subject(subject, model) for subject in subjects]
    views = [
        AnnotatedView(index[image.subject], image.camera.cam2world, image.camera.intrinsics, image.mask)
        for image in plan.trained_images
    ]
    with contextlib.ExitStack() as bars:
        follower = _Follower(reporter, bars, plan.call.learning_rate)
        return train_branch(
            model.generator,
            torch.cat([subject.ws for subject in opened]),
            views,
            plan.semantic,
            plan.training,
            poses=[subject.pose for subject in opened] if any(subject.pose is not None for subject in opened) else None,
            progress=follower.progress,
            preparing=follower.preparing,
            checkpoint=lambda state: training_state.write_state(state_file, identity, KeptState(state, seconds())),
            resume=None if kept is None else kept.state,
        )


def opened_subject(key: SubjectKey, model: Model) -> Subject:
    """A subject in its pose, of the generator as it is.

    Raises:
        CheckpointError: its file has tuned weights, or a shape of its own.
    """
    subject = key.open(model)
    if subject.model is not model:
        raise CheckpointError(
            f"{key.title}: expected a subject of the generator as it is, found tuned weights; sample without it"
        )
    if subject.shape is not None:
        raise CheckpointError(f"{key.title}: expected a subject of its latents' shape, found another; sample without it")
    return subject


class _Follower:
    """Tells how a training gets on: a bar for the views it prepares, then one for the steps, or events."""

    def __init__(self, reporter: Reporter, bars: contextlib.ExitStack, learning_rate: float) -> None:
        self.reporter, self.bars, self.learning_rate = reporter, bars, learning_rate
        self._advance: Callable[[], None] | None = None
        self._stepping = False

    def preparing(self, done: int, total: int) -> None:
        if self._advance is None:
            self._advance = self.bars.enter_context(self.reporter.progress("views prepared", total))
        self._advance()

    def progress(self, now: TrainingProgress) -> None:
        if not math.isfinite(now.loss):
            raise UsageError(
                f"--learning-rate {self.learning_rate:g}: expected a loss that falls, found {now.loss} at step {now.step}; "
                "use a lower one"
            )
        if not self._stepping:
            self.bars.close()  # one bar at a time
            self._advance = self.bars.enter_context(self.reporter.progress("steps", now.steps - now.step + 1))
            self._stepping = True
        if now.step % _STEPS_AN_EVENT == 0 or now.step == now.steps:
            self.reporter.event("step", step=now.step, steps=now.steps, loss=round(now.loss, 6))
        assert self._advance is not None
        self._advance()
