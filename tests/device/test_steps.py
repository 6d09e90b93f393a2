"""Steps of training, inversion, tuning and editing on a device: the host waits to report, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dnerf_core.camera import Camera
from dnerf_core.convolutions.forms import FLOAT32
from dnerf_core.editing.edit import edit_subject
from dnerf_core.editing.settings import EditSettings
from dnerf_core.inversion.descent import Progress
from dnerf_core.inversion.invert import TUNING, invert_mask, invert_picture
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.model import Model
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.semantic.config import BranchTrainingConfig, SemanticConfig
from dnerf_core.semantic.training import train_branch
from tests.core import inversion_cases
from tests.core.semantic_cases import tiny_generator, tiny_views, tiny_ws
from tests.device.audit import DEVICE, Log, no_device
from tests.device.models import moved, worm

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = InversionSettings(steps=12, candidates=6, starts=2)
LOSS, ANGLES = 1, 1
"""Waits to report: the losses of a step, and where the best guess is seen from, which only a watcher asks for."""


class Steps:
    """A watcher that notes how often the host waited between two steps of one stage, and that nothing was mixed."""

    def __init__(self, log: Log) -> None:
        self.log, self.waits = log, dict[str, list[int]]()
        self._last: tuple[str, int] | None = None

    def __call__(self, progress: Progress) -> bool:
        self.passed(progress.stage)
        return True

    def passed(self, stage: str) -> None:
        """A step of a stage is done."""
        assert self.log.of("mixed", "numpy") == [], self.log.table()
        waits = len(self.log.of("wait"))
        if self._last is not None and self._last[0] == stage:
            self.waits.setdefault(stage, []).append(waits - self._last[1])
        self._last = stage, waits

    def settled(self) -> dict[str, int]:
        """Waits of a step of each stage, once the room for its samples is known; a step that is made twice reads its losses twice."""
        return {stage: min(counts) for stage, counts in self.waits.items()}


@pytest.mark.parametrize(("patch", "waits"), [(None, LOSS), (16, LOSS + 2)])
def test_a_training_step_waits_for_its_loss(patch: int | None, waits: int) -> None:
    """And with patches once for each of its two views, whose samples have to be counted. The losses are the CPU's."""
    generator = tiny_generator()
    ws = tiny_ws(generator, 2)
    views = tiny_views(generator, ws, [-0.4, 0.4], SemanticConfig())
    training = BranchTrainingConfig(steps=3, seed=3, patch=patch)
    expected = train_branch(generator, ws, views, SemanticConfig(), training)
    with no_device() as log:
        steps = Steps(log)
        found = train_branch(
            generator.to(DEVICE),
            ws.to(DEVICE),
            views,
            SemanticConfig(),
            training,
            progress=lambda progress: steps.passed("training"),
        )
    assert steps.settled() == {"training": waits}, log.table("wait")
    assert found.losses == pytest.approx(expected.losses, rel=1e-3)


def seen_model() -> tuple[Model, Camera, LabeledView]:
    model = inversion_cases.tiny_model()
    model.convolutions = FLOAT32
    camera = inversion_cases.front(model)
    return model, camera, model.subject(2).render(camera)


@pytest.mark.parametrize("known", [False, True])
def test_a_step_of_an_inversion_waits_to_report(known: bool) -> None:
    model, camera, view = seen_model()
    settings = InversionSettings(**{**vars(SETTINGS), "tuning_steps": 3})
    with no_device() as log:
        steps = Steps(log)
        found = invert_picture(moved(model), view.rgb, settings, camera=camera if known else None, watch=steps)
    waits = steps.settled()
    assert waits.pop(TUNING) == LOSS, log.table("wait")
    assert len(waits) > 1 and set(waits.values()) == {LOSS + ANGLES}, log.table("wait")
    assert np.isfinite([loss for stage in found.losses for loss in stage.losses]).all()


def test_a_step_towards_a_mask_waits_to_report() -> None:
    model, camera, view = seen_model()
    assert view.mask is not None
    with no_device() as log:
        steps = Steps(log)
        invert_mask(moved(model), view.mask, SETTINGS, camera=camera, watch=steps)
    assert set(steps.settled().values()) == {LOSS + ANGLES}, log.table("wait")


def test_a_step_of_an_edit_waits_to_report() -> None:
    model, camera, view = seen_model()
    assert view.mask is not None
    mask = view.mask.copy()
    mask[40:60, 40:60] = (mask[50, 50] + 1) % 5
    with no_device() as log:
        steps = Steps(log)
        edited = edit_subject(moved(model).subject(2), camera, mask, EditSettings(steps=6), watch=steps)
    assert set(steps.settled().values()) == {LOSS + ANGLES}, log.table("wait")
    assert edited.losses[-1] < edited.losses[0]


Run = Callable[[Model, Camera, LabeledView], list[float]]


def losses_of_a_mask(model: Model, camera: Camera, view: LabeledView) -> list[float]:
    assert view.mask is not None
    [first, *_] = invert_mask(model, view.mask, SETTINGS, camera=camera)
    return [loss for stage in first.losses for loss in stage.losses]


def losses_of_a_picture(model: Model, camera: Camera, view: LabeledView) -> list[float]:
    found = invert_picture(model, view.rgb, SETTINGS, camera=camera)
    return [loss for stage in found.losses for loss in stage.losses]


@pytest.mark.parametrize("run", [losses_of_a_mask, losses_of_a_picture])
def test_the_first_losses_of_a_search_are_the_cpus(run: Run) -> None:
    """Later ones part, as those of any two orders of summation do."""
    model, camera, view = seen_model()
    expected = run(model, camera, view)
    with no_device():
        found = run(moved(model), camera, view)
    assert len(found) == len(expected)
    assert found[:3] == pytest.approx(expected[:3], rel=1e-3)


def test_a_body_whose_pose_is_known_is_looked_for_without_mixing() -> None:
    model = worm("closest")
    model.branch = None
    camera = inversion_cases.front(model)
    view = model.subject(2).channels(camera, channels=("rgb",))
    assert view.rgb is not None
    pose = torch.zeros(1, *model.config.latent.pose_shape or ())
    with no_device() as log:
        steps = Steps(log)
        invert_picture(moved(model), view.rgb, SETTINGS, camera=camera, pose=pose.to(DEVICE), watch=steps)
    assert log.of("mixed", "numpy") == [], log.table()
