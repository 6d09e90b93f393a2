"""From a subject and a planned view to the view's files: the part of a job that any process with the folder can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

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

if TYPE_CHECKING:
    pass

T = TypeVar("T", bound=np.generic)


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
        seen = task.subject.value(task.view.camera, self.plan.resolution_px, task.view.pose)
        view = task.view
        written = Written(self.plan, self.labels, view.name, view.camera, seen, self.normal_step_px)
        for kind in task.kinds:
            write = BY_FOLDER[kind].write
            assert write is not None
            write(self.folder.file(kind, view.name), written)
        empty = seen.mask is not None and not seen.mask.any()
        return MadeView(task.view, empty, seen.changes) if isinstance(seen, RelabelledView) else MadeView(task.view, empty)

    def existing(self, view: PlannedView) -> MadeView:
        """A view that is there already.

        Raises:
            AnnotationError: it cannot be read.
        """
        if self.labels is None or "masks" not in self.folder.kinds:
            return MadeView(view, empty=False)
        mask = read_mask(self.folder.file("masks", view.name), self.labels, self.plan.resolution_px)
        return MadeView(view, empty=not mask.any())
