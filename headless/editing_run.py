"""The job of `edit`: a subject and a repainted mask in, the edited subject with its scores and pictures out."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.camera import Camera, cameras_to_json
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.editing import TURNS_DEG, Edit, EditSettings, change_seen, edit_subject, turned_cameras
from dnerf_core.errors import UsageError
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.perceptual import PerceptualLoss
from dnerf_core.subject import Subject
from dnerf_core.subject_file import read_subject_file, read_subject_header, record_of, write_subject_file
from headless import models
from headless.commands.edit import EditCall
from headless.given_cameras import read_one_camera
from headless.made_subjects import check_inputs_stay, made_before, prepare_outputs
from headless.options import MAX_SEED
from headless.photos import read_label_mask
from headless.search_watch import SearchWatch
from headless.stopping import ending_early
from headless.subject_files import SubjectKey
from headless.subject_files import read_subject_file as checked_subject_file
from headless.turntable import beside, write_subject_view
from headless.writers.edit_sheet import write_edit_sheet
from headless.writers.files import make_folder, remove_files, write_bytes_whole
from headless.writers.loss_curve import LossStage, write_loss_curve

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from headless.reporting import Reporter


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
    facts = models.describe_model(call.model_name)
    if not facts.has_semantics or facts.labels is None:
        raise UsageError(f"edit: expected a model with a semantic branch, found none in {facts.config.name}; train one first")
    key = subject_of(call, facts)
    camera = camera_of(call, key, facts)
    mask = read_label_mask(call.mask, facts.config.image_size, "pad", facts.labels)
    path = call.output / f"{call.mask.stem}.safetensors"
    outputs = [path, *(beside(path.with_suffix(""), ending) for ending in ENDINGS)]
    inputs = [call.mask, call.camera, call.vgg, None if key.file is None else key.file.path]
    check_inputs_stay([one for one in inputs if one is not None], outputs)
    asked = {
        "kind": "edit",
        "of": list(key.identity),
        "model_sha256": facts.sha256,
        "vgg_sha256": None if call.vgg is None else file_sha256(call.vgg),
        "mask_sha256": file_sha256(call.mask),
        "mask_camera": camera.to_json(),
        "settings": dataclasses.asdict(settings),
    }
    make_folder(call.output)
    made = made_before(path, asked)
    told = None if made is None else _told(path, key, True, made["scores"], None)
    if told is None:
        prepare_outputs(outputs)
    reporter.start(
        f"{path}: {'to be made' if told is None else 'there already'}", command="edit", subject=key.title, output=str(path)
    )
    if told is None:
        model = models.load_model(call.model_name, call.device)
        perceptual = None if call.vgg is None else PerceptualLoss.load(call.vgg, model.device)
        subject = key.open(model)
        watch = SearchWatch(
            lambda ws: Subject(subject.model, ws),
            facts.labels.colorize(mask),
            beside(path.with_suffix(""), ENDINGS[-1]),
            call.mask.name,
            labels=facts.labels,
            camera=camera,
        )
        try:
            with ending_early() as stop, watch.watching(reporter, settings.steps, stop) as look:
                found = edit_subject(subject, camera, mask, settings, perceptual=perceptual, watch=look)
            scores = _write(path, model, key, subject, camera, found, asked)
        except UsageError as error:
            raise UsageError(f"{call.mask}: {error}") from error
        finally:
            remove_files([watch.path])
        told = _told(path, key, found.finished, scores, round(time.monotonic() - started, 3))
        if not found.finished:
            reporter.warning(f"{call.mask}: ended early, {path} holds the best so far")
            raise KeyboardInterrupt
    lines = [
        f"{path}: {100 * told['edited_taken']:.1f}% of {told['edited_px']} repainted pixels took their label",
        f"labels right in the edited region {100 * told['agreement_inside']:.1f}%; image outside it {_db(told['psnr_outside_db'])}, "
        f"what the object kept {_db(told['psnr_kept_db'])}",
        *(
            f"from {view['yaw_deg']:+.0f} degrees: labels of {100 * view['labels_changed']:.1f}% of the object changed"
            for view in told["other_views"]
        ),
        f"look at {beside(path.with_suffix(''), '-sheet.png')}",
    ]
    reporter.summary(lines, command="edit", **told)


def settings_of(call: EditCall) -> EditSettings:
    """The engine's settings of a call.

    Raises:
        UsageError: options that do not go together.
    """
    if (call.perceptual > 0) != (call.vgg is not None):
        given, missing = ("--perceptual", "--vgg") if call.vgg is None else ("--vgg", "--perceptual")
        raise UsageError(f"{given}: expected {missing} beside it, found none; give both, or neither")
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


def subject_of(call: EditCall, facts: models.ModelFacts) -> SubjectKey:
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


def camera_of(call: EditCall, key: SubjectKey, facts: models.ModelFacts) -> Camera:
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
    pitch_deg = cameras.pitch_deg if call.pitch is None else call.pitch[0]
    return camera_at(math.radians(call.yaw[0]), math.radians(pitch_deg), cameras)


def _told(path: Path, key: SubjectKey, finished: bool, scores: dict[str, Any], seconds: float | None) -> dict[str, Any]:
    """What is told of a subject file; `seconds` is None of one that was there already."""
    return {"subject": str(path), "of": key.title, "finished": finished, **scores, "seconds": seconds}


def _write(
    path: Path,
    model: Model,
    key: SubjectKey,
    subject: Subject,
    camera: Camera,
    found: Edit,
    asked: dict[str, Any],
) -> dict[str, Any]:
    """Write the subject and all that belongs to it; returns the scores."""
    assert model.labels is not None
    elsewhere = turned_cameras(camera, model.config.cameras)
    before = [subject.render(other) for other in elsewhere]
    after = [found.subject.render(other) for other in elsewhere]
    changes = [change_seen(*pair) for pair in zip(before, after, TURNS_DEG, strict=True)]
    yaw_deg, pitch_deg = sphere_angles_deg(camera.cam2world, model.config.cameras)
    scores = {
        "edited_px": int(found.region.edited.sum()),
        "labels": [label.name for label in model.labels.labels if label.id in found.region.labels],
        **{name: _plain(value) for name, value in dataclasses.asdict(found.scores).items()},
        "other_views": [{name: _plain(value) for name, value in dataclasses.asdict(change).items()} for change in changes],
        "yaw_deg": round(yaw_deg, 3),
        "pitch_deg": round(pitch_deg, 3),
    }
    base = path.with_suffix("")
    title = f"{path.stem}: {100 * found.scores.edited_taken:.1f}% of {scores['edited_px']} repainted pixels took their label"
    columns = ["painted view", *(f"turned by {turn:g}" for turn in TURNS_DEG)]
    write_edit_sheet(beside(base, "-sheet.png"), title, columns, [found.before, *before], [found.after, *after], model.labels)
    write_loss_curve(beside(base, "-loss.png"), beside(base, "-loss.csv"), title, [LossStage("edit", found.losses)])
    write_subject_view(base, found.after, model.labels)
    write_bytes_whole(beside(base, "-cameras.json"), json.dumps(cameras_to_json([camera], [base.name]), indent=1).encode())
    tuned = {} if key.file is None else read_subject_file(key.file.path).tuned
    made = asked | {"source": key.title, "finished": found.finished, "scores": scores}
    write_subject_file(path, record_of(model, found.subject.ws, camera, made, tuned))  # last: its being there says that all is
    return scores


def _plain(value: float) -> float | None:
    """Rounded; None where there is nothing to say."""
    return round(value, 5) if math.isfinite(value) else None


def _db(value: float | None) -> str:
    return "unchanged" if value is None else f"{value:.1f} dB"
