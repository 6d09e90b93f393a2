"""The method that makes label videos along cameras."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import UsageError
from dnerf_core.files.names import LABELS_NAME
from dnerf_core.files.whole import remove_files
from dnerf_core.limits import MAX_RESOLUTION
from dnerf_core.ranges import Choices, Whole
from dnerf_core.subject_key import SubjectFile, SubjectKey, checked_subject_file, subject_key
from headless import models
from headless.clips.job import PREVIEWS, RECORD_FORMAT, VideoJob
from headless.clips.plan import Clip, Crop, Frame, Mix
from headless.runs.video import VideoCall, make_plan
from headless.work import workers
from headless.work.result_folder import ResultFolder
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params, chosen_poses

if TYPE_CHECKING:
    from dnerf_core.camera import Camera

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREVIEW_FILES = {"image": "image.mp4", "overlay": "overlay.mp4", "side-by-side": "side-by-side.mp4"}
SHOWN = Choices(tuple(_PREVIEW_FILES), tuple(_PREVIEW_FILES))


def video(job: Job, held: HeldModels) -> dict[str, Any]:
    """One clip, as `dnerf-headless video` writes it: the files' names by kind. The same request again finds them there."""
    params = Params(job.params)
    name, output, clip_name = params.text("model"), params.path("output"), params.text("name")
    subjects = [chosen_subject(part) for part in params.parts("subjects")]
    cameras, size = [camera for _, camera in params.cameras()], params.field(VideoCall, "resolution", "size_px")
    fps, legend = params.field(VideoCall, "fps"), params.field(VideoCall, "legend")
    poses = chosen_poses(params, len(cameras))
    previews = params.ranged("previews", SHOWN)
    replace, sequence, crop = params.flag("replace"), params.flag("sequence"), chosen_crop(params)
    params.close()
    if _NAME.fullmatch(clip_name) is None:
        raise UsageError(f"params: name: expected letters, digits, ., - and _, found {clip_name[:60]!r}; rename it")
    facts = model_facts.describe_model(name)
    seeds, truncation, subject_files = chosen_seeds(subjects, len(cameras), facts.path)
    call = VideoCall(
        model_name=name,
        seeds=None if subject_files else tuple(dict.fromkeys(seeds)),
        subject_files=tuple(file.path for file in subject_files),
        path=tuple(cameras),
        fps=fps,
        legend=legend,
        truncation=truncation,
        resolution=size,
        device=held.device,
        output=output,
    )
    posed: list[Any] = [] if poses is None else [poses]
    frames_sha256 = path_sha256([clip_name, previews, sequence, crop and astuple(crop), *posed], cameras, seeds)
    plan = make_plan(call, facts, cameras, frames_sha256)
    check_crop(crop, plan.resolution_px)
    frames = [
        Frame(index, camera, Mix(seed, seed, 0.0), pose)
        for index, (camera, seed, pose) in enumerate(
            zip(cameras, seeds, poses or itertools.repeat(None, len(cameras)), strict=True)
        )
    ]
    clip = Clip(clip_name, tuple(frames), crop)
    folder = ResultFolder(output, RECORD_FORMAT, "worker video", plan.to_json(), [LABELS_NAME])
    reporter = JobReporter(job)
    with folder.in_use(reporter):
        if replace:
            make_room(folder, clip)
        labels = facts.labels if plan.masks else None
        chosen = tuple(kind for kind in PREVIEWS if kind in {_PREVIEW_FILES[preview] for preview in previews})
        video_job = VideoJob(plan, [clip], folder, labels, reporter, workers.default_workers(), chosen, sequence=sequence)
        if video_job.missing:
            holder = held.get(name)
            with models.one_thread_a_view():
                video_job.write(lambda mix: holder.subject(subject_key(plan, mix.first)))
    files = {kind.partition(".")[0]: str(output / video_job.file_name(clip, kind)) for kind in video_job.kinds}
    pictures = {"sequence": str(output / clip_name)} if sequence else {}
    return {"files": files, **pictures, "empty_frames": video_job.empty_frames, "warnings": reporter.warnings}


