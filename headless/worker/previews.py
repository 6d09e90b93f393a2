"""The method that follows a moving view: a quick picture at once, then the whole one."""

from __future__ import annotations

import time
from typing import Any

from dnerf_core.work.interruption import interruptible
from headless import models
from headless.work.workers import preview_threads
from headless.worker.held import HeldModels
from headless.worker.jobs import CancelledError, Job
from headless.worker.params import Params
from headless.worker.views import put_view

QUICK_S = 0.1
"""A model whose whole view took no longer needs no coarse one before it, unless its subject has to be made first."""


def preview(job: Job, held: HeldModels) -> dict[str, Any]:
    """Image and mask from a camera, for the eye: torch's threads share the view, so last bits may differ from `render`'s."""
    params = Params(job.params)
    name, chosen, pose = params.text("model"), params.subject(), params.pose()
    _, camera = params.part("camera").camera()
    size = params.size_px()
    params.close()
    job.check()
    holder = held.get(name)
    key = held.key(chosen, pose)
    coarse_first = holder.fine_s is None or holder.fine_s > QUICK_S or not holder.holds(key)
    subject = holder.subject(key)
    size_px = size or holder.model.config.image_size
    if coarse_first:
        side_px = min(size_px, max(1, holder.model.config.rays.neural_resolution // 2))
        job.check()
        with models.threads_a_view(preview_threads()):
            coarse = subject.coarse(camera, side_px)
        job.part(kind="coarse", size_px=side_px, **put_view(job, coarse))

    def still_wanted() -> None:
        job.check()
        if coarse_first and job.superseded.is_set():
            raise CancelledError("superseded by a newer preview")

    started = time.monotonic()
    with interruptible(still_wanted), models.threads_a_view(preview_threads()):
        view = subject.channels(camera, size_px, ("rgb", "mask"))
    holder.fine_s = time.monotonic() - started
    return {"kind": "fine", "size_px": size_px, **put_view(job, view)}
