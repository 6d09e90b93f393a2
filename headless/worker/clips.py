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
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files.names import LABELS_NAME
from dnerf_core.files.whole import temporary_for
from dnerf_core.job_ranges import FRAME_NUMBER
from dnerf_core.limits import MAX_RESOLUTION
from dnerf_core.ranges import Choices, Whole
from dnerf_core.subject_key import SubjectFile, SubjectKey, checked_subject_file, subject_key
from headless import models
from headless.clips.job import IMAGE, MORE_PREVIEWS, OVERLAY, PALETTE, RECORD_FORMAT, SIDE_BY_SIDE, VideoJob
from headless.clips.plan import Clip, ClipPlan, Crop, Frame, Mix
from headless.clips.replacing import put_back, replacing
from headless.runs.video import VideoCall, make_plan
from headless.work import workers
from headless.work.at_work import at_work, call_digest
from headless.work.convolutions import settled_form, subject_in_form
from headless.work.result_folder import ResultFolder
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params, chosen_poses

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from headless.datasets.poses.given import Pose

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREVIEW_FILES = {"image": IMAGE, "overlay": OVERLAY, "side-by-side": SIDE_BY_SIDE, "palette": PALETTE}
SHOWN = Choices(tuple(_PREVIEW_FILES), ("image", "overlay", "side-by-side"))


def video(job: Job, held: HeldModels) -> dict[str, Any]:
    """One clip, as `dnerf-headless video` writes it: the files' names by kind. The same request again finds them there."""
    params = Params(job.params)
    name, output, clip_name = params.text("model"), params.path("output"), params.text("name")
    subjects = [chosen_subject(part) for part in params.parts("subjects")]
    cameras, size = [camera for _, camera in params.cameras()], params.field(VideoCall, "resolution", "size_px")
    fps, legend = params.field(VideoCall, "fps"), params.field(VideoCall, "legend")
    poses, numbers = chosen_poses(params, len(cameras)), chosen_numbers(params, len(cameras))
    previews = params.ranged("previews", SHOWN)
    replace, sequence, crop = params.flag("replace"), params.flag("sequence"), chosen_crop(params)
    params.close()
    if _NAME.fullmatch(clip_name) is None:
        raise UsageError(f"params: name: expected letters, digits, ., - and _, found {clip_name[:60]!r}; rename it")
    facts = model_facts.describe_model(name)
    seeds, truncations, subject_files = chosen_seeds(subjects, len(cameras), facts.path)
    call = VideoCall(
        model_name=name,
        seeds=None if subject_files else tuple(dict.fromkeys(seeds)),
        subject_files=tuple(file.path for file in subject_files),
        path=tuple(cameras),
        fps=fps,
        legend=legend,
        truncation=truncations[0],
        resolution=size,
        device=held.device,
        output=output,
    )
    frames = frames_of(cameras, seeds, truncations, poses, numbers)
    given = [more for more in (poses, numbers and {"frame_numbers": numbers}, varied(truncations)) if more]
    frames_sha256 = path_sha256([clip_name, previews, sequence, crop and astuple(crop), *given], cameras, seeds)
    plan = make_plan(call, facts, cameras, frames_sha256)
    check_crop(crop, plan.resolution_px)
    clip = Clip(clip_name, tuple(frames), crop)
    chosen = tuple(kind for kind in MORE_PREVIEWS if kind in {_PREVIEW_FILES[preview] for preview in previews})
    labels, reporter = facts.labels if plan.masks else None, JobReporter(job)

    def folder_at(path: Path) -> ResultFolder:
        return ResultFolder(path, RECORD_FORMAT, "worker video", plan.to_json(), [LABELS_NAME])

    def written(folder: ResultFolder) -> VideoJob:
        """The clip in a folder that this call has to itself; what is missing of it is made."""
        form = settled_form(folder, held.device, exact=plan.exact)
        with folder.in_use(reporter):
            clip_job = VideoJob(plan, [clip], folder, labels, reporter, workers.default_workers(), chosen, sequence=sequence)
            if clip_job.missing:
                holder = held.get(name)
                with models.one_thread_a_view():
                    clip_job.write(lambda mix: subject_in_form(holder.subject(key_of_mix(plan, mix)), form))
        return clip_job

    if replace:
        with at_work(output.parent, call_digest(str(output)), reporter.warning, file_name=output.name):
            put_back(output)
            earlier = folder_at(output)
            if holds_call(earlier) or not is_replaceable(earlier, clip):
                video_job = written(earlier)  # goes on, or is refused
            else:
                with replacing(output) as fresh:
                    video_job = written(folder_at(fresh))
                    check_replaceable(earlier, clip)  # as it may have changed meanwhile
    else:
        video_job = written(folder_at(output))
    files = {kind.partition(".")[0]: str(output / video_job.file_name(clip, kind)) for kind in video_job.kinds}
    pictures = {"sequence": str(output / clip_name)} if sequence else {}
    return {"files": files, **pictures, "empty_frames": video_job.empty_frames, "warnings": reporter.warnings}


