"""From a subject and a planned view to the view's files: the part of a job that any process with the folder can do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.files.masks import read_mask
from dnerf_core.labels import LabelSet
from dnerf_core.multiview.consistent_views import NO_CHANGES, LabelChanges
from dnerf_core.work.made_once import Once
from headless.datasets.channels import BY_FOLDER
from headless.datasets.folder import DatasetFolder
from headless.datasets.plan import PlannedView, ViewPlan, plan_subject
from headless.datasets.seen import MakeSubject, RelabelledView, RenderView
from headless.datasets.written import Written
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from dnerf_core.subject import PartialView


@dataclass(frozen=True)
class MadeView:
    """A view whose files are on disk, whether its mask is all background, and what became of its labels where masks are consistent."""

    view: PlannedView
    empty: bool
    changes: LabelChanges = NO_CHANGES


@dataclass(frozen=True)
class ViewTask:
    """A view that lacks some kinds of file, and how its subject is seen."""

    subject: Once[RenderView]
    view: PlannedView
    kinds: list[str]


@dataclass(frozen=True)
class SeenView:
    """A view that has been rendered, and the kinds of file that it has yet to be written to."""

    view: PlannedView
    kinds: list[str]
    seen: PartialView | RelabelledView


@dataclass(frozen=True)
class ViewWriter:
    """How the views of a plan are written. It can be pickled and sent to another process.

    Attributes:
        plan: what the views are.
        folder: where their files go.
        cameras: what the plan's cameras are made of.
        labels: what the masks' ids mean; None where views have no masks.
        normal_step_px: see `normals_from_depth`.
    """

    plan: ViewPlan
    folder: DatasetFolder
    cameras: CameraConfig
    labels: LabelSet | None
    normal_step_px: int = 1

    def subject(self, seed: int) -> list[PlannedView]:
        """The views of one subject."""
        return plan_subject(self.plan, self.cameras, seed)

    def tasks(self, seed: int, make_subject: MakeSubject, missing_kinds: Callable[[str], list[str]]) -> Iterator[ViewTask]:
        """The views of one subject that lack something, by `missing_kinds` of their names; the subject is made when first seen."""
        subject = Once(lambda: make_subject(seed))
        for view in self.subject(seed):
            if kinds := missing_kinds(view.name):
                yield ViewTask(subject, view, kinds)

    def make(self, task: ViewTask) -> MadeView:
        """Render a view and write its missing files.

        Raises:
            OutputError: a file cannot be written.
        """
        return self.write(self.see(task))

    def make_all(self, groups: Iterable[Iterable[ViewTask]], workers: int) -> Generator[MadeView, None, None]:
        """Views made by `workers` threads that render and as many that write, which mostly wait for the disk; see `run_tasks`.

        Args:
            groups: the views of a subject each.
        """
        with (
            closing(run_tasks(groups, self.see, workers)) as rendered,
            closing(run_tasks(([view] for _, view in rendered), self.write, workers)) as on_disk,
        ):
            for _, view in on_disk:
                yield view

    def see(self, task: ViewTask) -> SeenView:
        """Render a view."""
        return SeenView(task.view, task.kinds, task.subject.value(task.view.camera, self.plan.resolution_px, task.view.pose))

    def write(self, rendered: SeenView) -> MadeView:
        """Write the missing files of a view.

        Raises:
            OutputError: a file cannot be written.
        """
        view, seen = rendered.view, rendered.seen
        written = Written(self.plan, self.labels, view.name, view.camera, seen, self.normal_step_px)
        for kind in rendered.kinds:
            write = BY_FOLDER[kind].write
            assert write is not None
            write(self.folder.file(kind, view.name), written)
        empty = seen.mask is not None and not seen.mask.any()
        return MadeView(view, empty, seen.changes) if isinstance(seen, RelabelledView) else MadeView(view, empty)

    def existing(self, view: PlannedView) -> MadeView:
        """A view that is there already.

        Raises:
            AnnotationError: it cannot be read.
        """
        if self.labels is None or "masks" not in self.folder.kinds:
            return MadeView(view, empty=False)
        mask = read_mask(self.folder.file("masks", view.name), self.labels, self.plan.resolution_px)
        return MadeView(view, empty=not mask.any())
