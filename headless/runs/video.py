"""Label videos: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import UsageError, brief, counted
from dnerf_core.limits import MAX_FRAMES
from dnerf_core.ranges import ranged
from headless.runs.poses import MotionCall, read_motion
from headless.runs.shared_calls import SubjectsCall, WeighedCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.backbone.poses import Motion
    from dnerf_core.camera import Camera
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.files.camera_files.turning import FileUp
    from headless.clips.plan import Clip, ClipPlan
    from headless.datasets.given_cameras import GivenCameras
    from headless.datasets.splits import Splits
    from headless.work.result_folder import ResultFolder


DEFAULT_SEEDS = (0,)


@dataclass(frozen=True, kw_only=True)
class VideoCall(SubjectsCall, MotionCall, WeighedCall):
    """What one call of `video` asks for; None: what `docs/cli.md` says of an option that is not given.

    Attributes:
        path: how the camera moves: along an arc, once round, through the views of a file of cameras, or through these cameras.
        cameras_up: the axis that points up in that file's world; None: its world is the model's.
        frames: of a clip; None: as many as the cameras of a file, or as the motion of `pose` has at `fps`, or the usual number.
    """

    between: bool = ranged(job_ranges.OFF)
    path: Literal["arc", "orbit"] | Path | tuple[Camera, ...] = "arc"
    cameras_up: FileUp | None = None
    frames: int | None = ranged(job_ranges.FRAMES)
    fps: int | Fraction = ranged(job_ranges.FPS)
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    exact: bool = ranged(job_ranges.OFF)
    splits: Splits = ()
    legend: bool = ranged(job_ranges.OFF)
    output: Path = Path("dnerf-video")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.path, str) and self.path not in ("arc", "orbit"):
            raise UsageError(
                f"path: expected arc, orbit, the Path of a file, or cameras, found {brief(self.path)}; choose another"
            )


def video(call: VideoCall, reporter: Reporter) -> None:
    """Run one call of `video`.

    Raises:
        DNeRFError: a wrong call, a model that cannot be used, or results that cannot be written.
    """
    with ExitStack() as held:
        _video(call, reporter, held)


def _video(call: VideoCall, reporter: Reporter, held: ExitStack) -> None:
    """`video`, with `held` the folder's lock."""
    from dnerf_core.files.names import LABELS_NAME
    from headless import models
    from headless.clips.job import RECORD_FORMAT, VideoJob
    from headless.clips.plan import mixed_subject
    from headless.runs.dry_run import estimated_clips
    from headless.work.convolutions import model_in_form, settled_form
    from headless.work.estimates import weighed
    from headless.work.result_folder import ResultFolder
    from headless.work.taking import taken
    from headless.work.workers import default_workers

    started = time.monotonic()
    facts = model_facts.describe_model(call.model_name)
    given, motion = given_cameras(call, facts), read_motion(call, facts, float(call.fps))
    plan, clips = planned(call, facts, given, motion)
    folder = ResultFolder(call.output, RECORD_FORMAT, "video", plan.to_json(), [LABELS_NAME, *(name for name, _ in plan.splits)])
    workers, form = call.workers or default_workers(), settled_form(folder, call.device, exact=plan.exact)
    if call.dry_run:
        tell_plan(call, plan, clips, facts, folder, workers, reporter)
        return
    verified = taken(folder, reporter, held, call, workers=workers)
    job = VideoJob(plan, clips, folder, facts.labels if plan.masks else None, reporter, workers)
    fields = {"command": "video", "output": str(call.output), "clips": len(clips), "frames": plan.frames}
    missing = len(job.missing)
    size = f"{counted(len(clips), 'clip')} of {counted(plan.frames, 'frame')}"
    estimate = estimated_clips(plan, facts.config, job.missing, len(job.kinds), workers)
    pictures = f"{size} of {plan.resolution_px} x {plan.resolution_px} px"
    remarks = [
        *(() if given is None else given.remarks),
        *(() if motion is None else motion.remarks),
        *weighed(estimate, call.output, pictures, ignored=call.ignore_disk_space),
    ]
    reporter.start(
        f"{call.output}: {size}, {missing} of them to be made",
        **fields,
        clips_missing=missing,
        plan=plan.to_json(),
    )
    if not plan.masks:
        reporter.warning(f"{plan.model_name}: the model has no semantic branch, so only the image is written")
    for remark in remarks:
        reporter.warning(remark)
    if job.missing:
        model = model_in_form(models.load_model(call.model_name, call.device, exact=plan.exact), form)
        with models.one_thread_a_view():
            job.write(lambda mix: mixed_subject(model, plan, mix))
    elif job.labels is not None and folder.lacks(LABELS_NAME):
        job.write_labels()
    folder.completed = True
    if verified is not None:
        fields |= verified.to_json()
    seconds = time.monotonic() - started
    done = f"{missing} made in {seconds:.1f} s" if missing else "nothing to do, all there"
    first = call.output / job.file_name(clips[0], job.kinds[-1])
    reporter.summary(
        [
            f"{call.output}: {size}: {done}",
            *([] if given is None else given.world_lines),
            *(() if motion is None else motion.lines),
            *([] if verified is None else [verified.line]),
            f"look at {first}",
        ],
        **fields,
        clips_made=missing,
        empty_frames=job.empty_frames,
        nothing_to_do=not missing,
        seconds=round(seconds, 3),
    )


