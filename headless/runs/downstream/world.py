"""Exact test sets of a world: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerf_core import job_ranges
from dnerf_core.demo.exact_worlds import EXACT_WORLDS
from dnerf_core.errors import UsageError, counted
from dnerf_core.photographs.strengths import LEVELS, Level
from dnerf_core.ranges import Choice, Flag, ranged
from headless.datasets.spacing import DISTRIBUTION
from headless.runs.choices import check_total, chosen_seeds, chosen_views
from headless.runs.pointcloud import FORMATS
from headless.runs.shared_calls import FusionCall, KeptViewsCall
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.demo.exact_worlds import ExactWorld
    from dnerf_core.files.cloud_formats import CloudFormat
    from dnerf_core.files.pictures import DepthFormat
    from headless.clouds.plan import CloudPlan
    from headless.datasets.spacing import Spacing
    from headless.datasets.splits import Splits
    from headless.worlds.plan import WorldPlan
    from headless.worlds.source import ScannedWorld

Options = dict[str, Any]
"""Values by the options that they are of."""

WORLD = Choice(
    tuple(EXACT_WORLDS),
    "demo-cars",
    "Take the subjects of this world: one that an embedded model learned from, or harder-cars, drawn apart from it.",
)
PHOTOGRAPH = Choice(
    LEVELS,
    "none",
    "Make pictures look like photographs, with backgrounds, light, blur, noise and JPEG: a good camera's (mild), or a phone's anywhere "
    "(hard).",
)
CLOUDS = Flag(
    False, "Write labelled clouds instead of views, scanned from exact views all around: their depths and masks, fused."
)
UNIFORM_CLOUDS = Flag(
    False, "Write labelled clouds instead of views, of points spread evenly over the whole surface, hidden places included."
)
UNIFORM_POINTS = 2048
"""Of a cloud of the whole surface, where `points` does not say."""


@dataclass(frozen=True, kw_only=True)
class WorldCall(KeptViewsCall, FusionCall):
    """What one call of `world` asks for; None: what docs/cli.md says of an option that is not given.

    Attributes:
        clouds, uniform_clouds: clouds instead of views.
        formats: of clouds.

    Example:
        >>> world(WorldCall(world="harder-cars", seeds=tuple(range(90)), views=1, photograph="hard", output=Path("test")))
    """

    world: str = ranged(WORLD)
    seeds: tuple[int, ...] | None = None
    subjects: int | None = ranged(job_ranges.SUBJECTS)
    views: int | None = ranged(job_ranges.VIEWS)
    yaw: tuple[float, float] | None = ranged(job_ranges.CLOUD_YAW)
    pitch: tuple[float, float] | None = ranged(job_ranges.PITCH)
    view_distribution: Spacing | None = ranged(DISTRIBUTION)
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    photograph: Level = ranged(PHOTOGRAPH)
    depth_format: DepthFormat = ranged(job_ranges.DEPTH_FORMAT)
    splits: Splits = ()
    clouds: bool = ranged(CLOUDS)
    uniform_clouds: bool = ranged(UNIFORM_CLOUDS)
    formats: tuple[CloudFormat, ...] = ("ply",)
    category: str | None = None
    output: Path = Path("dnerf-world")

    @property
    def kind(self) -> Literal["views", "clouds", "uniform clouds"]:
        """What is written."""
        return "clouds" if self.clouds else "uniform clouds" if self.uniform_clouds else "views"


def world(call: WorldCall, reporter: Reporter | None = None) -> None:
    """Run one call of `world`: write a test set, or what is missing of it.

    Args:
        reporter: hears how it gets on; None: nobody does, but warnings are given to Python's `warnings`.

    Raises:
        DNeRFError: a wrong call, or results that cannot be written.
    """
    check_call(call)
    with ExitStack() as held:
        (_views if call.kind == "views" else _clouds)(call, reporter or Quiet(), held)


def check_call(call: WorldCall) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: they do not.
    """
    if call.clouds and call.uniform_clouds:
        raise UsageError(
            "--clouds and --uniform-clouds: expected one of them, found both; call once for each, with an --output each"
        )
    if call.voxel is not None and call.points is not None:
        raise UsageError("--voxel and --points: expected one of them, found both; a count decides the spacing")
    of_clouds: Options = {
        "--voxel": call.voxel,
        "--points": call.points,
        "--category": call.category,
        "--format": None if call.formats == ("ply",) else call.formats,
    }
    of_views: Options = {
        "--photograph": None if call.photograph == "none" else call.photograph,
        "--depth-format": None if call.depth_format == job_ranges.DEPTH_FORMAT.default else call.depth_format,
    }
    of_cameras: Options = {
        "--views": call.views,
        "--yaw": call.yaw,
        "--pitch": call.pitch,
        "--resolution": call.resolution,
        "--view-distribution": call.view_distribution,
    }
    refused = {
        "views": ("--clouds or --uniform-clouds", of_clouds),
        "clouds": ("views", of_views),
        "uniform clouds": ("views or --clouds", of_views | of_cameras | {"--voxel": call.voxel}),
    }[call.kind]
    for option, value in refused[1].items():
        if value is not None:
            raise UsageError(f"{option}: expected {refused[0]}, found {call.kind}, which it says nothing of; leave it out")
    if call.category is not None and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", call.category) is None:
        raise UsageError(f"--category: expected a word of letters, digits, - and _, found {call.category!r}; rename it")
    for name, _ in call.splits:
        if call.kind != "views" and name in FORMATS:
            raise UsageError(f"--splits: expected other names than {', '.join(FORMATS)}, found {name}; rename the split")
    if "usd" in call.formats:
        from dnerf_core.files.usd import check_usd

        check_usd()


