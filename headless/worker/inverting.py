"""The method that recovers a subject: from a photo, or from a mask alone."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import UsageError
from dnerf_core.files.photos import Photo, background_color, read_label_mask, read_photo
from dnerf_core.interruption import interruptible
from dnerf_core.inversion.settings import SPACES, InversionSettings
from dnerf_core.seeds import MAX_SEED
from headless.searches.likeness import poor_likeness
from headless.worker.held import HeldModel, HeldModels
from headless.worker.jobs import Job
from headless.worker.params import Params
from headless.worker.searches import MAX_STEPS, chosen_output, finite, watch_of, write_found

if TYPE_CHECKING:
    from pathlib import Path

    from dnerf_core.files.squares import Fit
    from dnerf_core.inversion.invert import Inversion
    from dnerf_core.labels import LabelSet

KINDS = ("image", "mask")


def invert(job: Job, held: HeldModels) -> dict[str, Any]:
    """The subject of a photo or of a mask, written as a subject file, and where it was seen from."""
    started = time.monotonic()
    params = Params(job.params)
    name, photo_path, kind = params.text("model"), params.path("photo"), params.choice("from", KINDS, "image")
    fit, settings, output = params.fit(), chosen_settings(params), chosen_output(params)
    params.close()
    holder = held.get(name)
    settings = settings.within(holder.model.config.cameras)
    scores: dict[str, float | None]
    notes: list[str] = []
    with interruptible(job.check):
        if kind == "image":
            photo = sized_photo(holder, photo_path, fit)
            found = _of_picture(job, holder, photo, settings)
            scores = {"psnr_db": finite(found.psnr_db(photo.rgb))}
            notes = [] if photo.note is None else [photo.note]
        else:
            found, miou = _of_mask(job, holder, photo_path, fit, settings)
            scores = {"miou": miou}
    made = {
        "kind": kind,
        "source": photo_path.name,
        "settings": dataclasses.asdict(settings),
        "scores": scores,
        "finished": found.finished,
    }
    write_found(job, output, holder.model, found.subject, found.camera, made, found.tuned)
    told = {
        "yaw_deg": found.yaw_deg,
        "pitch_deg": found.pitch_deg,
        "psnr_db": scores.get("psnr_db"),
        "miou": scores.get("miou"),
    }
    poor = poor_likeness(holder.model.config.name, told) if found.finished else None
    return {
        "subject_file": str(output),
        "camera": found.camera.to_json(),
        **told,
        "finished": found.finished,
        "seconds": round(time.monotonic() - started, 3),
        "warnings": notes if poor is None else [*notes, poor],
    }


def chosen_settings(params: Params) -> InversionSettings:
    """The settings among the params, with None for directions that are not given.

    Raises:
        UsageError: one that is out of range.
    """
    usual = InversionSettings()
    settings = InversionSettings(
        space=params.choice("space", SPACES, usual.space),  # type: ignore[arg-type]
        yaw_deg=params.range("yaw", 180.0, None),
        steps=params.whole("steps", 1, MAX_STEPS, None),
        tuning_steps=params.whole("tuning_steps", 0, MAX_STEPS, usual.tuning_steps),
        seed=params.whole("seed", 0, MAX_SEED, usual.seed),
    )
    settings.check()
    return settings


def sized_photo(holder: HeldModel, path: Path, fit: Fit) -> Photo:
    """The photo at the model's size.

    Raises:
        PhotoError, UsageError: see `dnerf_core.files.photos.read_photo`.
    """
    config = holder.model.config
    return read_photo(path, config.image_size, fit, background_color(config.rays.white_back))


def known_labels(holder: HeldModel) -> LabelSet:
    """The model's labels.

    Raises:
        UsageError: it has none.
    """
    if holder.model.labels is None or holder.model.branch is None:
        raise UsageError(
            f"mask: expected a model with a semantic branch, found none in {holder.model.config.name}; train one first"
        )
    return holder.model.labels


def _of_picture(job: Job, holder: HeldModel, photo: Photo, settings: InversionSettings) -> Inversion:
    from dnerf_core.inversion.invert import invert_picture

    return invert_picture(holder.model, photo.rgb, settings, statistics=holder.w_statistics(settings.seed), watch=watch_of(job))


def _of_mask(job: Job, holder: HeldModel, path: Path, fit: Fit, settings: InversionSettings) -> tuple[Inversion, float]:
    """The inversion of a mask, and its labels' mIoU with the mask."""
    from dnerf_core.inversion.invert import invert_mask

    mask = read_label_mask(path, holder.model.config.image_size, fit, known_labels(holder))
    (found,) = invert_mask(holder.model, mask, settings, statistics=holder.w_statistics(settings.seed), watch=watch_of(job))
    return found, found.miou(mask)