def planned(call: VideoCall, facts: ModelFacts, given: GivenCameras | None, motion: Motion | None) -> tuple[ClipPlan, list[Clip]]:
    """The plan of a call and its clips; see `given_cameras` and `read_motion` for what they follow.

    Raises:
        DNeRFError: as `make_plan`.
    """
    from headless.clips.plan import path_cameras, plan_clips

    cameras = None if given is None else list(given.cameras)
    identity, side_px = (None, None) if given is None else (path_sha256(call, given), side_of_path(call, given))
    plan = make_plan(call, facts, cameras, identity, side_px, motion)
    seen_by = cameras or path_cameras(plan, facts.config.cameras)
    return plan, plan_clips(plan, seen_by, None if motion is None else motion.poses)


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
    size = f"{counted(len(clips), 'clip')} of {counted(plan.frames, 'frame')} of {plan.resolution_px} x {plan.resolution_px} px"
    fields = {"command": "video", "output": str(call.output), "clips": len(clips), "frames": plan.frames}
    tell_dry_run(estimate, call.output, size, reporter, fields)


def given_cameras(call: VideoCall, facts: ModelFacts) -> GivenCameras | None:
    """The cameras of a file that is the call's path, in the model's world, or those that are the path themselves; None for an arc or orbit.

    Raises:
        UsageError: no such file, no cameras in it or too many, or an option beside them that does not go with them.
    """
    from headless.cameras.given import read_given_cameras
    from headless.datasets.given_cameras import GivenCameras

    path = call.path
    if not isinstance(path, Path) and call.cameras_up is not None:
        title = f"--path {path}" if isinstance(path, str) else "a path of cameras"
        raise UsageError(f"--cameras-up: expected none with {title}, which is in the model's world; leave it out")
    if isinstance(path, str):
        if path == "orbit" and call.yaw is not None:
            raise UsageError("--yaw: expected no range with --path orbit, which goes all the way round; leave it out")
        if path == "orbit" and call.pitch is not None and call.pitch[0] != call.pitch[1]:
            low, high = call.pitch
            raise UsageError(f"--pitch {low:g}:{high:g}: expected one value for --path orbit; give --pitch {low:g}")
        return None
    title = f"--path {path}" if isinstance(path, Path) else "a path of cameras"
    for name, value in (("--frames", call.frames), ("--yaw", call.yaw), ("--pitch", call.pitch)):
        if value is not None:
            raise UsageError(f"{name}: expected none beside {title}, whose views are the frames; leave it out")
    if isinstance(path, Path):
        return read_given_cameras(path, facts.config, call.cameras_up, option="--path", most=MAX_FRAMES)
    if not path:
        raise UsageError(f"{title}: expected at least one view, found none; name some")
    if len(path) > MAX_FRAMES:
        raise UsageError(f"{title}: expected at most {MAX_FRAMES} views, found {len(path)}; leave some out")
    return GivenCameras(path, "")


