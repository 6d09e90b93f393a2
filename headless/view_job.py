"""One plan of views on its way into one folder: what is missing is made and written, what is there stays.

The work goes by subject: one whose views are all there is not made at all; the planes of any other are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import CheckpointError
from dnerf_core.generator.config import CameraConfig
from dnerf_core.labels import LabelSet
from dnerf_core.made_once import Once
from dnerf_core.rendering.normals import normals_from_depth
from headless.listing import Listing
from headless.plan import WHOLE, PlannedView, Shard, ViewPlan, plan_subject, view_names
from headless.reporting import Reporter
from headless.workers import run_tasks
from headless.writers.folder import CAMERAS_NAME, LABELS_NAME, DatasetFolder, cameras_lines, labels_json
from headless.writers.views import write_depth, write_image, write_mask, write_normals, write_uncertainty

if TYPE_CHECKING:
    from dnerf_core.subject import PartialView

T = TypeVar("T", bound=np.generic)
RenderView = Callable[..., "PartialView"]
"""`render(camera, size_px)` of one subject, with all channels of the plan."""


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
        listing: Listing,
        *,
        expect_empty: bool = False,
        workers: int = 1,
        shard: Shard = WHOLE,
        normal_step_px: int = 1,
    ) -> None:
        """Args:
        labels: what the masks' ids mean; None where views have no masks.
        listing: what is written when all views are there.
        workers: threads that render.
        shard: which part of the subjects is made here.
        expect_empty: empty masks are what is asked for, and nothing is said about them.
        normal_step_px: see `normals_from_depth`.
        """
        self.plan, self.folder, self.cameras, self.labels, self.reporter = plan, folder, cameras, labels, reporter
        self.expect_empty, self.workers, self.shard = expect_empty, workers, shard
        self.listing, self.normal_step_px = listing, normal_step_px
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
        names = [CAMERAS_NAME, *([LABELS_NAME] if self.labels else [])]
        return any(self.folder.lacks(name) for name in names) or self.listing.lacks_any()

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
        self.listing.write()
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

    def _write_view(self, view: PlannedView, kinds: list[str], seen: PartialView) -> bool:
        """Write the missing files of one view; returns whether its mask is all background."""
        if "images" in kinds:
            write_image(self.folder.file("images", view.name), self._given(seen.rgb, "an image", view))
        if "masks" in kinds and self.labels is not None:
            mask = self._given(seen.mask, "a mask", view)
            path = self.folder.file("masks", view.name)
            # Somebody may have painted one while this was running.
            if not path.exists():
                write_mask(path, mask, self.labels.palette())
        if "depth" in kinds and self.plan.depth_format is not None:
            depth = self._given(seen.depth_planar, "a depth", view)
            write_depth(self.folder.file("depth", view.name), depth, self.plan.depth_format)
        if "normals" in kinds:
            depth = self._given(seen.depth_planar, "a depth", view)
            write_normals(self.folder.file("normals", view.name), normals_from_depth(depth, view.camera, self.normal_step_px))
        if "uncertainty" in kinds:
            write_uncertainty(self.folder.file("uncertainty", view.name), self._given(seen.uncertainty, "uncertainty", view))
        return seen.mask is not None and not seen.mask.any()

    def _given(self, channel: NDArray[T] | None, what: str, view: PlannedView) -> NDArray[T]:
        if channel is None:
            raise CheckpointError(
                f"{self.plan.model_name}: expected {what} of {view.name}, found none; masks need a model with a semantic branch"
            )
        return channel
