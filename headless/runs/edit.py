"""The job of `edit`: a subject and a repainted mask in, the edited subject with its scores and pictures out."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.camera import cameras_to_json
from dnerf_core.checkpoints.model_facts import ModelFacts
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.checkpoints.subject_file import read_subject_header, write_subject_file
from dnerf_core.editing.edit import Edit
from dnerf_core.editing.scores import TURNS_DEG
from dnerf_core.editing.settings import edit_stages
from dnerf_core.errors import UsageError
from dnerf_core.files.photos import picture_size, read_label_mask
from dnerf_core.files.whole import make_folder, remove_files, write_bytes_whole
from dnerf_core.inversion.pose import camera_at
from dnerf_core.own_views import view_ranges
from dnerf_core.seeds import MAX_SEED
from dnerf_core.subject import Subject
from dnerf_core.subject_key import SubjectKey, checked_subject_file
from headless import models
from headless.cameras.picture_cameras import TakenBy, cameras_of_pictures
from headless.pictures.edit_sheet import write_edit_sheet
from headless.pictures.loss_curve import LossStage, write_loss_curve
from headless.searches.calls import EditCall
from headless.searches.made_subjects import check_inputs_stay, made_before, prepare_outputs
from headless.searches.recovering import EditedViews, Repainting, Tools, check_editing
from headless.searches.search_watch import SearchWatch
from headless.searches.turntable import beside, write_subject_view
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
    settings, facts = check_editing(call)
    assert facts.labels is not None
    if call.mask is None:
        raise UsageError("--mask: expected the file of the repainted mask, found none; name it")
    key = subject_of(call, facts)
    mask = read_label_mask(call.mask, facts.config.image_size, "pad", facts.labels)
    taken = taken_by(call, key, facts, call.mask)
    camera = taken.cameras[call.mask]
    repainting = Repainting(call, settings, facts, key, camera, mask, file_sha256(call.mask))
    job = _Job(repainting, call.mask)
    inputs = [call.mask, call.camera, call.perceptual_file, None if key.file is None else key.file.path]
    check_inputs_stay([path for path in inputs if isinstance(path, Path)], job.outputs)
    make_folder(call.output)
    made = made_before(job.path, repainting.asked)
    told = None if made is None else job.told(True, made["scores"], None)
    if told is None:
        prepare_outputs(job.outputs)
    reporter.start(
        f"{job.path}: {'to be made' if told is None else 'there already'}",
        command="edit",
        subject=key.title,
        output=str(job.path),
    )
    for remark in taken.remarks:
        reporter.warning(remark)
    if told is None:
        told = job.run(reporter, started)
        if not told["finished"]:
            reporter.warning(f"{call.mask}: ended early, {job.path} holds the best so far")
            raise KeyboardInterrupt
        if (poor := repainting.poor(told, told["finished"])) is not None:
            reporter.warning(f"{call.mask}: {poor}")
    lines = _lines(job, told) if taken.told is None else [taken.told, *_lines(job, told)]
    reporter.summary(lines, command="edit", **told)


class _Job:
    """The edit of one call."""

    def __init__(self, repainting: Repainting, mask_path: Path) -> None:
        self.repainting, self.call, self.mask_path = repainting, repainting.call, mask_path
        self.path = self.call.output / f"{mask_path.stem}.safetensors"
        self.outputs = [self.path, *map(self.beside, ENDINGS)]

    def beside(self, ending: str) -> Path:
        """A file beside the subject file."""
        return beside(self.path.with_suffix(""), ending)

    def told(self, finished: bool, scores: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        """What is told of the result; `seconds` is None where it was there already."""
        return {"subject": str(self.path), "of": self.repainting.key.title, "finished": finished, **scores, "seconds": seconds}

    def run(self, reporter: Reporter, started: float) -> dict[str, Any]:
        """Edit, and write what came of it; returns what is told."""
        call, repainting, labels = self.call, self.repainting, self.repainting.facts.labels
        assert labels is not None
        model = models.load_model(call.model_name, call.device)
        subject = repainting.key.open(model)
        tools = Tools.of(subject.model, call.perceptual_file, seed=repainting.settings.statistics_seed)
        watch = SearchWatch(
            lambda ws: Subject(subject.model, ws, subject.pose),
            labels.colorize(repainting.mask),
            self.beside(ENDINGS[-1]),
            self.mask_path.name,
            labels=labels,
            camera=repainting.camera,
        )
        try:
            with ending_early() as stop, watch.watching(reporter, repainting.settings.steps, stop) as look:
                found = repainting.edit(subject, tools, look)
            views = repainting.look_round(subject, found)
            scores = repainting.scores(found, views)
            self._write_pictures(found, views, scores)
            # last, since its being there says that all is
            write_subject_file(self.path, repainting.record(found, scores, model))
        except UsageError as error:
            raise UsageError(f"{self.mask_path}: {error}") from error
        finally:
            remove_files([watch.path])
        return self.told(found.finished, scores, round(time.monotonic() - started, 3))

    def _write_pictures(self, found: Edit, views: EditedViews, scores: dict[str, Any]) -> None:
        """Write all that belongs to the subject file."""
        repainting = self.repainting
        config, labels = repainting.facts.config, repainting.facts.labels
        assert labels is not None
        base = self.path.with_suffix("")
        title = f"{base.name}: {100 * found.scores.edited_taken:.1f}% of {scores['edited_px']} repainted pixels took their label"
        columns = ["painted view", *(f"turned by {turn:g}" for turn in TURNS_DEG)]
        sheet = [found.before, *views.before], [found.after, *views.after]
        write_edit_sheet(self.beside("-sheet.png"), title, columns, *sheet, labels)
        curve = _by_stage(found.losses, edit_stages(repainting.settings, config.rays.neural_resolution))
        write_loss_curve(self.beside("-loss.png"), self.beside("-loss.csv"), title, curve)
        write_subject_view(base, found.after, labels)
        cameras = json.dumps(cameras_to_json([repainting.camera], [base.name]), indent=1)
        write_bytes_whole(self.beside("-cameras.json"), cameras.encode())


def _by_stage(losses: Sequence[float], stages: Sequence[Stage]) -> list[LossStage]:
    """The losses of the stages that were begun."""
    found, start = [], 0
    for stage in stages:
        if start < len(losses):
            found.append(LossStage(stage.name, tuple(losses[start : start + stage.steps])))
        start += stage.steps
    return found


def _lines(job: _Job, told: dict[str, Any]) -> list[str]:
    """The summary for people."""
    done = "nothing to do, there already" if told["seconds"] is None else f"edited in {told['seconds']:.1f} s"
    return [
        f"{job.path}: {100 * told['edited_taken']:.1f}% of {told['edited_px']} repainted pixels took their label",
        f"labels right in the edited region {100 * told['agreement_inside']:.1f}%; image outside it {_db(told['psnr_outside_db'])}, "
        f"what the object kept {_db(told['psnr_kept_db'])}",
        *(
            f"from {view['yaw_deg']:+.0f} degrees: labels of {100 * view['labels_changed']:.1f}% of the object changed"
            for view in told["other_views"]
        ),
        f"{job.path}: {done}",
        f"look at {job.beside(ENDINGS[0])}",
    ]


def subject_of(call: EditCall, facts: ModelFacts) -> SubjectKey:
    """The subject that a call names: a file of that name, or a seed.

    Raises:
        UsageError: neither.
        CheckpointError: a file that cannot be used.
    """
    path = Path(call.subject)
    if path.is_file():
        if call.truncation != 1.0:
            raise UsageError("--truncation: expected a seed, found a subject file, which is not truncated; leave it out")
        return SubjectKey(0, 1.0, checked_subject_file(path, facts.path))
    if re.fullmatch(r"\d{1,10}", call.subject, re.ASCII) is None or int(call.subject) > MAX_SEED:
        raise UsageError(
            f"{call.subject or 'FILE|SEED'}: expected a subject file or a seed from 0 to {MAX_SEED}, found neither; correct the name"
        )
    return SubjectKey(int(call.subject), call.truncation)


def taken_by(call: EditCall, key: SubjectKey, facts: ModelFacts, mask: Path) -> TakenBy:
    """Where the mask was painted from.

    Args:
        mask: its file, of which the view's name is known where `--camera` has several.

    Raises:
        UsageError: it is told twice, or not at all.
    """
    cameras = facts.config.cameras
    for name, value in (("--yaw", call.yaw), ("--pitch", call.pitch)):
        if value is not None and value[0] != value[1]:
            raise UsageError(f"{name}: expected one direction, found a range; give a single value")
    if call.camera is not None:
        if call.yaw is not None or call.pitch is not None:
            raise UsageError("--camera: expected it alone, found --yaw or --pitch beside it; give one of them")
        if not isinstance(call.camera, Path):
            return TakenBy({mask: call.camera})
        return cameras_of_pictures(call.camera, {mask: picture_size(mask)}, "pad", facts.config, "mask", call.cameras_up)
    own = None if key.file is None else read_subject_header(key.file.path).camera
    if call.yaw is None and call.pitch is None and own is not None:
        return TakenBy({mask: own})
    if call.yaw is None:
        raise UsageError("--yaw: expected where the mask was painted from, found nothing; give --yaw and --pitch, or --camera")
    (yaw_deg, _), (pitch_deg, _) = view_ranges(cameras, call.yaw, call.pitch)
    return TakenBy({mask: camera_at(math.radians(yaw_deg), math.radians(pitch_deg), cameras)})


def _db(value: float | None) -> str:
    return "unchanged" if value is None else f"{value:.1f} dB"
