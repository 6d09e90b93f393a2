"""`dnerf-headless render`: subjects by seed, seen from an arc of cameras, written as a data set folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headless import options
from headless.reporting import Reporter

if TYPE_CHECKING:
    from headless.models import ModelFacts
    from headless.plan import ViewPlan
    from headless.writers.views import DepthFormat


@dataclass(frozen=True)
class RenderCall:
    """The options of one call, as click gives them."""

    model_name: str
    seeds: tuple[int, ...] | None
    subjects: int | None
    views: int | None
    yaw: tuple[float, float]
    pitch: tuple[float, float] | None
    random_views: bool
    truncation: float
    resolution: int | None
    device: str
    workers: int | None
    shard: tuple[int, int]
    exact: bool
    output: Path
    depth_format: DepthFormat


@click.command(
    "render",
    epilog="\b\nExample:\n  dnerf-headless render --seeds 0-99 --views 5 --yaw -30:30 --pitch 10:25 --output cars",
)
@options.model_option
@options.subject_options()
@options.camera_options
@options.truncation_option
@options.resolution_option
@options.device_option
@options.workers_option
@options.shard_option
@options.exact_option
@options.output_option("dnerf-out")
@click.option(
    "--depth-format",
    type=click.Choice(["exr", "npy"]),
    default="exr",
    show_default=True,
    help="exr holds 0 at background, npy keeps +inf.",
)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write labelled, posed views of generated subjects to a folder.

    Each view is an image, a label mask, a depth and a camera. The same call again finishes what is missing and changes
    nothing that is there; a folder that holds something else is refused.
    """
    render(RenderCall(**values), Reporter(as_json))  # type: ignore[arg-type]


def render(call: RenderCall, reporter: Reporter) -> None:
    """Run one call of `render`.

    Raises:
        DNeRFError: a wrong call, a model that cannot be used, or results that cannot be written.
    """
    from headless import models
    from headless.plan import WHOLE, Shard
    from headless.view_job import ViewJob
    from headless.workers import default_workers
    from headless.writers.folder import SHEET_NAME, DatasetFolder

    started = time.monotonic()
    seeds = options.chosen_seeds(call.seeds, call.subjects)
    facts = models.describe_model(call.model_name)
    plan = make_plan(call, seeds, facts)
    options.check_total(len(seeds), plan.views)
    folder = DatasetFolder(call.output, "render", plan.to_json(), plan.depth_format, plan.masks)
    shard = Shard(*call.shard)
    folder.open(None if shard == WHOLE else frozenset(shard.seeds(plan)))
    workers = call.workers or default_workers()
    job = ViewJob(
        plan, folder, facts.config.cameras, facts.labels if plan.masks else None, reporter, workers=workers, shard=shard
    )
    total = len(job.seeds) * plan.views
    told = {"command": "render", "output": str(call.output), "views": total}
    reporter.start(job.told_start, **told, views_missing=job.views_missing, plan=plan.to_json())
    if not plan.masks:
        reporter.warning(f"{plan.model_name}: the model has no semantic branch, so no masks and no labels.json are written")
    if job.views_missing:
        model = models.load_model(call.model_name, call.device, exact=plan.exact)
        with models.one_thread_a_view():
            job.write(lambda seed: model.subject(seed, truncation=plan.truncation).render)
    elif job.files_missing():
        job.write()
    seconds = time.monotonic() - started
    sheet = call.output / SHEET_NAME
    size = f"{plan.resolution_px} x {plan.resolution_px} px"
    done = "nothing to do, all there" if job.nothing_to_do else f"{job.views_written} written in {seconds:.1f} s"
    part = "" if shard == WHOLE else f"part {shard}: "
    after = (
        f"look at {sheet}" if job.complete else "other parts are not done yet; the one that ends last writes the contact sheet"
    )
    reporter.summary(
        [f"{call.output}: {part}{total} views of {len(job.seeds)} subjects, {size}: {done}", after],
        **told,
        subjects=len(job.seeds),
        shard=str(shard),
        complete=job.complete,
        views_written=job.views_written,
        empty_masks=job.empty_masks,
        nothing_to_do=job.nothing_to_do,
        contact_sheet=str(sheet),
        seconds=round(seconds, 3),
    )


def make_plan(call: RenderCall, seeds: tuple[int, ...], facts: ModelFacts) -> ViewPlan:
    """The plan of a call for a model; the model's own pitch and size stand in for options not given."""
    from headless.plan import ViewPlan

    own_pitch = facts.config.cameras.pitch_deg
    return ViewPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=seeds,
        views=options.chosen_views(call.views, call.yaw, call.pitch),
        yaw_deg=call.yaw,
        pitch_deg=(own_pitch, own_pitch) if call.pitch is None else call.pitch,
        spacing="random" if call.random_views else "even",
        truncation=call.truncation,
        resolution_px=facts.config.image_size if call.resolution is None else call.resolution,
        depth_format=call.depth_format,
        masks=facts.has_semantics,
        exact=call.exact,
    )
