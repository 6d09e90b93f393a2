"""The method that makes label videos along cameras."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import UsageError
from headless import models, workers
from headless.clips import Clip, ClipPlan, Frame, Mix
from headless.video_job import PREVIEWS, RECORD_FORMAT, VideoJob
from headless.worker.held import HeldModel, HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params
from headless.writers.folder import LABELS_NAME
from headless.writers.result_folder import ResultFolder

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.subject import Subject

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREVIEW_FILES = {"image": "image.mp4", "overlay": "overlay.mp4", "side-by-side": "side-by-side.mp4"}
MAX_FPS = 240


def video(job: Job, held: HeldModels) -> dict[str, Any]:
    """One clip, as `dnerf-headless video` writes it: the files' names by kind. The same request again finds them there."""
    params = Params(job.params)
    name, output, clip_name = params.text("model"), params.path("output"), params.text("name")
    subjects = [(part.seed(), part.truncation()) for part in params.parts("subjects")]
    cameras, size = [camera for _, camera in params.cameras()], params.size_px(None)
    fps = params.whole("fps", 1, MAX_FPS, 24)
    previews = params.choices("previews", tuple(_PREVIEW_FILES), tuple(_PREVIEW_FILES))
    replace = params.flag("replace")
    params.close()
    if _NAME.fullmatch(clip_name) is None:
        raise UsageError(f"params: name: expected letters, digits, ., - and _, found {clip_name[:60]!r}; rename it")
    seeds, truncation = chosen_seeds(subjects, len(cameras))
    facts = models.describe_model(name)
    size_px = size or facts.config.image_size
    plan = ClipPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=tuple(dict.fromkeys(seeds)),
        between=False,
        path="file",
        path_sha256=path_sha256(clip_name, cameras, seeds, previews),
        frames=len(cameras),
        fps=fps,
        yaw_deg=(0.0, 0.0),
        pitch_deg=(0.0, 0.0),
        truncation=truncation,
        resolution_px=size_px,
        masks=facts.has_semantics,
        exact=False,
    )
    frames = [Frame(i, camera, Mix(seed, seed, 0.0)) for i, (camera, seed) in enumerate(zip(cameras, seeds, strict=True))]
    clip = Clip(clip_name, tuple(frames))
    folder = ResultFolder(output, RECORD_FORMAT, "worker video", plan.to_json(), [LABELS_NAME])
    if replace:
        folder.give_up([VideoJob.file_name(clip, kind) for kind in VideoJob.ALL_KINDS])
    reporter = JobReporter(job)
    labels = facts.labels if plan.masks else None
    chosen = tuple(kind for kind in PREVIEWS if kind in {_PREVIEW_FILES[preview] for preview in previews})
    made = VideoJob(plan, [clip], folder, labels, reporter, workers.default_workers(), previews=chosen)
    if made.missing:
        holder = held.get(name)
        with models.one_thread_a_view():
            made.write(lambda mix: _subject(holder, mix, truncation))
    files = {kind.partition(".")[0]: str(output / made.file_name(clip, kind)) for kind in made.kinds}
    return {"files": files, "empty_frames": made.empty_frames, "warnings": reporter.warnings}


def chosen_seeds(subjects: list[tuple[int, float]], frames: int) -> tuple[list[int], float]:
    """The seed of each frame, and the truncation of all.

    Raises:
        UsageError: neither one subject nor one a frame, or several truncations.
    """
    if len(subjects) not in (1, frames):
        raise UsageError(
            f"params: subjects: expected one, or one for each of {frames} cameras, found {len(subjects)}; correct them"
        )
    truncations = {truncation for _, truncation in subjects}
    if len(truncations) > 1:
        raise UsageError(f"params: subjects: expected one truncation in all frames, found {len(truncations)}; choose one")
    seeds = [seed for seed, _ in subjects]
    return seeds * frames if len(seeds) == 1 else seeds, truncations.pop()


def path_sha256(clip_name: str, cameras: list[Camera], seeds: list[int], previews: tuple[str, ...]) -> str:
    """What tells two clips of a folder's record apart besides the plan's own entries."""
    frames = [[seed, camera.to_json()] for camera, seed in zip(cameras, seeds, strict=True)]
    return hashlib.sha256(json.dumps([clip_name, list(previews), frames]).encode()).hexdigest()


def _subject(holder: HeldModel, mix: Mix, truncation: float) -> Subject:
    return holder.subject(mix.first, truncation)
