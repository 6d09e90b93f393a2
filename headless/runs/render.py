"""A data set rendered: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.embedded import EMBEDDED_MODELS
from dnerf_core.errors import counted
from dnerf_core.ranges import Choice, ranged
from headless.blend.checks import check_blend_place, check_blend_views
from headless.datasets.format_options import FormatOptions
from headless.datasets.poses.vertices import template_file_of
from headless.datasets.spacing import DISTRIBUTION, check_consistent, check_formats, check_reject, chosen_channels, chosen_spacing
from headless.runs.choices import check_total
from headless.runs.poses import PosedCall, given_poses, skeleton_of, subject_views
from headless.runs.shared_calls import GivenCamerasCall, WeighedCall
from headless.work.estimates import Formats
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.files.pictures import DepthFormat, MaskFormat
    from dnerf_core.model import Model
    from headless.datasets.channels import Channel
    from headless.datasets.formats.card import Origin
    from headless.datasets.formats.registry import Format
    from headless.datasets.plan import ViewPlan
    from headless.datasets.spacing import Spacing
    from headless.datasets.splits import Splits
    from headless.datasets.view_job import MakeViews, ViewJob
    from headless.datasets.view_source import ViewSource
    from headless.datasets.view_writer import ViewWriter

LoadModel = Callable[[str], "Model"]
ENGINE = Choice(("threads", "ray"), "threads")


@dataclass(frozen=True, kw_only=True)
class RenderCall(GivenCamerasCall, PosedCall, FormatOptions, WeighedCall):
    """What one call of `render` asks for; None: what docs/cli.md says of an option that is not given.

    Example:
        >>> render(RenderCall(output=Path("cars"), seeds=(0, 1), views=5, yaw=(-30, 30)))
    """

    view_distribution: Spacing | None = ranged(DISTRIBUTION)
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    engine: Literal["threads", "ray"] = ranged(ENGINE)
    shard: tuple[int, int] = (1, 1)
    exact: bool = ranged(job_ranges.OFF)
    consistent: bool = ranged(job_ranges.OFF)
    output: Path = Path("dnerf-out")
    formats: tuple[Format, ...] = ("folder",)
    channels: tuple[Channel, ...] | None = None
    masks: MaskFormat | None = ranged(job_ranges.MASKS)
    depth_format: DepthFormat = ranged(job_ranges.DEPTH_FORMAT)
    splits: Splits = ()
    reject_uncertain: float = 0.0
    blend: Path | None = None


def render(call: RenderCall, reporter: Reporter | None = None, load: LoadModel | None = None) -> None:
    """Run one call of `render`: write a data set, or what is missing of it.

    Args:
        reporter: hears how it gets on; None: nobody does, but warnings are given to Python's `warnings`.
        load: gives the model by its name or path, on the call's device; None: it is loaded for this call alone.

    Raises:
        DNeRFError: a wrong call, a model that cannot be used, or results that cannot be written.
    """
    with ExitStack() as held:
        _render(call, reporter or Quiet(), load, held)


def _render(call: RenderCall, reporter: Reporter, load: LoadModel | None, held: ExitStack) -> None:
    """`render`, with `held` the folder's lock."""
    from headless.cluster.cluster import require_ray
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.formats.card import CARD_NAME
    from headless.datasets.listing import Listing
    from headless.datasets.plan import Shard
    from headless.datasets.set_statistics import STATISTICS_NAME
    from headless.datasets.verified import opened
    from headless.datasets.view_job import ViewJob
    from headless.datasets.view_source import settled_source
    from headless.datasets.view_writer import ViewWriter
    from headless.runs.dry_run import weighed_views
    from headless.work.workers import default_workers

    started = time.monotonic()
    if call.engine == "ray":
        require_ray()
    seeds = call.chosen_seeds()
    facts = model_facts.describe_model(call.model_name)
    plan = plan_of_folder(call, seeds, facts)
    check_reject(call.reject_uncertain, plan.channels)
    check_formats(call.formats, plan.channels)
    options = FormatOptions.from_call(call)
    options.check(call.formats, plan.channels)
    check_total(len(plan.seeds), plan.views)
    folder = DatasetFolder(call.output, "render", plan, more_names=[STATISTICS_NAME, CARD_NAME])
    shard = Shard(*call.shard)
    workers, labels = call.workers or default_workers(), facts.labels if plan.masks else None
    listing = Listing(
        plan,
        folder,
        facts.config.cameras,
        labels,
        reporter,
        workers=workers,
        formats=call.formats,
        options=options,
        origin=make_origin(call.model_name, facts),
    )
    source = settled_source(folder, call.model_name, call.device, here=call.engine != "ray")
    verified = opened(folder, reporter, held, call, listing, shard, only_look=call.dry_run)
    step_px = max(1, round(plan.resolution_px / facts.config.rays.neural_resolution))
    writer = ViewWriter(plan, folder, facts.config.cameras, labels, step_px)
    job = ViewJob(writer, reporter, listing, shard=shard, template_file=partial(template_file_of, facts))
    fields = {"command": "render", "output": str(call.output), "views": sum(map(plan.views_of, job.seeds))}
    remarks = weighed_views(
        call,
        writer,
        source.open,
        job.views_missing,
        workers,
        facts.config,
        reporter,
        fields,
        Formats(call.formats, call.nerfstudio_images != "linked"),
    )
    if remarks is None:
        return
    reporter.start(job.start_message, **fields, views_missing=job.views_missing, plan=plan.to_json())
    for remark in [*plan_remarks(call, plan, facts, job.views_missing), *remarks]:
        reporter.warning(remark)
    if job.views_missing:
        with opened_engine(call, writer, source, workers, reporter, load) as make_views:
            job.write(make_views)
    elif job.files_missing():
        job.write()
    statistics = listing.statistics() if job.complete else {}
    if statistics:
        listing.tell(statistics)
    blend_lines = write_blend(call, facts, reporter)
    if verified is not None:
        fields, blend_lines = fields | verified.to_json(), [verified.line, *blend_lines]
    tell_end(call, job, statistics, fields, blend_lines, time.monotonic() - started, reporter)


