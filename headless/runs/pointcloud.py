"""Fused point clouds: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.own_views import ALL_AROUND_YAW_DEG, view_ranges
from dnerf_core.ranges import Choice, ranged
from headless.blend.checks import check_blend_place
from headless.runs.choices import check_total, chosen_views
from headless.runs.shared_calls import FusionCall, SubjectViewsCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.files.cloud_formats import CloudFormat
    from dnerf_core.files.clouds import CloudColor
    from headless.clouds.plan import CloudPlan
    from headless.clouds.sources import CloudSource
    from headless.datasets.splits import Splits


FORMATS = ("ply", "npz", "glb", "shapenetpart")
COLOR = Choice(("rgb", "label"), "rgb")


@dataclass(frozen=True, kw_only=True)
class PointCloudCall(SubjectViewsCall, FusionCall):
    """What one call of `pointcloud` asks for; None: what `docs/cli.md` says of an option that is not given."""

    from_folder: Path | None = None
    views: int | None = ranged(job_ranges.CLOUD_VIEWS)
    yaw: tuple[float, float] | None = ranged(job_ranges.CLOUD_YAW)
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    formats: tuple[CloudFormat, ...] = ("ply",)
    color: CloudColor = ranged(COLOR)
    category: str = "Car"
    exact: bool = ranged(job_ranges.OFF)
    splits: Splits = ()
    output: Path = Path("dnerf-clouds")


def pointcloud(call: PointCloudCall, reporter: Reporter) -> None:
    """Run one call of `pointcloud`.

    Raises:
        DNeRFError: a wrong call, a model or folder that cannot be used, or results that cannot be written.
    """
    with ExitStack() as held:
        _pointcloud(call, reporter, held)


def _pointcloud(call: PointCloudCall, reporter: Reporter, held: ExitStack) -> None:
    """`pointcloud`, with `held` the folder's lock."""
    from dnerf_core.files.names import LABELS_NAME
    from headless import models
    from headless.clouds.job import RECORD_FORMAT, CloudJob, list_names
    from headless.work.extending import extend
    from headless.work.result_folder import ResultFolder
    from headless.work.verification import verify
    from headless.work.workers import default_workers

    started = time.monotonic()
    source, described = open_source(call)
    plan = make_plan(call, source, described)
    if call.output.suffix.lower() == ".blend":
        from headless.blend.job import blend_of_clouds

        check_blend_place(call.output, "--output")
        with models.one_thread_a_view():
            blend_of_clouds(call.output, plan, source, reporter, call.workers or default_workers())
        return
    tops = [*plan.formats, *(name for name, _ in plan.splits)]
    folder = ResultFolder(call.output, RECORD_FORMAT, "pointcloud", plan.to_json(), [LABELS_NAME, *tops])
    held.enter_context(folder.in_use(reporter))
    if call.extend:
        extend(folder, lambda earlier: list_names(plan))
    verified = verify(folder, reporter, call.workers or default_workers()) if call.verify else None
    job = CloudJob(plan, source, folder, reporter, call.workers or default_workers())
    missing = len(job.missing)
    fields = {"command": "pointcloud", "output": str(call.output), "clouds": len(source.names)}
    reporter.start(
        f"{call.output}: {len(source.names)} clouds, {missing} of them to be made",
        **fields,
        clouds_missing=missing,
        plan=plan.to_json(),
    )
    if source.labels is None:
        reporter.warning("the views have no labels, so the clouds have none")
    if job.missing:
        with models.one_thread_a_view():
            job.write()
    else:
        job.write()
    folder.completed = True
    if verified is not None:
        fields |= verified.to_json()
    seconds = time.monotonic() - started
    done = f"{missing} made in {seconds:.1f} s, {job.points} points" if job.files_made else "nothing to do, all there"
    first = job.file(source.names[0], plan.formats[0])
    reporter.summary(
        [
            f"{call.output}: {len(source.names)} clouds as {', '.join(plan.formats)}: {done}",
            *([] if verified is None else [verified.line]),
            f"look at {first}",
        ],
        **fields,
        clouds_made=missing,
        points=job.points,
        nothing_to_do=not job.files_made,
        seconds=round(seconds, 3),
    )