def make_plan(call: WorldCall, chosen: ExactWorld) -> WorldPlan:
    """The plan of a call; the world's own directions and size stand in for options not given.

    Raises:
        UsageError: options that contradict each other, or too many views.
    """
    from dnerf_core.demo.exact_worlds import world_sha256
    from headless.worlds.plan import WorldPlan

    seeds = chosen_seeds(call.seeds, call.subjects)
    yaw_deg, pitch_deg = call.yaw or chosen.yaw_deg, call.pitch or chosen.pitch_deg
    spacing = call.view_distribution or ("even" if call.clouds else "uniform")
    usual = job_ranges.CLOUD_VIEWS if call.clouds else job_ranges.VIEWS
    views = chosen_views(call.views, yaw_deg, pitch_deg, usual)
    check_total(len(seeds), views)
    return WorldPlan(
        model_name=call.world,
        model_sha256=world_sha256(call.world),
        seeds=seeds,
        views=views,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        spacing=spacing,
        truncation=1.0,
        resolution_px=call.resolution or chosen.size_px,
        channels=("rgb", "mask", "depth"),
        depth_format=call.depth_format,
        mask_format="ids",
        splits=call.splits,
        photograph=call.photograph,
    )


def _views(call: WorldCall, reporter: Reporter, held: ExitStack) -> None:
    """A folder of views, with `held` its lock."""
    from dnerf_core.demo.exact_worlds import exact_world
    from dnerf_core.files.names import SHEET_NAME
    from headless import models
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.listing import Listing
    from headless.datasets.verified import opened
    from headless.datasets.view_job import ViewJob, by_threads
    from headless.datasets.view_writer import ViewWriter
    from headless.work.workers import default_workers
    from headless.worlds.source import subject_maker

    started = time.monotonic()
    chosen = exact_world(call.world)
    plan, workers = make_plan(call, chosen), call.workers or default_workers()
    folder = DatasetFolder(call.output, "world", plan)
    listing = Listing(plan, folder, chosen.cameras, chosen.labels, reporter, workers=workers)
    verified = opened(folder, reporter, held, call, listing)
    job = ViewJob(ViewWriter(plan, folder, chosen.cameras, chosen.labels), reporter, listing)
    total = len(plan.seeds) * plan.views
    fields = {"command": "world", "output": str(call.output), "views": total}
    reporter.start(job.start_message, **fields, views_missing=job.views_missing, plan=plan.to_json())
    if job.views_missing:
        with models.one_thread_a_view():
            job.write(by_threads(subject_maker(plan), workers))
    elif job.files_missing():
        job.write()
    fields |= {} if verified is None else verified.to_json()
    seconds = time.monotonic() - started
    done = "nothing to do, all there" if job.nothing_to_do else f"{job.views_written} written in {seconds:.1f} s"
    reporter.summary(
        [
            f"{call.output}: {counted(total, 'exact view')} of {counted(len(plan.seeds), 'subject')} of {call.world}: {done}",
            *([] if verified is None else [verified.line]),
            f"look at {call.output / SHEET_NAME}",
        ],
        **fields,
        subjects=len(plan.seeds),
        views_written=job.views_written,
        empty_masks=job.empty_masks,
        nothing_to_do=job.nothing_to_do,
        contact_sheet=str(call.output / SHEET_NAME),
        seconds=round(seconds, 3),
    )