def chosen_subject(part: Params) -> SubjectKey | Path:
    """One of `subjects`; nothing else is in it."""
    chosen = part.subject()
    part.close()
    return chosen


def frames_of(
    cameras: list[Camera],
    seeds: list[int],
    truncations: list[float],
    poses: list[Pose] | None,
    numbers: list[int] | None,
) -> list[Frame]:
    """The frames of a clip, from what each of them has; a truncation of its own only where these differ."""
    own: list[float | None] = [*truncations] if varied(truncations) else [None] * len(seeds)
    mixes = [Mix(seed, seed, 0.0, truncation) for seed, truncation in zip(seeds, own, strict=True)]
    none: list[None] = [None] * len(cameras)
    columns = zip(cameras, mixes, poses or none, numbers or none, strict=True)
    return [Frame(index, *fields) for index, fields in enumerate(columns)]


def varied(truncations: list[float]) -> dict[str, list[float]]:
    """What tells a clip of several truncations from others; nothing where there is one."""
    return {"truncations": truncations} if len(set(truncations)) > 1 else {}


def key_of_mix(plan: ClipPlan, mix: Mix) -> SubjectKey:
    """The subject of a frame, with the frame's own truncation where it has one."""
    key = subject_key(plan, mix.first)
    return key if mix.truncation is None else key._replace(truncation=mix.truncation)


def chosen_numbers(params: Params, frames: int) -> list[int] | None:
    """`frame_numbers`: of each frame the number in its scene; None: they are not given.

    Raises:
        UsageError: not one for each frame, or not increasing.
    """
    numbers = params.wholes("frame_numbers", FRAME_NUMBER, default=None)
    if numbers is not None and len(numbers) != frames:
        raise UsageError(f"params: frame_numbers: expected one for each of {frames} cameras, found {len(numbers)}; correct them")
    if numbers is not None and any(after <= before for before, after in itertools.pairwise(numbers)):
        raise UsageError("params: frame_numbers: expected increasing numbers, found others; correct them")
    return numbers


def chosen_seeds(
    subjects: list[SubjectKey | Path], frames: int, model_path: Path
) -> tuple[list[int], list[float], tuple[SubjectFile, ...]]:
    """The seed and the truncation of each frame, and the files that the seeds number; no files: they are seeds.

    Raises:
        UsageError: neither one subject nor one a frame, or seeds and files together.
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
        return numbers * frames if len(numbers) == 1 else numbers, [1.0] * frames, different
    each = keys * frames if len(keys) == 1 else keys
    return [key.seed for key in each], [key.truncation for key in each], ()


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


def holds_call(folder: ResultFolder) -> bool:
    """Whether a folder is of this very call.

    Raises:
        OutputError: its record cannot be read, or is of something else.
    """
    found = folder.differences()
    return found is not None and not found.labels


def is_replaceable(folder: ResultFolder, clip: Clip) -> bool:
    """Whether a folder is missing or empty, or holds an earlier clip of this name and nothing else.

    Raises:
        OutputError: its record cannot be read, or is of something else.
    """
    if not folder.path.is_dir() or not any(folder.path.iterdir()):
        return not folder.path.exists() or folder.path.is_dir()
    top = folder.path / clip.name
    kinds = [top / kind for kind in ("images", "masks") if (top / kind).is_dir()]
    pictures = [path for kind in kinds for path in kind.iterdir()]
    name = re.compile(rf"{re.escape(clip.name)}_[0-9]{{4,7}}\.png")
    strange = [path for path in pictures if not name.fullmatch(temporary_for(path.name) or path.name)]
    if top.is_dir():
        strange += [path for path in top.iterdir() if path not in kinds]
    return not strange and folder.is_of_command([VideoJob.file_name(clip, kind) for kind in VideoJob.ALL_KINDS], [clip.name])


def check_replaceable(folder: ResultFolder, clip: Clip) -> None:
    """Raises:
    OutputError: a folder is replaceable no more.
    """
    if not is_replaceable(folder, clip):
        raise OutputError(
            f"{folder.path}: expected the earlier clip there as it was, found other files by now; take them out, and start it again"
        )


def path_sha256(options_of_clip: list[Any], cameras: list[Camera], seeds: list[int]) -> str:
    """What tells two clips of a folder's record apart besides the plan's own entries."""
    frames = [[seed, camera.to_json()] for camera, seed in zip(cameras, seeds, strict=True)]
    return hashlib.sha256(json.dumps([options_of_clip, frames]).encode()).hexdigest()
