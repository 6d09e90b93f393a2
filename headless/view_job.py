"""One plan of views on its way into one folder: what is missing is made and written, what is there stays.

The work goes by subject: one whose views are all there is not made at all; the planes of any other are made once.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dnerf_core.errors import CheckpointError, OutputError
from dnerf_core.generator.config import CameraConfig
from dnerf_core.labels import LabelSet
from dnerf_core.made_once import Once
from headless.annotations import read_mask
from headless.plan import WHOLE, PlannedView, Shard, ViewPlan, plan_subject, view_names
from headless.reporting import Reporter
from headless.workers import run_tasks
from headless.writers import contact_sheet
from headless.writers.folder import (
    CAMERAS_NAME,
    LABELS_NAME,
    METADATA_NAME,
    SHEET_NAME,
    DatasetFolder,
    cameras_lines,
    labels_json,
)
from headless.writers.views import MAKE_AGAIN, read_depth, read_image, write_depth, write_image, write_mask

if TYPE_CHECKING:
    from dnerf_core.subject import LabeledView

RenderView = Callable[..., "LabeledView"]
"""`render(camera, size_px)` of one subject."""


@dataclass(frozen=True)
class _Task:
    """A view that lacks some kinds of file, and how its subject is seen."""

    subject: Once[RenderView]
    view: PlannedView
    kinds: list[str]


class ViewJob:
    """A plan and the opened folder it goes to.

    Attributes:
        views_missing: views that lacked a file when the folder was opened.
        views_written: views that have been completed.
        empty_masks: of these, those whose mask is all background.
        nothing_to_do: whether nothing was written.
    """

    def __init__(
        self,
        plan: ViewPlan,
        folder: DatasetFolder,
        cameras: CameraConfig,
        labels: LabelSet | None,
        reporter: Reporter,
        *,
        expect_empty: bool = False,
        workers: int = 1,
        shard: Shard = WHOLE,
    ) -> None:
        """Args:
        labels: what the masks' ids mean; None where views have no masks.
        workers: threads that render.
        shard: which part of the subjects is made here.
        expect_empty: empty masks are what is asked for, and nothing is said about them; the contact sheet leaves them out.
        """
        self.plan, self.folder, self.cameras, self.labels, self.reporter = plan, folder, cameras, labels, reporter
        self.expect_empty, self.workers, self.shard = expect_empty, workers, shard
        self.seeds = shard.seeds(plan)
        self.views_written = 0
        self.empty_masks = 0
        self.nothing_to_do = True
        self.views_missing = self._missing(self.seeds)

    @property
    def told_start(self) -> str:
        """What is about to be done, for people."""
        total = len(self.seeds) * self.plan.views
        part = "" if self.shard == WHOLE else f"part {self.shard}: "
        return f"{self.folder.path}: {part}{total} views of {len(self.seeds)} subjects, {self.views_missing} of them to be made"

    @property
    def complete(self) -> bool:
        """Whether every view of the whole plan was there when the folder was last looked at."""
        return not self._missing(self.plan.seeds)

    def _missing(self, seeds: Iterable[int]) -> int:
        """Views of these subjects that lacked a file when the folder was last looked at."""
        return sum(bool(self.folder.missing_kinds(name)) for seed in seeds for name in view_names(self.plan, seed))

    def files_missing(self) -> bool:
        """Whether a file at the top of the folder is missing that could be written by now."""
        if not self.complete:
            return False
        names = [CAMERAS_NAME, METADATA_NAME, SHEET_NAME, *([LABELS_NAME] if self.labels else [])]
        return any(self.folder.lacks(name) for name in names)

    def views(self) -> Iterator[PlannedView]:
        """All views of the plan, in its order."""
        for seed in self.plan.seeds:
            yield from self._subject(seed)

    def write(self, make_subject: Callable[[int], RenderView] | None = None) -> None:
        """Claim the folder and write whatever is missing in it of this part; what tells of all views, when they are all there.

        Args:
            make_subject: called once for each seed that lacks a view; None: no view is missing.

        Raises:
            OutputError: something cannot be written.
        """
        self.nothing_to_do = False
        self.folder.claim()
        if self.folder.lacks(CAMERAS_NAME):
            with self._followed_views("cameras") as views:
                self.folder.write_lines_once(CAMERAS_NAME, cameras_lines(views, self.plan.resolution_px))
        if self.labels is not None:
            self.folder.write_once(LABELS_NAME, labels_json(self.labels))
        if make_subject is not None:
            self._write_views(make_subject)
        self.folder.look()
        if not self.complete:
            return
        if self.folder.lacks(METADATA_NAME):
            with self._followed_views("metadata") as views:
                self.folder.write_lines_once(METADATA_NAME, self.folder.metadata(views))
        if self.folder.lacks(SHEET_NAME):
            self.folder.write_once(SHEET_NAME, self._sheet_png())
        self.folder.clear_top()

    @contextmanager
    def _followed_views(self, description: str) -> Iterator[Iterator[PlannedView]]:
        """All views of the plan, with a bar that tells how far they have been read."""
        with self.reporter.progress(description, len(self.plan.seeds) * self.plan.views) as advance:

            def followed() -> Iterator[PlannedView]:
                for view in self.views():
                    yield view
                    advance()

            yield followed()

    def _write_views(self, make_subject: Callable[[int], RenderView]) -> None:
        """Render and write the views that are missing, by `workers` threads; a failed one ends the job by its error."""

        def tasks(seed: int) -> Iterator[_Task]:
            subject = Once(lambda: make_subject(seed))
            for view in self._subject(seed):
                if kinds := self.folder.missing_kinds(view.name):
                    yield _Task(subject, view, kinds)

        subjects = (tasks(seed) for seed in self.seeds if self._missing([seed]))
        with self.reporter.progress("views", self.views_missing) as advance:
            for task, empty in run_tasks(subjects, self._make_view, self.workers):
                self.views_written += 1
                name = task.view.name
                self.reporter.event("view", name=name, seed=task.view.seed, view=task.view.view)
                if empty and not self.expect_empty:
                    self.empty_masks += 1
                    self.reporter.warning(f"{name}: the mask is empty, every pixel is background", name=name)
                advance()

    def _make_view(self, task: _Task) -> bool:
        return self._write_view(task.view, task.kinds, task.subject.value(task.view.camera, self.plan.resolution_px))

    def _subject(self, seed: int) -> list[PlannedView]:
        return plan_subject(self.plan, self.cameras, seed)

    def _write_view(self, view: PlannedView, kinds: list[str], labeled: LabeledView) -> bool:
        """Write the missing files of one view; returns whether its mask is all background."""
        if "images" in kinds:
            write_image(self.folder.file("images", view.name), labeled.rgb)
        if "masks" in kinds:
            if labeled.mask is None or self.labels is None:
                raise CheckpointError(
                    f"{self.plan.model_name}: expected a mask of {view.name} from a model with a semantic branch"
                )
            path = self.folder.file("masks", view.name)
            # Somebody may have painted one while this was running.
            if not path.exists():
                write_mask(path, labeled.mask, self.labels.palette())
        if "depth" in kinds and self.plan.depth_format is not None:
            write_depth(self.folder.file("depth", view.name), labeled.depth_planar, self.plan.depth_format)
        return labeled.mask is not None and not labeled.mask.any()

    def _of_our_size(self, read: Callable[[Path], NDArray[Any]], kind: str, view: PlannedView) -> NDArray[Any]:
        """What `read` reads of one of the folder's files, refused if it has not the plan's size."""
        path, size_px = self.folder.file(kind, view.name), self.plan.resolution_px
        array = read(path)
        expected = (size_px, size_px, 3) if kind == "images" else (size_px, size_px)
        if array.shape != expected:
            raise OutputError(f"{path}: expected values {list(expected)}, found {list(array.shape)}; {MAKE_AGAIN}")
        return array

    def _sheet_png(self) -> bytes:
        """The contact sheet of the first subjects and views, from the files: a resumed run has not rendered them all."""
        labels = None if self.expect_empty else self.labels

        def read(view: PlannedView) -> contact_sheet.SheetView:
            mask = None if labels is None else read_mask(self.folder.file("masks", view.name), labels, self.plan.resolution_px)
            depth = None if self.plan.depth_format is None else self._of_our_size(read_depth, "depth", view)
            return contact_sheet.SheetView(self._of_our_size(read_image, "images", view), mask, depth)

        seeds = self.plan.seeds[: contact_sheet.MAX_SUBJECTS]
        rows = [(f"seed {seed}", [read(view) for view in self._subject(seed)[: contact_sheet.MAX_VIEWS]]) for seed in seeds]
        title = f"{self.plan.model_name}, {len(self.plan.seeds)} subjects x {self.plan.views} views"
        buffer = io.BytesIO()
        contact_sheet.contact_sheet(title, rows, labels).save(buffer, format="PNG")
        return buffer.getvalue()
