"""The job of `edit`: a subject and a repainted mask in, the edited subject with its scores and pictures out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.camera import Camera, cameras_to_json
from dnerf_core.editing import TURNS_DEG, Edit, EditSettings, change_seen, edit_subject, turned_cameras
from dnerf_core.errors import UsageError
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.perceptual import PerceptualLoss
from dnerf_core.subject import Subject
from dnerf_core.subject_file import read_subject_file, record_of, write_subject_file
from headless import models
from headless.commands.edit import EditCall
from headless.given_cameras import read_given_cameras
from headless.made_subjects import made_before
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
    make_folder(call.output)
    path = call.output / f"{call.mask.stem}.safetensors"
    asked = {
        "kind": "edit",
        "of": list(key.identity),
        "mask_sha256": hashlib.sha256(call.mask.read_bytes()).hexdigest(),
        "mask_camera": camera.to_json(),
        "settings": dataclasses.asdict(settings),
    }
    if (key.file is not None and key.file.path == path.resolve()) or path.resolve() == call.mask.resolve():
        raise UsageError(f"{path}: expected another place than the subject's and the mask's own; choose another --output")
    made = made_before(path, asked)
    told = None if made is None else made["told"]
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
            call.output / f"{call.mask.stem}-progress.png",
            call.mask.name,
            labels=facts.labels,
            camera=camera,
        )
        with ending_early() as stop, watch.watching(reporter, settings.steps, stop) as look:
            found = edit_subject(subject, camera, mask, settings, perceptual=perceptual, watch=look)
        told = _write(path, model, key, subject, camera, found, asked, time.monotonic() - started)
        remove_files([watch.path])
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
            f"{call.subject}: expected a subject file or a seed from 0 to {MAX_SEED}, found neither; correct the name"
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
        given = read_given_cameras(call.camera, cameras.world_up).cameras
        if len(given) != 1:
            raise UsageError(f"--camera {call.camera}: expected one view, found {len(given)}; keep the one of the mask")
        return given[0]
    own = None if key.file is None else read_subject_file(key.file.path).camera
    if call.yaw is None and call.pitch is None and own is not None:
        return own
    if call.yaw is None:
        raise UsageError("--yaw: expected where the mask was painted from, found nothing; give --yaw and --pitch, or --camera")
    pitch_deg = cameras.pitch_deg if call.pitch is None else call.pitch[0]
    return camera_at(math.radians(call.yaw[0]), math.radians(pitch_deg), cameras)


def _write(
    path: Path,
    model: Model,
    key: SubjectKey,
    subject: Subject,
    camera: Camera,
    found: Edit,
    asked: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Write the subject and all that belongs to it; returns what is told of it."""
    assert model.labels is not None
    elsewhere = turned_cameras(camera, model.config.cameras)
    before = [subject.render(other) for other in elsewhere]
    after = [found.subject.render(other) for other in elsewhere]
    changes = [change_seen(*pair) for pair in zip(before, after, TURNS_DEG, strict=True)]
    yaw_deg, pitch_deg = sphere_angles_deg(camera.cam2world, model.config.cameras)
    told = {
        "subject": str(path),
        "of": key.title,
        "finished": found.finished,
        "edited_px": int(found.region.edited.sum()),
        "labels": [label.name for label in model.labels.labels if label.id in found.region.labels],
        **{name: _plain(value) for name, value in dataclasses.asdict(found.scores).items()},
        "other_views": [{name: _plain(value) for name, value in dataclasses.asdict(change).items()} for change in changes],
        "yaw_deg": round(yaw_deg, 3),
        "pitch_deg": round(pitch_deg, 3),
        "seconds": round(seconds, 3),
    }
    base = path.with_suffix("")
    title = f"{path.stem}: {100 * found.scores.edited_taken:.1f}% of {told['edited_px']} repainted pixels took their label"
    columns = ["painted view", *(f"turned by {turn:g}" for turn in TURNS_DEG)]
    write_edit_sheet(beside(base, "-sheet.png"), title, columns, [found.before, *before], [found.after, *after], model.labels)
    write_loss_curve(beside(base, "-loss.png"), beside(base, "-loss.csv"), title, [LossStage("edit", found.losses)])
    write_subject_view(base, found.after, model.labels)
    write_bytes_whole(beside(base, "-cameras.json"), json.dumps(cameras_to_json([camera], [base.name]), indent=1).encode())
    tuned = {} if key.file is None else read_subject_file(key.file.path).tuned
    made = asked | {"source": key.title, "finished": found.finished, "told": told}
    write_subject_file(path, record_of(model, found.subject.ws, camera, made, tuned))  # last: its being there says that all is
    return told


def _plain(value: float) -> float | None:
    """Rounded; None where there is nothing to say."""
    return round(value, 5) if math.isfinite(value) else None


def _db(value: float | None) -> str:
    return "unchanged" if value is None else f"{value:.1f} dB"
