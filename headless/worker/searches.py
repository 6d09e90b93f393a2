"""What the methods that search for a subject share: telling how far they are, ending with the best so far, and the file they write."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.checkpoints.subject_file import write_subject_file
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import check_writable
from headless.worker.jobs import Job
from headless.worker.params import Params

if TYPE_CHECKING:
    from dnerf_core.checkpoints.subject_file import SubjectRecord
    from dnerf_core.inversion.descent import Progress, Watch

PICTURE_STEPS = 4
"""A picture of the current state comes with the first step, every so many after it, and the last."""


def chosen_output(params: Params) -> Path:
    """`output`: where the subject file will be. It replaces nothing: a subject that is edited again and again stays step by step.

    Raises:
        UsageError: a name that does not end in .safetensors, or of a file that is there.
        OutputError: it cannot be written.
    """
    path = params.path("output")
    if path.suffix != ".safetensors":
        raise UsageError(f"params: output: expected a name that ends in .safetensors, found {path.name[:80]!r}; rename it")
    if path.exists():
        raise UsageError(f"params: output: expected a new file, found one at {path}; choose another name")
    check_writable(path)
    return path


def watch_of(job: Job) -> Watch:
    """Tells the client of every step, with a picture every few; False once the client wants the best so far.

    Raises:
        CancelledError: from the call, where the job is not wanted any more.
    """
    from dnerf_core.rendering.final_picture import to_uint8

    def watch(progress: Progress) -> bool:
        job.progress(progress.step, progress.steps, f"steps, {progress.stage}, loss {progress.loss:.4g}")
        if progress.step % PICTURE_STEPS == 1 or progress.step == progress.steps:
            job.part(
                stage=progress.stage,
                step=progress.step,
                steps=progress.steps,
                loss=finite(progress.loss),
                yaw_deg=progress.yaw_deg,
                pitch_deg=progress.pitch_deg,
                rgb=job.exchange.put(to_uint8(progress.image[None], progress.image.shape[-1])[0]),
            )
        return not job.finishing.is_set()

    return watch


def finite(value: float) -> float | None:
    """A number as JSON has it: None stands for what is no number, such as a loss that went astray."""
    return value if math.isfinite(value) else None


def write_result(job: Job, path: Path, record: SubjectRecord) -> None:
    """The subject file, unless the job was cancelled meanwhile.

    Raises:
        CancelledError: it was.
        UsageError: a file of that name has been made meanwhile.
        OutputError: it cannot be written.
    """
    job.check()
    if path.exists():
        raise UsageError(f"params: output: expected a new file, found one at {path} that was made meanwhile; choose another name")
    write_subject_file(path, record)
