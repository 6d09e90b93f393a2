"""The method that edits a subject by a repainted mask."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError, brief
from dnerf_core.files.masks import read_mask
from dnerf_core.interruption import interruptible
from dnerf_core.subject_key import SubjectKey
from headless.searches.likeness import poor_edit
from headless.worker.held import HeldModel, HeldModels
from headless.worker.inverting import known_labels
from headless.worker.jobs import Job
from headless.worker.params import Params
from headless.worker.searches import MAX_STEPS, chosen_output, finite, watch_of, write_found

if TYPE_CHECKING:
    from torch import Tensor

    from dnerf_core.camera import Camera
    from dnerf_core.editing.edit import Edit
    from dnerf_core.editing.scores import OtherView
    from dnerf_core.editing.settings import EditSettings
    from dnerf_core.perceptual import PerceptualLoss
    from dnerf_core.subject import Subject

MAX_WEIGHT = 1e6
MAX_MARGIN_PX = 1024


def edit(job: Job, held: HeldModels) -> dict[str, Any]:
    """The subject whose labels agree with the edited mask, written as a subject file; how well, and what is seen from elsewhere."""
    started = time.monotonic()
    params = Params(job.params)
    name, chosen = params.text("model"), params.subject()
    _, camera = params.part("camera").camera()
    mask_text, settings = params.text("mask"), chosen_settings(params)
    perceptual_file, output = params.path("perceptual_file", None), chosen_output(params)
    params.close()
    holder, key = held.get(name), held.key(chosen)
    mask = edited_mask(job, holder, mask_text)
    subject = holder.subject(key)
    with interruptible(job.check):
        found = _edited(job, holder, subject, camera, mask, settings, loss_of(holder, settings, perceptual_file))
        others = other_views(subject, found.subject, camera)
    scores = {name: finite(value) for name, value in dataclasses.asdict(found.scores).items()}
    made = {
        "kind": "edit",
        "source": key.title,
        **_origin(key),
        "settings": dataclasses.asdict(settings),
        "scores": scores,
        "finished": found.finished,
    }
    write_found(job, output, holder.model, found.subject, camera, made, tuned_of(key))
    poor = poor_edit(holder.model.config.name, found.scores.edited_taken) if found.finished else None
    return {
        "subject_file": str(output),
        "scores": scores,
        "other_views": [dataclasses.asdict(view) for view in others],
        "finished": found.finished,
        "seconds": round(time.monotonic() - started, 3),
        "warnings": [] if poor is None else [poor],
    }


def chosen_settings(params: Params) -> EditSettings:
    """The settings among the params.

    Raises:
        UsageError: one that is out of range.
    """
    from dnerf_core.editing.settings import EditSettings

    usual = EditSettings()

    def weight(name: str) -> float:
        return params.number(name, 0.0, MAX_WEIGHT, getattr(usual, name))

    settings = EditSettings(
        label_weight=weight("label_weight"),
        rgb_weight=weight("rgb_weight"),
        perceptual_weight=weight("perceptual_weight"),
        keep_inside=weight("keep_inside"),
        margin_px=params.whole("margin_px", 0, MAX_MARGIN_PX, usual.margin_px),
        steps=params.whole("steps", 2, MAX_STEPS, usual.steps),
    )
    settings.check()
    return settings


def loss_of(holder: HeldModel, settings: EditSettings, path: Path | None) -> PerceptualLoss | None:
    """The perceptual loss where the settings weigh it.

    Raises:
        UsageError: a file without a weight.
        CheckpointError: a file that cannot be used.
    """
    if path is None:
        return None  # the engine says what is missing where it is weighed
    if settings.perceptual_weight == 0:
        raise UsageError(
            "params: perceptual_file: expected a perceptual_weight above 0 beside it, found none; give both or neither"
        )
    from dnerf_core.perceptual import PerceptualLoss

    return PerceptualLoss.load(path, holder.model.device)


def edited_mask(job: Job, holder: HeldModel, text: str) -> NDArray[np.uint8]:
    """`mask`: an array in the exchange folder by its name, or a mask file by its absolute path.

    Raises:
        UsageError: neither, no such file, or an array of another kind.
        AnnotationError: a file that is no mask of the model's labels and size.
    """
    labels, size_px = known_labels(holder), holder.model.config.image_size
    path = Path(text)
    if not path.is_absolute() and path.suffix == ".npy":
        array = job.exchange.take(text)
        if array.dtype != np.uint8 or array.shape != (size_px, size_px):
            found = f"{array.dtype} {list(array.shape)}"
            raise UsageError(f"params: mask: expected an array uint8 {[size_px, size_px]}, found {found}; correct the request")
        return array
    if not (path.is_absolute() and path.is_file()):
        raise UsageError(
            f"params: mask: expected an array's name or the absolute path of a file, found {brief(text)}; correct the request"
        )
    return read_mask(path, labels, size_px)


def tuned_of(key: SubjectKey) -> dict[str, Tensor]:
    """The generator's tensors that were tuned for a subject, which stay its own when it is edited."""
    if key.file is None or not key.file.tuned:
        return {}
    from dnerf_core.subject_file import read_subject_file

    return read_subject_file(key.file.path).tuned


def other_views(before: Subject, after: Subject, camera: Camera) -> list[OtherView]:
    """What has changed, seen from three directions beside the painted view."""
    from dnerf_core.editing.scores import TURNS_DEG, change_seen, turned_cameras

    cameras = turned_cameras(camera, before.model.config.cameras)
    return [
        change_seen(before.render(beside), after.render(beside), turn) for beside, turn in zip(cameras, TURNS_DEG, strict=True)
    ]


def _origin(key: SubjectKey) -> dict[str, Any]:
    """What was edited: a seed with its truncation, or a subject file's name."""
    return {"of": key.seed, "truncation": key.truncation} if key.file is None else {"of": key.file.name}


def _edited(
    job: Job,
    holder: HeldModel,
    subject: Subject,
    camera: Camera,
    mask: NDArray[np.uint8],
    settings: EditSettings,
    perceptual: PerceptualLoss | None,
) -> Edit:
    from dnerf_core.editing.edit import edit_subject

    statistics = holder.w_statistics(settings.statistics_seed)
    return edit_subject(subject, camera, mask, settings, perceptual=perceptual, statistics=statistics, watch=watch_of(job))