def plan_remarks(call: RenderCall, plan: ViewPlan, facts: ModelFacts, missing: int) -> list[str]:
    """What a call is to be warned of that the plan makes otherwise than is usual; `missing` views have still to be made."""
    from headless.datasets.earlier import kept_kinds

    remarks = [] if plan.poses is None else list(plan.poses.remarks)
    if not facts.has_semantics and call.channels is None:
        remarks.append(f"{plan.model_name}: the model has no semantic branch, so no masks and no labels.json are written")
    if missing and (kept := kept_kinds(plan)):
        remarks.append(f"{call.output}: begun by an earlier version, it goes on with {' and '.join(kept)}")
    return remarks


def tell_end(
    call: RenderCall,
    job: ViewJob,
    statistics: dict[str, Any],
    fields: dict[str, Any],
    blend_lines: list[str],
    seconds: float,
    reporter: Reporter,
) -> None:
    """The summary of a job that went well.

    Args:
        statistics: of the whole set; empty where it is not complete.
        fields: of the first message, which the summary repeats.
        blend_lines: see `write_blend`.
    """
    from dnerf_core.files.names import SHEET_NAME
    from headless.datasets.plan import WHOLE

    plan, total = job.plan, sum(map(job.plan.views_of, job.seeds))
    size = f"{plan.resolution_px} x {plan.resolution_px} px"
    sheet = call.output / SHEET_NAME
    done = "nothing to do, all there" if job.nothing_to_do else f"{job.views_written} written in {seconds:.1f} s"
    part = "" if job.shard == WHOLE else f"part {job.shard}: "
    after = (
        f"look at {sheet}" if job.complete else "other parts are not done yet; the one that ends last writes the contact sheet"
    )
    shares = {label["name"]: label["share"] for label in statistics.get("labels", [])}
    relabelled = None if job.changes.share is None else round(job.changes.share, 6)
    reporter.summary(
        [
            f"{call.output}: {part}{counted(total, 'view')} of {counted(len(job.seeds), 'subject')}, {size}: {done}",
            *([] if plan.given is None else plan.given.world_lines),
            *(() if plan.poses is None else plan.poses.lines),
            *mask_lines(relabelled, shares, statistics.get("rejected", 0), plan.total),
            *blend_lines,
            after,
        ],
        **fields,
        subjects=len(job.seeds),
        shard=str(job.shard),
        complete=job.complete,
        views_written=job.views_written,
        empty_masks=statistics.get("empty_masks", job.empty_masks),
        vanished=statistics.get("vanished", []),
        rejected=statistics.get("rejected", 0),
        label_shares=shares,
        relabelled=relabelled,
        nothing_to_do=job.nothing_to_do,
        formats=list(call.formats),
        contact_sheet=str(sheet),
        blend=None if call.blend is None else str(call.blend),
        seconds=round(seconds, 3),
    )


