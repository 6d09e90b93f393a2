"""The job of `edit`: a subject and a repainted mask in, the edited subject with its scores and pictures out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.camera import cameras_to_json
from dnerf_core.checkpoints.subject_file import write_subject_file
from dnerf_core.editing.edit import Edit
from dnerf_core.editing.scores import TURNS_DEG
from dnerf_core.editing.settings import edit_stages
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import make_folder, remove_files, write_bytes_whole
from dnerf_core.subject import Subject
from headless import models
from headless.pictures.edit_sheet import write_edit_sheet
from headless.pictures.loss_curve import LossStage, write_loss_curve
from headless.searches.calls import EditCall
from headless.searches.made_subjects import check_inputs_stay, earlier_result, prepare_outputs
from headless.searches.recovering import Tools
from headless.searches.repainting import EditedViews, Repainting
from headless.searches.search_watch import SearchWatch
from headless.searches.turntable import with_ending, write_subject_view
from headless.work.at_work import at_work, call_digest
from headless.work.stopping import ending_early

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnerf_core.inversion.settings import Stage
    from headless.work.reporting import Reporter


ENDINGS = ("-sheet.png", "-view.png", "-mask.png", "-cameras.json", "-loss.png", "-loss.csv", "-progress.png")
"""Of the files beside the subject file."""


def edit(call: EditCall, reporter: Reporter) -> None:
    """Run one call of `edit`.

    Raises:
        DNeRFError: a wrong call, a subject, mask or model that cannot be used, or results that cannot be written.
        KeyboardInterrupt: after Ctrl-C, when the best so far is written.
    """
    started = time.monotonic()
    if not isinstance(call.mask, Path):
        raise UsageError("--mask: expected the file of the repainted mask, whose name the results have, found an array; save it")
    repainting = Repainting.checked(call)
    if repainting.snapped is not None:
        reporter.warning(repainting.snapped)
    job = _Job(repainting, call.mask)
    inputs = [call.mask, call.camera, call.perceptual_file, call.subject]
    check_inputs_stay([path for path in inputs if isinstance(path, Path)], job.outputs)
    make_folder(call.output)
    identity = call_digest(json.dumps(repainting.identity, sort_keys=True))
    with at_work(call.output, identity, reporter.warning, file_name=job.path.name):
        _edit(job, reporter, started)


def _edit(job: _Job, reporter: Reporter, started: float) -> None:
    repainting = job.repainting
    earlier = earlier_result(job.path, repainting.identity)
    result = None if earlier is None else job.result(True, earlier["scores"], None)
    if result is None:
        prepare_outputs(job.outputs)
    reporter.start(
        f"{job.path}: {'to be made' if result is None else 'there already'}",
        command="edit",
        subject=repainting.key.title,
        output=str(job.path),
    )
    for remark in repainting.place.remarks:
        reporter.warning(remark)
    if result is None:
        result = job.run(reporter, started)
        if not result["finished"]:
            reporter.warning(f"{job.mask_path}: ended early, {job.path} holds the best so far")
            raise KeyboardInterrupt
        if (poor := repainting.poor(result, result["finished"])) is not None:
            reporter.warning(f"{job.mask_path}: {poor}")
    lines = [] if repainting.place.world_line is None else [repainting.place.world_line]
    reporter.summary([*lines, *_lines(job, result)], command="edit", **result)


class _Job:
    """The edit of one call."""

    def __init__(self, repainting: Repainting, mask_path: Path) -> None:
        self.repainting, self.call, self.mask_path = repainting, repainting.call, mask_path
        self.path = self.call.output / f"{mask_path.stem}.safetensors"
        self.outputs = [self.path, *map(self.picture_path, ENDINGS)]

    def picture_path(self, ending: str) -> Path:
        """A picture or another file that belongs to the subject file."""
        return with_ending(self.path.with_suffix(""), ending)

    def result(self, finished: bool, scores: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        """What messages say of the result; `seconds` is None where it was there already."""
        return {"subject": str(self.path), "of": self.repainting.key.title, "finished": finished, **scores, "seconds": seconds}

    def run(self, reporter: Reporter, started: float) -> dict[str, Any]:
        """Edit, and write what came of it; returns its `result`."""
        call, repainting, labels = self.call, self.repainting, self.repainting.facts.labels
        assert labels is not None
        model = models.load_model(call.model_name, call.device)
        subject = repainting.key.open(model)
        tools = Tools.load(subject.model, call.perceptual_file, seed=repainting.settings.statistics_seed)
        watch = SearchWatch(
            lambda ws: Subject(subject.model, ws, subject.pose, subject.shape),
            labels.colorize(repainting.mask),
            self.picture_path(ENDINGS[-1]),
            self.mask_path.name,
            labels=labels,
            camera=repainting.camera,
        )
        try:
            with ending_early() as stop, watch.watching(reporter, repainting.settings.steps, stop) as look:
                edited = repainting.edit(subject, tools, look)
            views = repainting.look_round(subject, edited)
            scores = repainting.scores(edited, views)
            self._write_pictures(edited, views, scores)
            # last, since its being there says that all is
            write_subject_file(self.path, repainting.record(edited, scores, model))
        except UsageError as error:
            raise UsageError(f"{self.mask_path}: {error}") from error
        finally:
            remove_files([watch.path])
        return self.result(edited.finished, scores, round(time.monotonic() - started, 3))

    def _write_pictures(self, edited: Edit, views: EditedViews, scores: dict[str, Any]) -> None:
        """Write all that belongs to the subject file."""
        repainting = self.repainting
        config, labels = repainting.facts.config, repainting.facts.labels
        assert labels is not None
        base = self.path.with_suffix("")
        title = f"{base.name}: {100 * edited.scores.edited_taken:.1f}% of {scores['edited_px']} repainted pixels took their label"
        columns = ["painted view", *(f"turned by {turn:g}" for turn in TURNS_DEG)]
        sheet = [edited.before, *views.before], [edited.after, *views.after]
        write_edit_sheet(self.picture_path("-sheet.png"), title, columns, *sheet, repainting.mask, labels)
        curve = _by_stage(edited.losses, edit_stages(repainting.settings, config.rays.neural_resolution))
        write_loss_curve(self.picture_path("-loss.png"), self.picture_path("-loss.csv"), title, curve)
        write_subject_view(base, edited.after, labels)
        cameras = json.dumps(cameras_to_json([repainting.camera], [base.name]), indent=1)
        write_bytes_whole(self.picture_path("-cameras.json"), cameras.encode())


def _by_stage(losses: Sequence[float], stages: Sequence[Stage]) -> list[LossStage]:
    """The losses of the stages that were begun."""
    by_stage, start = [], 0
    for stage in stages:
        if start < len(losses):
            by_stage.append(LossStage(stage.name, tuple(losses[start : start + stage.steps])))
        start += stage.steps
    return by_stage


def _lines(job: _Job, result: dict[str, Any]) -> list[str]:
    """The summary for people."""
    done = "nothing to do, there already" if result["seconds"] is None else f"edited in {result['seconds']:.1f} s"
    return [
        f"{job.path}: {100 * result['edited_taken']:.1f}% of {result['edited_px']} repainted pixels took their label",
        f"labels right in the edited region {100 * result['agreement_inside']:.1f}%; image outside it {_db(result['psnr_outside_db'])}, "
        f"what the object kept {_db(result['psnr_kept_db'])}",
        *(
            f"from {view['yaw_deg']:+.0f} degrees: labels of {100 * view['labels_changed']:.1f}% of the object changed"
            for view in result["other_views"]
        ),
        f"{job.path}: {done}",
        f"look at {job.picture_path(ENDINGS[0])}",
    ]


def _db(value: float | None) -> str:
    return "unchanged" if value is None else f"{value:.1f} dB"
