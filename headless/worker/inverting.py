"""The method that recovers a subject: from a photo, or from a mask alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dnerf_core.work.interruption import interruptible
from headless.searches.calls import InvertCall
from headless.worker.held import HeldModels
from headless.worker.jobs import Job
from headless.worker.params import Params
from headless.worker.searches import chosen_output, watch_of, write_result

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("yaw", "pitch", "space", "starts", "candidates", "steps", "prior", "perceptual_weight", "tuning", "seed", "snap_colors")
"""Of the call, by the same names in a request."""


def invert(job: Job, held: HeldModels) -> dict[str, Any]:
    """The subject of a photo or of a mask, written as a subject file, and where it was seen from."""
    from headless.searches.recovering import Recovery, Tools

    started = time.monotonic()
    params = Params(job.params)
    output = chosen_output(params)
    call = invert_call(params, held.device, output)
    params.close()
    recovery = Recovery.checked(call)
    (picture,) = recovery.pictures
    holder = held.get(call.model_name)
    tools = Tools.load(holder.model, call.perceptual_file, holder.w_statistics(call.seed))
    with interruptible(job.check):
        (inversion,) = recovery.find(picture, tools, watch_of(job))
        scored = recovery.score(picture, inversion)
    write_result(job, output, recovery.record(picture, scored, None, holder.model))
    poor = recovery.poor(scored.scores, inversion.finished)
    return {
        "subject_file": str(output),
        "camera": inversion.camera.to_json(),
        **scored.scores,
        "finished": inversion.finished,
        "seconds": round(time.monotonic() - started, 3),
        "warnings": [note for note in (picture.note, poor) if note is not None],
    }


def invert_call(params: Params, device: str, output: Path) -> InvertCall:
    """The call that a request means."""
    return InvertCall(
        pictures=(params.path("photo"),),
        model_name=params.text("model"),
        kind=params.field(InvertCall, "kind"),
        camera=params.camera_or_none("camera"),
        pose=params.path("pose", None),
        perceptual_file=params.path("perceptual_file", None),
        device=device,
        output=output.parent,
        **params.fit(),
        **params.fields(InvertCall, *FIELDS),
    )
