"""Label videos: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.limits import MAX_FRAMES
from dnerf_core.ranges import ranged
from headless.runs.shared_calls import SubjectsCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.files.camera_files.turning import FileUp
    from headless.clips.plan import Clip, ClipPlan
    from headless.datasets.given_cameras import GivenCameras
    from headless.work.result_folder import ResultFolder


DEFAULT_SEEDS = (0,)


@dataclass(frozen=True, kw_only=True)
class VideoCall(SubjectsCall):
    """What one call of `video` asks for; None: what `docs/cli.md` says of an option that is not given."""

    between: bool = ranged(job_ranges.OFF)
    path: str = "arc"
    cameras_up: FileUp | None = None
    frames: int | None = ranged(job_ranges.FRAMES)
    fps: int = ranged(job_ranges.FPS)
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    exact: bool = ranged(job_ranges.OFF)
    output: Path = Path("dnerf-video")


def video(call: VideoCall, reporter: Reporter) -> None:
    """Run one call of `video`.

    Raises:
        DNeRFError: a wrong call, a model that cannot be used, or results that cannot be written.
    """
    from dnerf_core.files.names import LABELS_NAME
    from headless import models
    from headless.clips.job import RECORD_FORMAT, VideoJob
    from headless.clips.plan import mixed_subject, path_cameras, plan_clips
    from headless.runs.dry_run import estimated_clips
    from headless.work.estimates import weighed
    from headless.work.result_folder import ResultFolder
    from headless.work.workers import default_workers

    started = time.monotonic()
    facts = model_facts.describe_model(call.model_name)
    given = read_path(call, facts)
    from_file = None if given is None else list(given.cameras)
    apart, side_px = (None, None) if given is None else (path_sha256(call, given), asked_side(call, given))
    plan = make_plan(call, facts, from_file, apart, side_px)
    clips = plan_clips(plan, from_file or path_cameras(plan, facts.config.cameras))
    folder = ResultFolder(call.output, RECORD_FORMAT, "video", plan.to_json(), [LABELS_NAME])
    workers = call.workers or default_workers()
    if call.dry_run:
        tell_plan(call, plan, clips, facts, folder, workers, reporter)
        return
    job = VideoJob(plan, clips, folder, facts.labels if plan.masks else None, reporter, workers)
    told = {"command": "video", "output": str(call.output), "clips": len(clips), "frames": plan.frames}
    made = len(job.missing)
    size = f"{len(clips)} clips of {plan.frames} frames"
    estimate = estimated_clips(plan, facts.config, job.missing, len(job.kinds), workers)
    pictures = f"{size} of {plan.resolution_px} x {plan.resolution_px} px"
    remarks = [
        *(() if given is None else given.remarks),
        *weighed(estimate, call.output, pictures, ignored=call.ignore_disk_space),
    ]
    reporter.start(
        f"{call.output}: {size}, {made} of them to be made",
        **told,
        clips_missing=made,
        plan=plan.to_json(),
    )
    if not plan.masks:
        reporter.warning(f"{plan.model_name}: the model has no semantic branch, so only the image is written")
    for remark in remarks:
        reporter.warning(remark)
    if job.missing:
        model = models.load_model(call.model_name, call.device, exact=plan.exact)
        with models.one_thread_a_view():
            job.write(lambda mix: mixed_subject(model, plan, mix))
    seconds = time.monotonic() - started
    done = f"{made} made in {seconds:.1f} s" if made else "nothing to do, all there"
    first = call.output / job.file_name(clips[0], job.kinds[-1])
    reporter.summary(
        [f"{call.output}: {size}: {done}", *([] if given is None or given.told is None else [given.told]), f"look at {first}"],
        **told,
        clips_made=made,
        empty_frames=job.empty_frames,
        nothing_to_do=not made,
        seconds=round(seconds, 3),
    )


def tell_plan(
    call: VideoCall, plan: ClipPlan, clips: list[Clip], facts: ModelFacts, folder: ResultFolder, workers: int, reporter: Reporter
) -> None:
    """The summary of a call that only says what it would do.

    Raises:
        DNeRFError: a folder of another call, or a model that cannot be used.
    """
    from headless import models
    from headless.clips.job import VideoJob
    from headless.runs.dry_run import estimated_clips, measured_clips
    from headless.work.estimates import tell_dry_run

    folder.check()
    kinds = VideoJob.kinds_of(facts.labels if plan.masks else None)
    missing = [clip for clip in clips if any(folder.lacks(VideoJob.file_name(clip, kind)) for kind in kinds)]
    estimate = estimated_clips(plan, facts.config, missing, len(kinds), workers)
    if missing:
        model = models.load_model(call.model_name, call.device, exact=plan.exact)
        estimate = measured_clips(estimate, plan, missing, model, workers)
    size = f"{len(clips)} clips of {plan.frames} frames of {plan.resolution_px} x {plan.resolution_px} px"
    told = {"command": "video", "output": str(call.output), "clips": len(clips), "frames": plan.frames}
    tell_dry_run(estimate, call.output, size, reporter, told)


def read_path(call: VideoCall, facts: ModelFacts) -> GivenCameras | None:
    """The cameras of `--path FILE`, in the model's world; None for an arc or an orbit.

    Raises:
        UsageError: no such file, no cameras in it, or an option beside it that does not go with a file.
    """
    from dnerf_core.errors import UsageError
    from headless.cameras.given import read_given_cameras

    if call.path in ("arc", "orbit"):
        if call.cameras_up is not None:
            raise UsageError(f"--cameras-up: expected none with --path {call.path}, which is in the model's world; leave it out")
        if call.path == "orbit" and call.yaw is not None:
            raise UsageError("--yaw: expected no range with --path orbit, which goes all the way round; leave it out")
        if call.path == "orbit" and call.pitch is not None and call.pitch[0] != call.pitch[1]:
            low, high = call.pitch
            raise UsageError(f"--pitch {low:g}:{high:g}: expected one value for --path orbit; give --pitch {low:g}")
        return None
    for name, value in (("--frames", call.frames), ("--yaw", call.yaw), ("--pitch", call.pitch)):
        if value is not None:
            raise UsageError(f"{name}: expected none beside --path {call.path}, whose views are the frames; leave it out")
    return read_given_cameras(Path(call.path), facts.config, call.cameras_up, option="--path", most=MAX_FRAMES)


def path_sha256(call: VideoCall, given: GivenCameras) -> str:
    """What tells the cameras of a path from others: the hash of a cameras.json, of what is read out of any other file the views' own."""
    from dnerf_core.checkpoints.model_file import file_sha256

    path = Path(call.path)
    return given.sha256 if given.told is not None or not path.is_file() else file_sha256(path)


