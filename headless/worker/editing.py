"""The method that edits a subject by a repainted mask."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.errors import UsageError, brief
from dnerf_core.files.photos import read_label_mask
from dnerf_core.files.snapping import SnapTally
from dnerf_core.subject_key import SubjectKey
from dnerf_core.work.interruption import interruptible
from headless.searches.calls import EditCall
from headless.worker.held import HeldModels
from headless.worker.jobs import Job
from headless.worker.params import Params
from headless.worker.searches import chosen_output, watch_of, write_found

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts

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
    from headless.searches.recovering import Repainting, Tools, check_editing

    started = time.monotonic()
    params = Params(job.params)
    chosen, mask_text, output = params.subject(), params.text("mask"), chosen_output(params)
    _, camera = params.part("camera").camera()
    call = edit_call(params, chosen, mask_text, held.device, output)
    params.close()
    settings, facts = check_editing(call)
    key = held.key(chosen)
    snap = SnapTally() if call.snap_colors else None
    mask, mask_sha256 = edited_mask(job, facts, mask_text, snap)
    repainting = Repainting(call, settings, facts, key, camera, mask, mask_sha256)
    holder = held.get(call.model_name)
    subject = holder.subject(key)
    own = subject.model is holder.model  # one with tuned weights may map to another w
    statistics = holder.w_statistics(settings.statistics_seed) if own else None
    tools = Tools.of(subject.model, call.perceptual_file, statistics, seed=settings.statistics_seed)
    with interruptible(job.check):
        found = repainting.edit(subject, tools, watch_of(job))
        scores = repainting.scores(found, repainting.look_round(subject, found))
    write_found(job, output, repainting.record(found, scores, holder.model))
    poor = repainting.poor(scores, found.finished)
    return {
        "subject_file": str(output),
        "scores": {name: scores[name] for name in SCORES},
        "other_views": scores["other_views"],
        "finished": found.finished,
        "seconds": round(time.monotonic() - started, 3),
        "warnings": [note for note in (None if snap is None else snap.line(), poor) if note is not None],
    }


def edit_call(params: Params, chosen: SubjectKey | Path, mask_text: str, device: str, output: Path) -> EditCall:
    """The call that a request means, whose subject, mask and camera are read already."""
    key = chosen if isinstance(chosen, SubjectKey) else SubjectKey(0, 1.0)
    return EditCall(
        subject=str(key.seed) if chosen is key else str(chosen),
        truncation=key.truncation,
        mask=Path(mask_text) if Path(mask_text).is_absolute() else None,
        model_name=params.text("model"),
        perceptual_file=params.path("perceptual_file", None),
        device=device,
        output=output.parent,
        **params.fields(EditCall, *FIELDS),
    )


def edited_mask(job: Job, facts: ModelFacts, text: str, snap: SnapTally | None = None) -> tuple[NDArray[np.uint8], str]:
    """`mask`: an array in the exchange folder by its name, or a mask file by its absolute path; and its sha256, of an array of its values.

    Raises:
        UsageError: neither, no such file, or an array of another kind.
        AnnotationError: a file that is no mask of the model's labels.
    """
    assert facts.labels is not None  # or the call was refused
    size_px = facts.config.image_size
    path = Path(text)
    if not path.is_absolute() and path.suffix == ".npy":
        array = job.exchange.take(text)
        if array.dtype != np.uint8 or array.shape != (size_px, size_px):
            found = f"{array.dtype} {list(array.shape)}"
            raise UsageError(f"params: mask: expected an array uint8 {[size_px, size_px]}, found {found}; correct the request")
        return array, hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    if not (path.is_absolute() and path.is_file()):
        raise UsageError(
            f"params: mask: expected an array's name or the absolute path of a file, found {brief(text)}; correct the request"
        )
    return read_label_mask(path, size_px, "pad", facts.labels, snap), file_sha256(path)
