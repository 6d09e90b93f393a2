"""`dnerf-headless render`: subjects by seed, seen from an arc of cameras, written as a data set folder.

The work goes by subject: one whose views are all there is not made at all; the planes of any other are made once.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnerf_core.errors import CheckpointError
from headless import options
from headless.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.labels import LabelSet
    from dnerf_core.model import LabeledView
    from headless.models import ModelFacts
    from headless.plan import PlannedView, ViewPlan
    from headless.writers.folder import DatasetFolder
    from headless.writers.views import DepthFormat

_QUEUED_VIEWS = 4
"""Rendered views that may wait for the disk; more would only cost memory."""


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
    output: Path
    depth_format: DepthFormat


@click.command(
    "render",
    epilog="\b\nExample:\n  dnerf-headless render --seeds 0-99 --views 5 --yaw -30:30 --pitch 10:25 --output cars",
)
@options.model_option
@options.subject_options
@options.camera_options
@options.truncation_option
@options.resolution_option
@options.device_option
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
    from headless.writers.folder import DatasetFolder

    started = time.monotonic()
    seeds = options.chosen_seeds(call.seeds, call.subjects)
    facts = models.describe_model(call.model_name)
    plan = make_plan(call, seeds, facts)
    folder = DatasetFolder(call.output, "render", plan.to_json(), plan.depth_format, plan.masks)
    folder.open()
    job = _Job(plan, folder, facts, reporter)
    total = len(seeds) * plan.views
    told = {"command": "render", "output": str(call.output), "views": total}
    reporter.event("start", **told, views_missing=job.views_missing, plan=plan.to_json())
    if not plan.masks:
        reporter.warning(f"{plan.model_name}: the model has no semantic branch, so no masks and no labels.json are written")
    if job.views_missing:
        model = models.load_model(call.model_name, call.device)
        folder.claim()
        job.write_descriptions()
        job.write_views(lambda seed: model.subject(seed, truncation=plan.truncation).render)
    elif job.files_missing():
        folder.claim()
        job.write_descriptions()
    listed = job.write_lists()
    seconds = time.monotonic() - started
    nothing_to_do = not (job.views_written or listed)
    sheet = call.output / _SHEET_NAME
    size = f"{plan.resolution_px} x {plan.resolution_px} px"
    done = "nothing to do, all there" if nothing_to_do else f"{job.views_written} written in {seconds:.1f} s"
    reporter.summary(
        [f"{call.output}: {total} views of {len(seeds)} subjects, {size}: {done}", f"look at {sheet}"],
        **told,
        subjects=len(seeds),
        views_written=job.views_written,
        empty_masks=job.empty_masks,
        nothing_to_do=nothing_to_do,
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
    )


_CAMERAS_NAME, _LABELS_NAME, _METADATA_NAME, _SHEET_NAME = "cameras.json", "labels.json", "metadata.jsonl", "contact-sheet.png"


class _Job:
    """One plan on its way into one folder."""

    def __init__(self, plan: ViewPlan, folder: DatasetFolder, facts: ModelFacts, reporter: Reporter) -> None:
        self.plan = plan
        self.folder = folder
        self.cameras = facts.config.cameras
        self.labels: LabelSet | None = facts.labels if plan.masks else None
        self.reporter = reporter
        self.views_written = 0
        self.empty_masks = 0
        self.views_missing = sum(bool(self.folder.missing_kinds(view.name)) for view in self._views())

    def files_missing(self) -> bool:
        """Whether a file at the top of the folder is missing."""
        names = [_CAMERAS_NAME, _METADATA_NAME, _SHEET_NAME, *([_LABELS_NAME] if self.labels else [])]
        return any(self.folder.lacks(name) for name in names)

    def write_descriptions(self) -> None:
        """Write what can be said before the first view: cameras and labels."""
        from headless.writers.folder import cameras_json, labels_json

        if self.folder.lacks(_CAMERAS_NAME):
            self.folder.write_once(_CAMERAS_NAME, cameras_json(self._views(), self.plan.resolution_px))
        if self.labels is not None:
            self.folder.write_once(_LABELS_NAME, labels_json(self.labels))

    def write_views(self, make_subject: Callable[[int], Callable[..., LabeledView]]) -> None:
        """Render and write the views that are missing.

        One thread writes behind the one that renders; at most `_QUEUED_VIEWS` wait. A failed write ends the job by its error.

        Args:
            make_subject: from a seed to the subject's `render(camera, size_px)`; called once for each subject that lacks a view.
        """
        waiting: deque[tuple[PlannedView, Future[bool]]] = deque()
        with self.reporter.progress("views", self.views_missing) as advance, ThreadPoolExecutor(max_workers=1) as writer:

            def finish_oldest() -> None:
                view, future = waiting.popleft()
                empty = future.result()
                self.views_written += 1
                self.reporter.event("view", name=view.name, seed=view.seed, view=view.view)
                if empty:
                    self.empty_masks += 1
                    self.reporter.warning(f"{view.name}: the mask is empty, every pixel is background", name=view.name)
                advance()

            try:
                for seed in self.plan.seeds:
                    missing = [(view, kinds) for view in self._subject(seed) if (kinds := self.folder.missing_kinds(view.name))]
                    if not missing:
                        continue
                    render_view = make_subject(seed)
                    for view, kinds in missing:
                        labeled = render_view(view.camera, self.plan.resolution_px)
                        waiting.append((view, writer.submit(self._write_view, view, kinds, labeled)))
                        if len(waiting) > _QUEUED_VIEWS:
                            finish_oldest()
                while waiting:
                    finish_oldest()
            except BaseException:  # Ctrl-C too: what waits is dropped, what is being written gets whole, and the error goes on
                writer.shutdown(wait=True, cancel_futures=True)
                raise

    def write_lists(self) -> int:
        """Write what speaks of all views: metadata.jsonl and the contact sheet, where missing; returns how many were written."""
        written = 0
        if self.folder.lacks(_METADATA_NAME):
            self.folder.write_once(_METADATA_NAME, self.folder.metadata(self._views()))
            written += 1
        if self.folder.lacks(_SHEET_NAME):
            self.folder.write_once(_SHEET_NAME, self._sheet_png())
            written += 1
        return written

    def _subject(self, seed: int) -> list[PlannedView]:
        from headless.plan import plan_subject

        return plan_subject(self.plan, self.cameras, seed)

    def _views(self) -> Iterator[PlannedView]:
        for seed in self.plan.seeds:
            yield from self._subject(seed)

    def _write_view(self, view: PlannedView, kinds: list[str], labeled: LabeledView) -> bool:
        """Write the missing files of one view; returns whether its mask is all background."""
        from headless.writers.views import write_depth, write_image, write_mask

        if "images" in kinds:
            write_image(self.folder.file("images", view.name), labeled.rgb)
        if "masks" in kinds:
            if labeled.mask is None or self.labels is None:
                raise CheckpointError(
                    f"{self.plan.model_name}: expected a mask of {view.name} from a model with a semantic branch"
                )
            write_mask(self.folder.file("masks", view.name), labeled.mask, self.labels.palette())
        if "depth" in kinds:
            write_depth(self.folder.file("depth", view.name), labeled.depth_planar, self.plan.depth_format)
        return labeled.mask is not None and not labeled.mask.any()

    def _sheet_png(self) -> bytes:
        """The contact sheet of the first subjects and views, from the files: a resumed run has not rendered them all."""
        from headless.writers import contact_sheet
        from headless.writers.views import read_depth, read_image

        def read(view: PlannedView) -> contact_sheet.SheetView:
            mask = None if self.labels is None else read_image(self.folder.file("masks", view.name))
            image = read_image(self.folder.file("images", view.name))
            return contact_sheet.SheetView(image, mask, read_depth(self.folder.file("depth", view.name)))

        seeds = self.plan.seeds[: contact_sheet.MAX_SUBJECTS]
        rows = [(f"seed {seed}", [read(view) for view in self._subject(seed)[: contact_sheet.MAX_VIEWS]]) for seed in seeds]
        title = f"{self.plan.model_name}, {len(self.plan.seeds)} subjects x {self.plan.views} views"
        buffer = io.BytesIO()
        contact_sheet.contact_sheet(title, rows, self.labels).save(buffer, format="PNG")
        return buffer.getvalue()