def asked_side(call: VideoCall, given: GivenCameras) -> int | None:
    """The side that the cameras' file asks for; None: it does not, or the call says another.

    Raises:
        UsageError: one that is out of range.
    """
    from headless.cameras.given import checked_side

    return None if call.resolution is not None else checked_side(given, Path(call.path))


def make_plan(
    call: VideoCall, facts: ModelFacts, from_file: list[Camera] | None, path_sha256: str | None = None, side_px: int | None = None
) -> ClipPlan:
    """The plan of a call for a model; the model's own directions and size stand in for options not given.

    Args:
        from_file: the cameras of the frames, where the call's path is neither an arc nor an orbit.
        path_sha256: what tells them from others.
        side_px: side of the frames that their file asks for; None: it does not.

    Raises:
        UsageError: `--between` with a single subject or with subject files.
        CheckpointError: a subject file that cannot be used with the model.
    """
    from dnerf_core.errors import UsageError
    from dnerf_core.own_views import view_ranges
    from dnerf_core.subject_key import checked_subject_files
    from headless.clips.plan import ClipPlan

    seeds = call.chosen_seeds(DEFAULT_SEEDS)
    if call.between and call.subject_files:
        raise UsageError("--between: expected seeds, found --subject; leave one of them out")
    if call.between and len(seeds) < 2:
        raise UsageError(f"--between: expected two subjects or more, found {len(seeds)}; give --seeds such as 3,7")
    yaw_deg, pitch_deg = view_ranges(facts.config.cameras, call.yaw, call.pitch)
    return ClipPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=seeds,
        between=call.between,
        path=call.path if call.path in ("arc", "orbit") else "file",  # type: ignore[arg-type]
        path_sha256=path_sha256,
        frames=len(from_file) if from_file is not None else call.frames or job_ranges.FRAMES.usual or 1,
        fps=call.fps,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        truncation=call.truncation,
        resolution_px=call.resolution or side_px or facts.config.image_size,
        masks=facts.has_semantics,
        exact=call.exact,
        subject_files=checked_subject_files(call.subject_files, facts.path),
    )
