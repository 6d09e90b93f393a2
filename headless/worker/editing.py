"""The method that edits a subject by a repainted mask."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError, brief
from dnerf_core.job_ranges import TRUNCATION
from dnerf_core.subject_key import SubjectKey
from dnerf_core.work.interruption import interruptible
from headless.searches.calls import EditCall
from headless.worker.held import HeldModels
from headless.worker.jobs import Job
from headless.worker.params import Params
from headless.worker.searches import chosen_output, watch_of, write_result

FIELDS = (
    "label_weight",
    "rgb_weight",
    "perceptual_weight",
    "keep_inside",
    "edited_weight",
    "prior",
    "margin",
    "steps",
    "snap_colors",
)
"""Of the call, by the same names in a request."""
SCORES = ("edited_taken", "agreement_inside", "agreement_outside", "psnr_outside_db", "psnr_kept_db")
"""Of those that the subject file keeps, the ones that an answer has as `scores`."""


def edit(job: Job, held: HeldModels) -> dict[str, Any]:
    """The subject whose labels agree with the edited mask, written as a subject file; how well, and what is seen from elsewhere."""
    from headless.searches.recovering import Tools
    from headless.searches.repainting import Repainting

    started = time.monotonic()
    params = Params(job.params)
    fields, pose = edit_fields(params), params.pose()
    mask_name, output = params.text("mask"), chosen_output(params)
    params.close()
    call = EditCall(mask=given_mask(job, mask_name), device=held.device, output=output.parent, **fields)
    key = held.key(call.subject if isinstance(call.subject, Path) else SubjectKey(call.subject, call.truncation), pose)
    repainting = Repainting.checked(call, key, "params: mask")
    settings, holder = repainting.settings, held.get(call.model_name)
    subject = holder.subject(key)
    own = subject.model is holder.model  # one with tuned weights may map to another w
    statistics = holder.w_statistics(settings.statistics_seed) if own else None
    tools = Tools.load(subject.model, call.perceptual_file, statistics, seed=settings.statistics_seed)
    with interruptible(job.check):
        edited = repainting.edit(subject, tools, watch_of(job))
        scores = repainting.scores(edited, repainting.look_round(subject, edited))
    write_result(job, output, repainting.record(edited, scores, holder.model))
    poor = repainting.poor(scores, edited.finished)
    return {
        "subject_file": str(output),
        "scores": {name: scores[name] for name in SCORES},
        "other_views": scores["other_views"],
        "finished": edited.finished,
        "seconds": round(time.monotonic() - started, 3),
        "warnings": [note for note in (repainting.snapped, poor) if note is not None],
    }


def edit_fields(params: Params) -> dict[str, Any]:
    """The fields of the call that a request means, but for the mask, which is looked for once all of the request is read."""
    subject = params.subject()
    seed, truncation = (subject.seed, subject.truncation) if isinstance(subject, SubjectKey) else (None, TRUNCATION.default)
    return {
        "subject": subject if seed is None else seed,
        "truncation": truncation,
        "camera": params.part("camera").camera()[1],
        "model_name": params.text("model"),
        "perceptual_file": params.path("perceptual_file", None),
        **params.fields(EditCall, *FIELDS),
    }


def given_mask(job: Job, name: str) -> Path | NDArray[np.uint8]:
    """`mask`: an array in the exchange folder by its name, or a mask file by its absolute path.

    Raises:
        UsageError: neither, or no such file.
        OutputError: no such array.
    """
    path = Path(name)
    if not path.is_absolute() and path.suffix == ".npy":
        return job.exchange.take(name)
    if not (path.is_absolute() and path.is_file()):
        raise UsageError(
            f"params: mask: expected an array's name or the absolute path of a file, found {brief(name)}; correct the request"
        )
    return path