def path_sha256(call: VideoCall, given: GivenCameras) -> str:
    """What tells the cameras of a path from others: the hash of a cameras.json, of all others the hash of the views."""
    from dnerf_core.checkpoints.model_file import file_sha256

    if isinstance(call.path, Path) and call.path.is_file() and given.world_line is None:
        return file_sha256(call.path)
    return given.sha256


def side_of_path(call: VideoCall, given: GivenCameras) -> int | None:
    """The side that the cameras' file asks for; None: it does not, or the call says another.

    Raises:
        UsageError: one that is out of range.
    """
    from headless.cameras.given import checked_side

    return checked_side(given, call.path) if call.resolution is None and isinstance(call.path, Path) else None


def make_plan(
    call: VideoCall,
    facts: ModelFacts,
    cameras: list[Camera] | None,
    path_sha256: str | None = None,
    side_px: int | None = None,
    motion: Motion | None = None,
) -> ClipPlan:
    """The plan of a call for a model; the model's own directions and size stand in for options not given.

    Args:
        cameras: of the frames, see `given_cameras`.
        path_sha256: what tells them from others; None: the path is an arc or an orbit.
        side_px: side of the frames that the cameras' file asks for; None: it does not.
        motion: that the subjects follow; None: they keep their own pose.

    Raises:
        UsageError: a motion of more frames than a clip may have, `--between` with a single subject, with subject files or with splits.
        CheckpointError: a subject file that cannot be used with the model.
    """
    from dnerf_core.own_views import view_ranges
    from dnerf_core.subject_key import checked_subject_files
    from headless.clips.plan import ClipPlan
    from headless.datasets.poses.given import motion_json

    seeds = call.chosen_seeds(DEFAULT_SEEDS)
    if call.between and call.subject_files:
        raise UsageError("--between: expected seeds, found --subject; leave one of them out")
    if call.between and len(seeds) < 2:
        raise UsageError(f"--between: expected two subjects or more, found {len(seeds)}; give --seeds such as 3,7")
    if call.between and call.splits:
        raise UsageError("--between: expected no --splits beside it, since one clip shows all subjects; leave one of them out")
    yaw_deg, pitch_deg = view_ranges(facts.config.cameras, call.yaw, call.pitch)
    return ClipPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=seeds,
        between=call.between,
        path=call.path if isinstance(call.path, str) else "file",
        path_sha256=path_sha256,
        frames=clip_frames(call, cameras, motion),
        fps=call.fps,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        truncation=call.truncation,
        resolution_px=call.resolution or side_px or facts.config.image_size,
        masks=facts.has_semantics,
        exact=call.exact,
        subject_files=checked_subject_files(call.subject_files, facts.path),
        splits=call.splits,
        legend=call.legend,
        **({} if motion is None else motion_json(motion)),
    )


def clip_frames(call: VideoCall, cameras: list[Camera] | None, motion: Motion | None) -> int:
    """How many frames each clip has.

    Raises:
        UsageError: more than a clip may have.
    """
    if cameras is not None:
        return len(cameras)
    if call.frames is not None or motion is None or len(motion) == 1:
        return call.frames or job_ranges.FRAMES.usual or 1
    if len(motion) > MAX_FRAMES:
        raise UsageError(
            f"--pose {motion.title}: expected at most {MAX_FRAMES} frames at --fps {call.fps}, found {len(motion)}; "
            "give fewer by --frames A:B"
        )
    return len(motion)
