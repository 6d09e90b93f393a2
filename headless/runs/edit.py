"""The job of `edit`: a subject and a repainted mask in, the edited subject with its scores and pictures out."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core import model_facts
from dnerf_core.camera import Camera, cameras_to_json
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.editing.edit import Edit, edit_subject
from dnerf_core.editing.scores import TURNS_DEG, change_seen, turned_cameras
from dnerf_core.editing.settings import EditSettings, edit_stages
from dnerf_core.errors import UsageError
from dnerf_core.files.photos import read_label_mask
from dnerf_core.files.whole import make_folder, remove_files, write_bytes_whole
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.model_facts import ModelFacts
from dnerf_core.own_views import view_ranges
from dnerf_core.perceptual import PerceptualLoss
from dnerf_core.seeds import MAX_SEED
from dnerf_core.subject import Subject
from dnerf_core.subject_file import read_subject_file, read_subject_header, record_of, write_subject_file
from dnerf_core.subject_key import SubjectKey
from dnerf_core.subject_key import read_subject_file as checked_subject_file
from headless import models
from headless.blend.given import read_one_camera
from headless.pictures.edit_sheet import write_edit_sheet
from headless.pictures.loss_curve import LossStage, write_loss_curve
from headless.runs.choices import check_perceptual
from headless.searches.calls import EditCall
from headless.searches.likeness import poor_edit
from headless.searches.made_subjects import check_inputs_stay, made_before, prepare_outputs
from headless.searches.search_watch import SearchWatch
from headless.searches.turntable import beside, write_subject_view
from headless.work.stopping import ending_early

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnerf_core.inversion.settings import Stage
    from dnerf_core.model import Model
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
    settings = settings_of(call)
    facts = model_facts.describe_model(call.model_name)
    if not facts.has_semantics or facts.labels is None:
        raise UsageError(f"edit: expected a model with a semantic branch, found none in {facts.config.name}; train one first")
    key = subject_of(call, facts)
    camera = camera_of(call, key, facts)
    mask = read_label_mask(call.mask, facts.config.image_size, "pad", facts.labels)
    job = _Job(call, settings, facts, key, camera, mask)
    inputs = [call.mask, call.camera, call.vgg, None if key.file is None else key.file.path]
    check_inputs_stay([path for path in inputs if path is not None], job.outputs)
    make_folder(call.output)
    made = made_before(job.path, job.asked)
    told = None if made is None else job.told(True, made["scores"], None)
    if told is None:
        prepare_outputs(job.outputs)
    reporter.start(
        f"{job.path}: {'to be made' if told is None else 'there already'}",
        command="edit",
        subject=key.title,
        output=str(job.path),
    )
    if told is None:
        told = job.run(reporter, started)
        if not told["finished"]:
            reporter.warning(f"{call.mask}: ended early, {job.path} holds the best so far")
            raise KeyboardInterrupt
        if (poor := poor_edit(facts.config.name, told["edited_taken"])) is not None:
            reporter.warning(f"{call.mask}: {poor}")
    reporter.summary(_lines(job, told), command="edit", **told)


class _Job:
    """The edit of one call."""

    def __init__(
        self,
        call: EditCall,
        settings: EditSettings,
        facts: ModelFacts,
        key: SubjectKey,
        camera: Camera,
        mask: NDArray[np.uint8],
    ) -> None:
        self.call, self.settings, self.facts, self.key, self.camera, self.mask = call, settings, facts, key, camera, mask
        self.path = call.output / f"{call.mask.stem}.safetensors"
        self.outputs = [self.path, *map(self.beside, ENDINGS)]
        self.asked: dict[str, Any] = {
            "kind": "edit",
            "of": list(key.identity),
            "model_sha256": facts.sha256,
            "vgg_sha256": None if call.vgg is None else file_sha256(call.vgg),
            "mask_sha256": file_sha256(call.mask),
            "mask_camera": camera.to_json(),
            "settings": dataclasses.asdict(settings),
        }
        """What decides the result: what a subject file has to have been made with to count as done."""

    def beside(self, ending: str) -> Path:
        """A file beside the subject file."""
        return beside(self.path.with_suffix(""), ending)

    def told(self, finished: bool, scores: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        """What is told of the result; `seconds` is None where it was there already."""
        return {"subject": str(self.path), "of": self.key.title, "finished": finished, **scores, "seconds": seconds}

    def run(self, reporter: Reporter, started: float) -> dict[str, Any]:
        """Edit, and write what came of it; returns what is told."""
        call, labels = self.call, self.facts.labels
        assert labels is not None
        model = models.load_model(call.model_name, call.device)
        perceptual = None if call.vgg is None else PerceptualLoss.load(call.vgg, model.device)
        subject = self.key.open(model)
        watch = SearchWatch(
            lambda ws: Subject(subject.model, ws),
            labels.colorize(self.mask),
            self.beside(ENDINGS[-1]),
            call.mask.name,
            labels=labels,
            camera=self.camera,
        )
        try:
            with ending_early() as stop, watch.watching(reporter, self.settings.steps, stop) as look:
                found = edit_subject(subject, self.camera, self.mask, self.settings, perceptual=perceptual, watch=look)
            scores = self._write(model, subject, found)
        except UsageError as error:
            raise UsageError(f"{call.mask}: {error}") from error
        finally:
            remove_files([watch.path])
        return self.told(found.finished, scores, round(time.monotonic() - started, 3))

    def _write(self, model: Model, subject: Subject, found: Edit) -> dict[str, Any]:
        """Write the subject and all that belongs to it; returns the scores."""
        assert model.labels is not None
        elsewhere = turned_cameras(self.camera, model.config.cameras)
        before = [subject.render(other) for other in elsewhere]
        after = [found.subject.render(other) for other in elsewhere]
        changes = [change_seen(*pair) for pair in zip(before, after, TURNS_DEG, strict=True)]
        yaw_deg, pitch_deg = sphere_angles_deg(self.camera.cam2world, model.config.cameras)
        scores = {
            "edited_px": int(found.region.edited.sum()),
            "labels": [label.name for label in model.labels.labels if label.id in found.region.labels],
            **{name: _plain(value) for name, value in dataclasses.asdict(found.scores).items()},
            "other_views": [{name: _plain(value) for name, value in dataclasses.asdict(change).items()} for change in changes],
            "yaw_deg": round(yaw_deg, 3),
            "pitch_deg": round(pitch_deg, 3),
        }
        base = self.path.with_suffix("")
        title = f"{base.name}: {100 * found.scores.edited_taken:.1f}% of {scores['edited_px']} repainted pixels took their label"
        columns = ["painted view", *(f"turned by {turn:g}" for turn in TURNS_DEG)]
        sheet = [found.before, *before], [found.after, *after]
        write_edit_sheet(self.beside("-sheet.png"), title, columns, *sheet, model.labels)
        curve = _by_stage(found.losses, edit_stages(self.settings, model.config.rays.neural_resolution))
        write_loss_curve(self.beside("-loss.png"), self.beside("-loss.csv"), title, curve)
        write_subject_view(base, found.after, model.labels)
        cameras = json.dumps(cameras_to_json([self.camera], [base.name]), indent=1)
        write_bytes_whole(self.beside("-cameras.json"), cameras.encode())
        tuned = {} if self.key.file is None else read_subject_file(self.key.file.path).tuned
        made = self.asked | {"source": self.key.title, "finished": found.finished, "scores": scores}
        # last, since its being there says that all is
        write_subject_file(self.path, record_of(model, found.subject.ws, self.camera, made, tuned))
        return scores


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


def settings_of(call: EditCall) -> EditSettings:
    """The engine's settings of a call.

    Raises:
        UsageError: options that do not go together.
    """
    check_perceptual(call.perceptual, call.vgg)
    settings = EditSettings(
        label_weight=call.label_weight,
        rgb_weight=call.rgb_weight,
        perceptual_weight=call.perceptual,
        keep_inside=call.keep_inside,
        edited_weight=call.edited_weight,
        prior=call.prior,
        margin_px=call.margin,
        steps=call.steps,
    )
    settings.check()
    return settings


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


def camera_of(call: EditCall, key: SubjectKey, facts: ModelFacts) -> Camera:
    """Where the mask was painted from.

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
        return read_one_camera(call.camera, cameras.world_up, "mask")
    own = None if key.file is None else read_subject_header(key.file.path).camera
    if call.yaw is None and call.pitch is None and own is not None:
        return own
    if call.yaw is None:
        raise UsageError("--yaw: expected where the mask was painted from, found nothing; give --yaw and --pitch, or --camera")
    (yaw_deg, _), (pitch_deg, _) = view_ranges(cameras, call.yaw, call.pitch)
    return camera_at(math.radians(yaw_deg), math.radians(pitch_deg), cameras)


def _plain(value: float) -> float | None:
    """Rounded; None where there is nothing to say."""
    return round(value, 5) if math.isfinite(value) else None


def _db(value: float | None) -> str:
    return "unchanged" if value is None else f"{value:.1f} dB"