def chosen_subject(part: Params) -> SubjectKey | Path:
    """One of `subjects`; nothing else is in it."""
    chosen = part.subject()
    part.close()
    return chosen


def chosen_seeds(
    subjects: list[SubjectKey | Path], frames: int, model_path: Path
) -> tuple[list[int], float, tuple[SubjectFile, ...]]:
    """The seed of each frame, the truncation of all, and the files that the seeds number; no files: they are seeds.

    Raises:
        UsageError: neither one subject nor one a frame, seeds and files together, or several truncations.
        CheckpointError: a file that cannot be used with the model.
    """
    if len(subjects) not in (1, frames):
        raise UsageError(
            f"params: subjects: expected one, or one for each of {frames} cameras, found {len(subjects)}; correct them"
        )
    paths = [subject for subject in subjects if isinstance(subject, Path)]
    keys = [subject for subject in subjects if isinstance(subject, SubjectKey)]
    if paths and keys:
        raise UsageError("params: subjects: expected seeds in all frames or subject files in all, found both; choose one")
    if paths:
        files = {path: checked_subject_file(path, model_path) for path in dict.fromkeys(paths)}
        different = tuple({file.sha256: file for file in files.values()}.values())
        hashes = [file.sha256 for file in different]
        numbers = [hashes.index(files[path].sha256) for path in paths]
        return numbers * frames if len(numbers) == 1 else numbers, 1.0, different
    truncations = {key.truncation for key in keys}
    if len(truncations) > 1:
        raise UsageError(f"params: subjects: expected one truncation in all frames, found {len(truncations)}; choose one")
    seeds = [key.seed for key in keys]
    return seeds * frames if len(seeds) == 1 else seeds, truncations.pop(), ()


def chosen_crop(params: Params) -> Crop | None:
    """`crop_px`: left, top, width and height of what is cut out of every frame."""
    numbers = params.wholes("crop_px", Whole(0, MAX_RESOLUTION), most=4, default=None)
    if numbers is None:
        return None
    if len(numbers) != 4 or min(numbers[2:]) < 1:
        raise UsageError("params: crop_px: expected left, top, width and height in pixels, found others; correct the request")
    return Crop(*numbers)


def check_crop(crop: Crop | None, size_px: int) -> None:
    """Raises:
    UsageError: the rectangle does not lie within frames of this side.
    """
    if crop is not None and max(crop.left_px + crop.width_px, crop.top_px + crop.height_px) > size_px:
        raise UsageError(
            f"params: crop_px: expected a rectangle within {size_px} x {size_px} px, found {astuple(crop)}; correct it"
        )


def make_room(folder: ResultFolder, clip: Clip) -> None:
    """Remove an earlier clip of this name, its pictures too, however many there were. Nothing is removed where other files lie there.

    Raises:
        OutputError: it cannot be removed.
    """
    top = folder.path / clip.name
    kinds = [top / kind for kind in ("images", "masks") if (top / kind).is_dir()]
    pictures = [path for kind in kinds for path in kind.iterdir()]
    name = re.compile(rf"{re.escape(clip.name)}_[0-9]{{4,6}}\.png")
    strange = [path for path in pictures if not name.fullmatch(path.name)]
    if top.is_dir():
        strange += [path for path in top.iterdir() if path not in kinds]
    if not strange and folder.give_up([VideoJob.file_name(clip, kind) for kind in VideoJob.ALL_KINDS], [clip.name]):
        remove_files(pictures)
        for path in [*kinds, *([top] if top.is_dir() else [])]:
            path.rmdir()


def path_sha256(options_of_clip: list[Any], cameras: list[Camera], seeds: list[int]) -> str:
    """What tells two clips of a folder's record apart besides the plan's own entries."""
    frames = [[seed, camera.to_json()] for camera, seed in zip(cameras, seeds, strict=True)]
    return hashlib.sha256(json.dumps([options_of_clip, frames]).encode()).hexdigest()