def _clouds(call: WorldCall, reporter: Reporter, held: ExitStack) -> None:
    """A folder of clouds, with `held` its lock."""
    from dnerf_core.demo.exact_worlds import exact_world
    from dnerf_core.files.names import LABELS_NAME
    from headless import models
    from headless.clouds.job import RECORD_FORMAT, CloudJob, list_names
    from headless.work.extending import extend
    from headless.work.result_folder import ResultFolder
    from headless.work.taking import taken
    from headless.work.workers import default_workers
    from headless.worlds.source import ScannedWorld

    started = time.monotonic()
    chosen = exact_world(call.world)
    source, workers = ScannedWorld(make_plan(call, chosen)), call.workers or default_workers()
    plan = _cloud_plan(call, chosen, source)
    tops = [*plan.formats, *(name for name, _ in plan.splits)]
    folder = ResultFolder(call.output, RECORD_FORMAT, "world", plan.to_json(), [LABELS_NAME, *tops])
    grow = partial(extend, folder, lambda earlier: list_names(plan))
    verified = taken(folder, reporter, held, call, grow=grow, workers=workers)
    surfaces = partial(source.surfaces, plan.points or UNIFORM_POINTS) if call.uniform_clouds else None
    job = CloudJob(plan, source, folder, reporter, workers, make_clouds=surfaces)
    missing, size = len(job.missing), counted(len(source.names), "cloud")
    fields = {"command": "world", "output": str(call.output), "clouds": len(source.names)}
    reporter.start(f"{call.output}: {size}, {missing} of them to be made", **fields, clouds_missing=missing, plan=plan.to_json())
    with models.one_thread_a_view():
        job.write()
    folder.completed = True
    fields |= {} if verified is None else verified.to_json()
    seconds = time.monotonic() - started
    done = f"{missing} made in {seconds:.1f} s, {counted(job.points, 'point')}" if job.files_made else "nothing to do, all there"
    reporter.summary(
        [
            f"{call.output}: {size} of {call.world} as {', '.join(plan.formats)}: {done}",
            *([] if verified is None else [verified.line]),
            f"look at {job.file(source.names[0], plan.formats[0])}",
        ],
        **fields,
        clouds_made=missing,
        points=job.points,
        nothing_to_do=not job.files_made,
        seconds=round(seconds, 3),
    )


def _cloud_plan(call: WorldCall, chosen: ExactWorld, source: ScannedWorld) -> CloudPlan:
    """The plan of the clouds of a call.

    Raises:
        UsageError: a category whose parts the world's labels are not.
    """
    from dnerf_core.files.clouds import Category
    from dnerf_core.files.shapenetpart import check_parts
    from headless.clouds.plan import CloudPlan

    category = call.category or chosen.category
    if "shapenetpart" in call.formats:
        check_parts(chosen.labels, Category.named(category))
    described = source.surface_json() if call.uniform_clouds else source.to_json()
    points = call.points or UNIFORM_POINTS if call.uniform_clouds else call.points
    return CloudPlan(described, call.formats, "rgb", call.voxel, points, category, call.splits)
