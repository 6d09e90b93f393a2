"""Fused point clouds: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import dataclasses
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core import job_ranges
from dnerf_core.errors import counted
from dnerf_core.ranges import Choice, ranged
from headless.blend.checks import check_blend_place
from headless.runs.fused_views import model_source
from headless.runs.shared_calls import FusedViewsCall, FusionCall, WeighedCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.files.cloud_formats import CloudFormat
    from dnerf_core.files.clouds import CloudColor
    from headless.clouds.plan import CloudPlan
    from headless.clouds.sources import CloudSource
    from headless.datasets.splits import Splits
    from headless.work.result_folder import ResultFolder


FORMATS = ("ply", "npz", "glb", "shapenetpart", "usd")
COLOR = Choice(("rgb", "label"), "rgb")


@dataclass(frozen=True, kw_only=True)
class PointCloudCall(FusedViewsCall, FusionCall, WeighedCall):
    """What one call of `pointcloud` asks for; None: what `docs/cli.md` says of an option that is not given."""

    from_folder: Path | None = None
    formats: tuple[CloudFormat, ...] = ("ply",)
    color: CloudColor = ranged(COLOR)
    category: str = "Car"
    splits: Splits = ()
    canonical: bool = ranged(job_ranges.OFF)
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
    from headless.clouds.sources import ModelSource
    from headless.runs.dry_run import estimated_clouds, measured_clouds
    from headless.work.estimates import tell_dry_run, weighed
    from headless.work.extending import extend
    from headless.work.result_folder import ResultFolder
    from headless.work.taking import taken
    from headless.work.workers import default_workers

    started = time.monotonic()
    source, described = open_source(call)
    plan = make_plan(call, source, described)
    workers = call.workers or default_workers()
    if call.output.suffix.lower() == ".blend":
        _write_blend(call, plan, source, reporter, workers)
        return
    tops = [*plan.formats, *(name for name, _ in plan.splits)]
    folder = ResultFolder(call.output, RECORD_FORMAT, "pointcloud", plan.to_json(), [LABELS_NAME, *tops])
    source = _in_settled_form(source, folder, call)
    grow = partial(extend, folder, lambda earlier: list_names(plan))
    verified = None if call.dry_run else taken(folder, reporter, held, call, grow=grow, workers=workers)
    job = CloudJob(plan, source, folder, reporter, workers, only_look=call.dry_run)
    missing = len(job.missing)
    fields = {"command": "pointcloud", "output": str(call.output), "clouds": len(source.names)}
    views, config = (source.plan, source.config) if isinstance(source, ModelSource) else (None, None)
    given = None if views is None else views.given
    remarks = [] if given is None else list(given.remarks)
    estimate = estimated_clouds(plan, config, views, source, job.missing, workers)
    size = counted(len(source.names), "cloud")
    if call.dry_run:
        tell_dry_run(measured_clouds(estimate, source, job.missing, workers), call.output, size, reporter, fields, remarks)
        return
    remarks += weighed(estimate, call.output, size, ignored=call.ignore_disk_space)
    reporter.start(
        f"{call.output}: {counted(len(source.names), 'cloud')}, {missing} of them to be made",
        **fields,
        clouds_missing=missing,
        plan=plan.to_json(),
    )
    if source.labels is None:
        reporter.warning("the views have no labels, so the clouds have none")
    for remark in remarks:
        reporter.warning(remark)
    if job.missing:
        with models.one_thread_a_view():
            job.write()
    else:
        job.write()
    folder.completed = True
    if verified is not None:
        fields |= verified.to_json()
    seconds = time.monotonic() - started
    done = f"{missing} made in {seconds:.1f} s, {counted(job.points, 'point')}" if job.files_made else "nothing to do, all there"
    first = job.file(source.names[0], plan.formats[0])
    reporter.summary(
        [
            f"{call.output}: {counted(len(source.names), 'cloud')} as {', '.join(plan.formats)}: {done}",
            *([] if given is None else given.world_lines),
            *([] if verified is None else [verified.line]),
            f"look at {first}",
        ],
        **fields,
        clouds_made=missing,
        points=job.points,
        nothing_to_do=not job.files_made,
        seconds=round(seconds, 3),
    )


def _in_settled_form(source: CloudSource, folder: ResultFolder, call: PointCloudCall) -> CloudSource:
    """The source; a model's views in the form that the folder has."""
    from headless.clouds.sources import ModelSource
    from headless.work.convolutions import settled_form

    if not isinstance(source, ModelSource):
        return source
    return source.in_form(settled_form(folder, call.device, exact=call.exact))


def _write_blend(call: PointCloudCall, plan: CloudPlan, source: CloudSource, reporter: Reporter, workers: int) -> None:
    """All clouds in one .blend file, which is not a folder of results.

    Raises:
        UsageError: an option that needs such a folder.
    """
    from dnerf_core.errors import UsageError
    from headless import models
    from headless.blend.job import blend_of_clouds
    from headless.clouds.sources import ModelSource

    for option, given in (("--dry-run", call.dry_run), ("--extend", call.extend), ("--verify", call.verify)):
        if given:
            raise UsageError(f"{option}: expected a folder as --output, found a .blend file; leave it out, or name a folder")
    check_blend_place(call.output, "--output")
    if isinstance(source, ModelSource) and source.plan.given is not None:
        for remark in source.plan.given.remarks:
            reporter.warning(remark)
    with models.one_thread_a_view():
        blend_of_clouds(call.output, plan, source, reporter, workers)


def open_source(call: PointCloudCall) -> tuple[CloudSource, dict[str, Any]]:
    """Where the views come from, and how the folder's record describes it.

    Raises:
        DNeRFError: no such model or folder, or options that do not go together.
    """
    from dnerf_core.errors import UsageError
    from headless.clouds.sources import FolderSource, check_moves

    if call.from_folder is not None:
        refused = (
            ("--seeds", call.seeds),
            ("--subjects", call.subjects),
            ("--subject", call.subject_files or None),
            ("--views", call.views),
            ("--cameras", call.cameras),
            ("--cameras-up", call.cameras_up),
            ("--pose", call.pose),
            ("--canonical", call.canonical or None),
        )
        for name, value in refused:
            if value is not None:
                raise UsageError(f"{name}: expected none beside --from, whose views are all fused; leave it out")
        folder = FolderSource.open(call.from_folder)
        return folder, folder.to_json()
    model = model_source(call)
    if call.canonical:
        check_moves(model.config)
        model = dataclasses.replace(model, canonical=True)
    return model, model.to_json()


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
    from dnerf_core.files.usd import check_usd
    from headless.clouds.plan import CloudPlan

    if "usd" in call.formats:
        check_usd()
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
