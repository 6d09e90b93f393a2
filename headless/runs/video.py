"""Label videos: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import UsageError, brief
from dnerf_core.limits import MAX_FRAMES
from dnerf_core.ranges import ranged
from headless.runs.shared_calls import SubjectsCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from headless.clips.plan import ClipPlan
    from headless.datasets.splits import Splits


DEFAULT_SEEDS = (0,)


@dataclass(frozen=True, kw_only=True)
class VideoCall(SubjectsCall):
    """What one call of `video` asks for; None: what `docs/cli.md` says of an option that is not given.

    Attributes:
        path: how the camera moves: along an arc, once round, through the views of a cameras.json, or through these cameras.
    """

    between: bool = ranged(job_ranges.OFF)
    path: Literal["arc", "orbit"] | Path | tuple[Camera, ...] = "arc"
    frames: int | None = ranged(job_ranges.FRAMES)
    fps: int = ranged(job_ranges.FPS)
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    exact: bool = ranged(job_ranges.OFF)
    splits: Splits = ()
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
    from headless.clips.plan import mixed_subject, path_cameras, plan_clips
    from headless.work.extending import extend
    from headless.work.result_folder import ResultFolder
    from headless.work.verification import verify
    from headless.work.workers import default_workers

    started = time.monotonic()
    facts = model_facts.describe_model(call.model_name)
    cameras = given_cameras(call)
    plan = make_plan(call, facts, cameras)
    clips = plan_clips(plan, cameras or path_cameras(plan, facts.config.cameras))
    folder = ResultFolder(call.output, RECORD_FORMAT, "video", plan.to_json(), [LABELS_NAME, *(name for name, _ in plan.splits)])
    held.enter_context(folder.in_use(reporter))
    if call.extend:
        extend(folder)
    workers = call.workers or default_workers()
    verified = verify(folder, reporter, workers) if call.verify else None
    job = VideoJob(plan, clips, folder, facts.labels if plan.masks else None, reporter, workers)
    fields = {"command": "video", "output": str(call.output), "clips": len(clips), "frames": plan.frames}
    missing = len(job.missing)
    size = f"{len(clips)} clips of {plan.frames} frames"
    reporter.start(
        f"{call.output}: {size}, {missing} of them to be made",
        **fields,
        clips_missing=missing,
        plan=plan.to_json(),
    )
    if not plan.masks:
        reporter.warning(f"{plan.model_name}: the model has no semantic branch, so only the image is written")
    if job.missing:
        model = models.load_model(call.model_name, call.device, exact=plan.exact)
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
        [f"{call.output}: {size}: {done}", *([] if verified is None else [verified.line]), f"look at {first}"],
        **fields,
        clips_made=missing,
        empty_frames=job.empty_frames,
        nothing_to_do=not missing,
        seconds=round(seconds, 3),
    )


def given_cameras(call: VideoCall) -> list[Camera] | None:
    """The cameras of a file that is the call's path, or those that are the path themselves; None for an arc or an orbit.

    Raises:
        UsageError: no such file, no cameras in it or too many, or an option beside them that does not go with them.
    """
    from dnerf_core.camera import cameras_from_json

    path = call.path
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
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{title}: expected arc, orbit or a cameras.json, it cannot be read ({error})") from error
        cameras = list(cameras_from_json(text, str(path)).values())
    else:
        cameras = list(path)
    where = path if isinstance(path, Path) else title
    if not cameras:
        raise UsageError(f"{where}: expected at least one view, found none; name some")
    if len(cameras) > MAX_FRAMES:
        raise UsageError(f"{where}: expected at most {MAX_FRAMES} views, found {len(cameras)}; leave some out")
    return cameras


def make_plan(call: VideoCall, facts: ModelFacts, cameras: list[Camera] | None, path_sha256: str | None = None) -> ClipPlan:
    """The plan of a call for a model; the model's own directions and size stand in for options not given.

    Args:
        cameras: of the frames, see `given_cameras`.
        path_sha256: what tells them from others; None: the hash of the path's file, or of the cameras.

    Raises:
        UsageError: `--between` with a single subject, with subject files or with splits.
        CheckpointError: a subject file that cannot be used with the model.
    """
    from dnerf_core.own_views import view_ranges
    from dnerf_core.subject_key import checked_subject_files
    from headless.clips.plan import ClipPlan

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
        path_sha256=path_sha256 or _sha256_of_path(call),
        frames=len(cameras) if cameras is not None else call.frames or job_ranges.FRAMES.usual or 1,
        fps=call.fps,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        truncation=call.truncation,
        resolution_px=call.resolution or facts.config.image_size,
        masks=facts.has_semantics,
        exact=call.exact,
        subject_files=checked_subject_files(call.subject_files, facts.path),
        splits=call.splits,
    )


def _sha256_of_path(call: VideoCall) -> str | None:
    """Of the file, or of the cameras, that a call's path is; None: it is an arc or an orbit."""
    from dnerf_core.checkpoints.model_file import file_sha256

    if isinstance(call.path, str):
        return None
    if isinstance(call.path, Path):
        return file_sha256(call.path)
    return hashlib.sha256(json.dumps([camera.to_json() for camera in call.path]).encode()).hexdigest()
