"""One plan of views on its way into one folder: what is missing is made and written, what is there stays.

The work goes by subject: one whose views are all there is not made at all; the planes of any other are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

from dnerf_core.errors import OutputError, counted
from dnerf_core.files.names import CAMERAS_NAME, LABELS_NAME, TEMPLATE_NAME, labels_json
from dnerf_core.multiview.consistent_views import LabelChanges
from headless.datasets.folder import cameras_lines
from headless.datasets.listing import Listing
from headless.datasets.plan import WHOLE, PlannedView, Shard, view_names
from headless.datasets.seen import MakeSubject
from headless.datasets.view_writer import MadeView, ViewWriter
from headless.work.reporting import Reporter

MakeViews = Callable[[ViewWriter, Sequence[int]], Generator[MadeView, None, None]]
"""An engine: makes and writes what these subjects lack, and gives each view when it is done."""


class ViewJob:
    """A plan and the opened folder it goes to.

    Attributes:
        views_missing: views that lacked a file when the folder was opened.
        views_written: views that have been completed.
        empty_masks: of these, those whose mask is all background.
        changes: what became of their labels, where masks are consistent.
        nothing_to_do: whether nothing was written.
    """

    def __init__(
        self,
        writer: ViewWriter,
        reporter: Reporter,
        listing: Listing,
        *,
        expect_empty: bool = False,
        shard: Shard = WHOLE,
        template_file: Callable[[], bytes] | None = None,
    ) -> None:
        """Args:
        listing: what is written when all views are there.
        shard: which part of the subjects is made here.
        expect_empty: empty masks are what is asked for, and nothing is said about them.
        template_file: gives the bytes of the mesh's file that all views with `vertices` share; None: they have none.
        """
        self.writer, self.reporter, self.listing = writer, reporter, listing
        self.plan, self.folder, self.labels = writer.plan, writer.folder, writer.labels
        self.expect_empty, self.shard = expect_empty, shard
        self._template_file = template_file if "vertices" in self.plan.channels else None
        self.seeds = shard.seeds(self.plan)
        self.views_written = 0
        self.empty_masks = 0
        self.changes = LabelChanges()
        self.nothing_to_do = True
        self.views_missing = self._missing(self.seeds)
        self.folder.completed = not self.views_missing and self.complete

    @property
    def start_message(self) -> str:
        """What is about to be done, for people."""
        total = sum(map(self.plan.views_of, self.seeds))
        part = "" if self.shard == WHOLE else f"part {self.shard}: "
        size = f"{counted(total, 'view')} of {counted(len(self.seeds), 'subject')}"
        return f"{self.folder.path}: {part}{size}, {self.views_missing} of them to be made"

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
        names += [TEMPLATE_NAME] if self._template_file is not None else []
        return any(self.folder.lacks(name) for name in names) or self.listing.lacks_any()

    def views(self) -> Iterator[PlannedView]:
        """All views of the plan, in its order."""
        for seed in self.plan.seeds:
            yield from self.writer.subject(seed)

    def write(self, make_views: MakeViews | None = None) -> None:
        """Claim the folder and write whatever is missing in it of this part; what tells of all views, when they are all there.

        Args:
            make_views: the engine, called once with the seeds that lack a view; None: no view is missing.

        Raises:
            OutputError: something cannot be written.
        """
        self.nothing_to_do = False
        self.folder.claim()
        if self.folder.lacks(CAMERAS_NAME):
            with self._followed_views("cameras") as views:
                self.folder.write_lines_once(CAMERAS_NAME, cameras_lines(views, self.plan))
        if self.labels is not None:
            self.folder.write_once(LABELS_NAME, labels_json(self.labels))
        if self._template_file is not None and self.folder.lacks(TEMPLATE_NAME):
            self.folder.write_once(TEMPLATE_NAME, self._template_file())
        if make_views is not None:
            self._write_views(make_views)
        self.folder.look()
        if missing := self._missing(self.seeds):
            raise OutputError(
                f"{self.folder.path}: expected all views of {len(self.seeds)} subjects by now, found {missing} missing; "
                "nothing else may remove files there, and every process must write to the same folder; repeat the command"
            )
        if not self.complete:
            return
        self.listing.write()
        self.folder.clear_top()
        self.folder.completed = True

    @contextmanager
    def _followed_views(self, description: str) -> Iterator[Iterator[PlannedView]]:
        """All views of the plan, with a bar that tells how far they have been read."""
        with self.reporter.progress(description, self.plan.total) as advance:

            def followed() -> Iterator[PlannedView]:
                for view in self.views():
                    yield view
                    advance()

            yield followed()

    def _write_views(self, make_views: MakeViews) -> None:
        """Have the views made and written that are missing; a failed one ends the job by its error."""
        seeds = [seed for seed in self.seeds if self._missing([seed])]
        with self.reporter.progress("views", self.views_missing) as advance, closing(make_views(self.writer, seeds)) as done:
            for made_view in done:
                view = made_view.view
                self.views_written += 1
                self.changes = self.changes.plus(made_view.changes)
                self.reporter.event("view", name=view.name, **view.which)
                if made_view.empty and not self.expect_empty:
                    self.empty_masks += 1
                    self.reporter.warning(f"{view.name}: the mask is empty, every pixel is background", name=view.name)
                advance()


def by_threads(make_subject: MakeSubject, workers: int) -> MakeViews:
    """Views made by threads of this process, see `ViewWriter.make_all`; `make_subject` is called once for each subject."""

    def make_views(writer: ViewWriter, seeds: Sequence[int]) -> Generator[MadeView, None, None]:
        subjects = (writer.tasks(seed, make_subject, writer.folder.missing_kinds) for seed in seeds)
        yield from writer.make_all(subjects, workers)

    return make_views
