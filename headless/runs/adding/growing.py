"""A data set folder while views are added to it: what is written there, and what is left where that ends half-way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.files.names import CAMERAS_NAME, LABELS_NAME, RECORD_NAME, TEMPLATE_NAME
from dnerf_core.files.whole import remove_files
from dnerf_core.rendering.labeled_view import PartialView
from headless.datasets.adding.views import AddedViews
from headless.datasets.extending import check_unchanged, extend_views
from headless.datasets.folder import DatasetFolder
from headless.datasets.formats.card import CARD_NAME
from headless.datasets.listing import Listing
from headless.datasets.plan import ViewPlan, added_plan
from headless.datasets.poses.vertices import template_file_of
from headless.datasets.set_statistics import STATISTICS_NAME
from headless.datasets.view_job import ViewJob
from headless.datasets.view_writer import ViewWriter
from headless.runs.adding.joining import whole_views
from headless.work.checksums import GONE, SUMS_NAME, journals
from headless.work.convolutions import settled_form
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from headless.runs.adding.call import AddViewsCall


class GrowingFolder:
    """The folder of a plan whose views were added one by one.

    Attributes:
        plan: all views that it is to have.
        folder: where they are.
        form: that its views' convolutions run in; None: each machine's own.
    """

    def __init__(
        self, call: AddViewsCall, facts: ModelFacts, plan: ViewPlan, added: AddedViews, reporter: Reporter, workers: int
    ) -> None:
        """Args:
        plan: the kinds of file, and `added` the views.
        workers: views made side by side, and threads that read files.
        """
        self.plan = added_plan(plan, added)
        self._call, self._facts, self._added, self._reporter, self._workers = call, facts, added, reporter, workers
        labels = call.labels(facts) if self.plan.masks else None
        cameras = facts.config.cameras
        self.folder = DatasetFolder(call.output, call.command, self.plan, more_names=[STATISTICS_NAME, CARD_NAME])
        self.form = settled_form(self.folder, call.device, exact=self.plan.exact)
        self._listing = Listing(
            self.plan,
            self.folder,
            cameras,
            labels,
            reporter,
            workers=workers,
            formats=("folder",),
            origin=call.origin(facts),
        )
        step_px = max(1, round(self.plan.resolution_px / facts.config.rays.neural_resolution))
        self._writer = ViewWriter(self.plan, self.folder, cameras, labels, step_px)

    def begin(self, unfinished: Iterable[Path]) -> None:
        """Make the folder, which this call is at work in, that of the plan; the files of unfinished views go.

        Raises:
            OutputError: it is not as it was when it was looked at, or cannot be written.
        """
        found = self.folder.differences()
        check_unchanged(self._added, self.folder, None if found is None else found.plan)
        self._remove(unfinished)
        extend_views(self._listing)
        self.folder.open()

    def job(self) -> ViewJob:
        """What makes the views that are missing, and then the lists."""
        return ViewJob(self._writer, self._reporter, self._listing, template_file=partial(template_file_of, self._facts))

    def read(self, name: str) -> PartialView:
        """A view by its files.

        Raises:
            OutputError, AnnotationError: one cannot be read.
        """
        kinds, labels, size_px = self.folder.kinds, self._writer.labels, self.plan.resolution_px
        rgb, mask, depth, uncertainty = (
            self.folder.read(kind, name, labels, size_px) if kind in kinds else None
            for kind in ("images", "masks", "depth", "uncertainty")
        )
        return PartialView(rgb, mask, depth, uncertainty)

    @contextmanager
    def left_whole(self) -> Iterator[None]:
        """Where the block ends half-way, the folder is made the data set of the views that are whole by then."""
        ended_well = False
        try:
            yield
            ended_well = True
        finally:
            if not ended_well:
                self._keep_whole_ones()

    def _keep_whole_ones(self) -> None:
        whole, unfinished = whole_views(self.folder, self._added)
        self._remove(unfinished)
        if not whole.subjects:
            self._clear()
            return
        # the reporter may be what ended the block, and is not asked again
        earlier = json.loads(json.dumps(self.plan.to_json()))
        less = GrowingFolder(self._call, self._facts, self.plan, replace(whole, earlier=earlier), Quiet(), self._workers)
        with less.folder.recording():
            less.begin(())
            less.job().write()
        self.folder.completed = True

    def _remove(self, paths: Iterable[Path]) -> None:
        gone = list(paths)
        remove_files(gone)
        for path in gone:
            self.folder.journal.note(self.folder.named(path), GONE)

    def _clear(self) -> None:
        """Nothing became of it: what this program wrote goes."""
        self.folder.journal.close()
        names = (RECORD_NAME, CAMERAS_NAME, LABELS_NAME, TEMPLATE_NAME, SUMS_NAME)
        remove_files([*(self.folder.path / name for name in names), *journals(self.folder.path)])
        for split in self.folder.splits:
            for place in (
                *(self.folder.split_folder(split) / kind for kind in self.folder.kinds),
                self.folder.split_folder(split),
            ):
                if place != self.folder.path:
                    with suppress(OSError):  # somebody else's file is in it
                        place.rmdir()
