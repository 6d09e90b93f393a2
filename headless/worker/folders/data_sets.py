"""The method that writes a data set, as `dnerf-headless render` does: the same call, by the same names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.errors import UsageError, brief
from dnerf_core.files.camera_files.turning import FILE_UPS
from dnerf_core.job_ranges import CHANNELS, FORMATS, REJECT_UNCERTAIN, SEED
from dnerf_core.limits import MAX_FRAMES, MAX_SUBJECTS
from dnerf_core.ranges import Choice, Whole
from dnerf_core.work.interruption import interruptible
from headless.datasets.channels import parse_channels
from headless.datasets.splits import Splits, parse_splits
from headless.runs.render import RenderCall, render
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params

RANGED = (
    *("subjects", "truncation", "views", "yaw", "pitch", "random_views", "view_distribution", "random_poses"),
    *("resolution", "exact", "consistent", "workers", "extend", "verify", "ignore_disk_space"),
    *("masks", "depth_format", "shard_views", "coco_instances", "nerfstudio_images", "aabb_scale"),
)
"""The call's fields that say themselves what they may be."""


def data_set(job: Job, held: HeldModels) -> dict[str, Any]:
    """A data set folder as `dnerf-headless render` writes it; the same request again finishes what is missing."""
    params = Params(job.params)
    call = render_call(params, held.device)
    params.close()
    reporter = JobReporter(job)
    with interruptible(job.check):
        render(call, reporter, load=lambda name: held.get(name).model)
    results = reporter.results
    names = (
        "views",
        "subjects",
        "views_written",
        "nothing_to_do",
        "rejected",
        "empty_masks",
        "vanished",
        "contact_sheet",
        "seconds",
    )
    checked: dict[str, Any] = {name: results[name] for name in ("verified", "damaged") if name in results}
    return {"output": str(call.output), **{name: results[name] for name in names}, **checked, "warnings": reporter.warnings}


def render_call(params: Params, device: str) -> RenderCall:
    """The call that a request means.

    Raises:
        UsageError: a value that the command would not take.
    """
    files = tuple(given_path(text, "subject_files") for text in params.texts("subject_files", None) or ())
    seeds = params.wholes("seeds", SEED, most=MAX_SUBJECTS, default=None)
    if seeds is not None and len(set(seeds)) < len(seeds):
        raise UsageError("params: seeds: expected each one once, found one twice; leave it out")
    channels = params.ranged("channels", CHANNELS)
    formats = params.ranged("formats", FORMATS) or ()
    frames = params.wholes("pose_frames", Whole(1, MAX_FRAMES), most=2, default=None)
    if frames is not None and (len(frames) != 2 or frames[0] > frames[1]):
        raise UsageError("params: pose_frames: expected the first and the last frame, found others; correct the request")
    return RenderCall(
        model_name=params.text("model"),
        seeds=None if seeds is None else tuple(seeds),
        subject_files=files,
        cameras=params.path("cameras", None),
        cameras_up=params.ranged("cameras_up", Choice(FILE_UPS)),
        pose=chosen_pose(params.text("pose", None)),
        pose_frames=None if frames is None else (frames[0], frames[1]),
        bone_map=params.path("bone_map", None),
        channels=None if channels is None else checked_channels(channels),
        formats=tuple(name for name in FORMATS.choices if name == "folder" or name in formats),
        splits=chosen_splits(params.text("splits", None)),
        reject_uncertain=params.ranged("reject_uncertain", REJECT_UNCERTAIN),
        output=params.path("output"),
        device=device,
        **params.fields(RenderCall, *RANGED),
    )


def given_path(text: str, name: str) -> Path:
    """An absolute path of a file that is there.

    Raises:
        UsageError: it is not.
    """
    path = Path(text)
    if not (path.is_absolute() and path.is_file()):
        raise UsageError(f"params: {name}: expected absolute paths of files, found {text[:200]!a}; correct the request")
    return path


def chosen_pose(text: str | None) -> Path | None:
    """The absolute path of a file of poses, or the name of a motion that the program brings; None: neither is given.

    Raises:
        UsageError: a path that is not absolute.
    """
    path = None if text is None else Path(text)
    if path is not None and not path.is_absolute() and (path.suffix or len(path.parts) > 1):
        raise UsageError(f"params: pose: expected a motion's name or an absolute path, found {brief(text)}; correct the request")
    return path


def checked_channels(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Channels that go together, as `--channels` has them.

    Raises:
        UsageError: they do not.
    """
    try:
        return parse_channels(",".join(channels))
    except ValueError as error:
        raise UsageError(f"params: channels: {error}") from error


def chosen_splits(text: str | None) -> Splits:
    """The splits of a text such as `train=0.8,test=0.2`; none where it is not given.

    Raises:
        UsageError: it is not of that form.
    """
    if text is None:
        return ()
    try:
        return parse_splits(text)
    except ValueError as error:
        raise UsageError(f"params: splits: {error}") from error