def open_source(call: PointCloudCall) -> tuple[CloudSource, dict[str, Any]]:
    """Where the views come from, and how the folder's record describes it.

    Raises:
        DNeRFError: no such model or folder, or options that do not go together.
    """
    from dnerf_core.errors import UsageError
    from dnerf_core.subject_key import checked_subject_files
    from dnerf_core.work.made_once import Once
    from headless import models
    from headless.clouds.sources import FolderSource, ModelSource
    from headless.datasets.plan import ViewPlan

    if call.from_folder is not None:
        refused = (
            ("--seeds", call.seeds),
            ("--subjects", call.subjects),
            ("--subject", call.subject_files or None),
            ("--views", call.views),
        )
        for name, value in refused:
            if value is not None:
                raise UsageError(f"{name}: expected none beside --from, whose views are all fused; leave it out")
        folder = FolderSource.open(call.from_folder)
        return folder, folder.to_json()
    seeds = call.chosen_seeds()
    facts = model_facts.describe_model(call.model_name)
    yaw_deg, pitch_deg = view_ranges(
        facts.config.cameras, call.yaw, call.pitch, drawn=call.random_views, default_yaw_deg=ALL_AROUND_YAW_DEG
    )
    view_plan = ViewPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=seeds,
        views=chosen_views(call.views, yaw_deg, pitch_deg, job_ranges.CLOUD_VIEWS),
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        spacing="uniform" if call.random_views else "even",
        truncation=call.truncation,
        resolution_px=call.resolution or facts.config.image_size,
        channels=("rgb", "mask", "depth") if facts.has_semantics else ("rgb", "depth"),
        depth_format=None,
        exact=call.exact,
        subject_files=checked_subject_files(call.subject_files, facts.path),
    )
    check_total(len(seeds), view_plan.views)
    model = Once(lambda: models.load_model(call.model_name, call.device, exact=call.exact))
    return ModelSource(view_plan, facts.config, facts.labels if facts.has_semantics else None, model), view_plan.to_json()


def make_plan(call: PointCloudCall, source: CloudSource, described: dict[str, Any]) -> CloudPlan:
    """The plan of a call.

    Raises:
        UsageError: both `--voxel` and `--points`, a format or colours that need labels where there are none, a bad category or one that
            the labels do not go with, or splits where there are no subjects.
    """
    from dnerf_core.errors import UsageError
    from dnerf_core.files.clouds import Category
    from dnerf_core.files.posed_folder import OBJECT_NAME
    from dnerf_core.files.shapenetpart import check_parts
    from headless.clouds.plan import CloudPlan

    if call.voxel is not None and call.points is not None:
        raise UsageError("--voxel and --points: expected one of them, found both; a count decides the spacing")
    if source.labels is None:
        for needs_labels, option in (
            ("shapenetpart" in call.formats, "--format shapenetpart"),
            (call.color == "label", "--color label"),
        ):
            if needs_labels:
                raise UsageError(
                    f"{option}: expected views with labels, found none; train a semantic branch first, or leave it out"
                )
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", call.category) is None:
        raise UsageError(f"--category: expected a word of letters, digits, - and _, found {call.category!r}; rename it")
    if "shapenetpart" in call.formats and source.labels is not None:
        check_parts(source.labels, Category.named(call.category))
    if call.splits and OBJECT_NAME in source.names:
        raise UsageError(
            f"--splits: expected views that say which subject they show, found some without a seed in {call.from_folder}; leave it out"
        )
    if call.splits and call.output.suffix.lower() == ".blend":
        raise UsageError(f"--splits: expected an --output folder, found {call.output}, one file for all; leave it out")
    for name, _ in call.splits:
        if name in FORMATS:
            raise UsageError(f"--splits: expected other names than {', '.join(FORMATS)}, found {name}; rename the split")
    return CloudPlan(described, call.formats, call.color, call.voxel, call.points, call.category, call.splits)
