"""What jobs on one subject and given cameras ask for, and how the subject is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import UsageError
from dnerf_core.ranges import Ranged, ranged
from dnerf_core.subject_key import SubjectKey, checked_subject_file
from headless.runs.choices import DEFAULT_MODEL

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.subject import Subject

OpenSubject = Callable[[str, SubjectKey], "Subject"]
"""From a model's name or path and one of its subjects to that subject, which whoever gives the function may have ready."""


@dataclass(frozen=True, kw_only=True)
class OneSubjectCall(Ranged):
    """Of jobs on one subject, seen from given cameras.

    Attributes:
        model_name: an embedded model's name, or a file.
        subject: which one, such as `SubjectKey(seed=3, truncation=1.0)`, or the path of a subject file.
        cameras: at least one.
        resolution: side of the views, pixels; None: the model's own.
        workers: views rendered side by side; None: `headless.work.workers.default_workers`.
        exact: see `dnerf_core.subject.Subject.channels`.
    """

    model_name: str = DEFAULT_MODEL
    subject: SubjectKey | Path
    cameras: Sequence[Camera]
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    device: str = ranged(job_ranges.DEVICE)
    workers: int | None = ranged(job_ranges.WORKERS)
    exact: bool = ranged(job_ranges.OFF)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.cameras:
            raise UsageError("cameras: expected at least one, found none; say where the subject is seen from")


def opened_subject(call: OneSubjectCall, open_subject: OpenSubject | None) -> tuple[SubjectKey, Subject]:
    """The subject of a call.

    Args:
        open_subject: gives it; None: it is opened for this call alone, and so is its model.

    Raises:
        UsageError: no such device.
        CheckpointError: the model's file or the subject's cannot be used, or they do not go together.
    """
    from headless import models

    chosen = call.subject
    if isinstance(chosen, SubjectKey) and open_subject is not None:
        return chosen, open_subject(call.model_name, chosen)
    facts = model_facts.describe_model(call.model_name)
    key = chosen if isinstance(chosen, SubjectKey) else SubjectKey(0, 1.0, checked_subject_file(chosen, facts.path))
    if open_subject is not None:
        return key, open_subject(call.model_name, key)
    model = models.load_model(call.model_name, call.device, exact=call.exact)
    with models.one_thread_a_view():
        return key, key.open(model)