def mask_lines(relabelled: float | None, shares: dict[str, float], rejected: int, views: int) -> list[str]:
    """What the summary says to people of the masks: labels that consistent ones changed in this run, shares of all, views rejected."""
    lines = []
    if relabelled is not None:
        lines.append(f"consistent masks: {100 * relabelled:.3g}% of the part pixels of the views made now changed label")
    if shares:
        lines.append(f"labels: {', '.join(f'{name} {100 * share:.3g}%' for name, share in shares.items())}")
    if rejected:
        lines.append(f"rejected as uncertain: {rejected} of {counted(views, 'view')}")
    return lines


def write_blend(call: RenderCall, facts: ModelFacts, reporter: Reporter) -> list[str]:
    """The `--blend` of a folder whose views are all there; returns the summary's lines of it, none where none is asked for.

    Raises:
        OutputError: it cannot be written.
    """
    if call.blend is None:
        return []
    from headless.blend.job import blend_of_folder

    blend_of_folder(call.blend, call.output, facts.config.cameras.world_up, reporter)
    return [f"{call.blend}: cameras, pictures and clouds"]


def plan_of_folder(call: RenderCall, seeds: tuple[int, ...], facts: ModelFacts) -> ViewPlan:
    """The plan of a call, with what its folder was begun with.

    Raises:
        DNeRFError: as `make_plan`, or the folder's record cannot be read.
    """
    from headless.datasets.adding.calls import with_added
    from headless.datasets.earlier import continued

    plan = continued(make_plan(call, seeds, facts), call.output, call.masks)
    return with_added(plan, call.output, facts.config.cameras, call)


def make_plan(call: RenderCall, seeds: tuple[int, ...], facts: ModelFacts) -> ViewPlan:
    """The plan of a call for a model; the model's own directions and size stand in for options not given.

    Raises:
        UsageError: options that contradict each other, or channels that the model does not have.
        CheckpointError: a subject file that cannot be used with the model.
    """
    from dnerf_core.own_views import view_ranges
    from dnerf_core.subject_key import checked_subject_files
    from headless.cameras.given import chosen_cameras
    from headless.datasets.plan import ViewPlan

    channels = chosen_channels(call.channels, facts)
    if call.consistent:
        check_consistent(channels, facts)
    given, side_px = chosen_cameras(call.cameras, facts.config, call.cameras_up, call.resolution)
    spacing = chosen_spacing(call.view_distribution, call.random_views)
    yaw_deg, pitch_deg = view_ranges(facts.config.cameras, call.yaw, call.pitch, drawn=spacing != "even")
    poses = given_poses(call, facts)
    views = subject_views(call.views, poses, yaw_deg, pitch_deg) if given is None else len(given.cameras)
    if call.blend is not None:
        check_blend_views(channels, len(seeds) * views, call.splits, call.shard)
        check_blend_place(call.blend, "--blend")
    return ViewPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=seeds,
        views=views,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        spacing=spacing,
        truncation=call.truncation,
        resolution_px=call.resolution or side_px or facts.config.image_size,
        channels=channels,
        depth_format=call.depth_format if "depth" in channels else None,
        mask_format=call.masks or "ids",
        exact=call.exact,
        splits=call.splits,
        reject_uncertain=call.reject_uncertain,
        consistent=call.consistent,
        given=given,
        subject_files=checked_subject_files(call.subject_files, facts.path),
        poses=poses,
        skeleton=skeleton_of(facts),
    )


def make_origin(model_name: str, facts: ModelFacts) -> Origin:
    """What the data card says of the model: nothing that depends on where its file lies."""
    from headless.datasets.formats.card import Origin

    embedded = model_name in EMBEDDED_MODELS
    licence = str(facts.source.get("licence") or "not told by the model file").rstrip(".")
    return Origin(model_name if embedded else Path(model_name).name, licence, str(facts.source.get("file") or ""))


@contextmanager
def opened_engine(
    call: RenderCall, writer: ViewWriter, source: ViewSource, workers: int, reporter: Reporter, load: LoadModel | None = None
) -> Iterator[MakeViews]:
    """The engine that the call asks for, with its model or its cluster, for the length of the block.

    Args:
        load: see `render`; threads of this process take it.

    Raises:
        DNeRFError: the device, the model's file or the cluster cannot be used.
    """
    from headless import models
    from headless.datasets.view_job import by_threads

    if call.engine == "ray":
        from headless.cluster.engine import ray_engine

        with ray_engine(writer, source, call.workers, reporter) as make_views:
            yield make_views
    else:
        make_subject = source.open(load)
        with models.one_thread_a_view():
            yield by_threads(make_subject, workers)
