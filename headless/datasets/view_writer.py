"""From a subject and a planned view to the view's files: the part of a job that any process with the folder can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import CheckpointError
from dnerf_core.files.masks import read_mask
from dnerf_core.files.pictures import write_depth, write_image, write_mask, write_normals, write_uncertainty
from dnerf_core.generator.config import CameraConfig
from dnerf_core.labels import LabelSet
from dnerf_core.made_once import Once
from dnerf_core.multiview.consistent_views import NO_CHANGES, LabelChanges
from dnerf_core.rendering.normals import normals_from_depth
from headless.datasets.folder import DatasetFolder
from headless.datasets.plan import PlannedView, ViewPlan, plan_subject
from headless.datasets.seen import MakeSubject, RelabelledView, RenderView

if TYPE_CHECKING:
    from dnerf_core.subject import PartialView

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
        seen = task.subject.value(task.view.camera, self.plan.resolution_px)
        self._write(task.view, task.kinds, seen)
        empty = seen.mask is not None and not seen.mask.any()
        return MadeView(task.view, empty, seen.changes) if isinstance(seen, RelabelledView) else MadeView(task.view, empty)

    def made(self, view: PlannedView) -> MadeView:
        """A view that is there already.

        Raises:
            AnnotationError: it cannot be read.
        """
        if self.labels is None or "masks" not in self.folder.kinds:
            return MadeView(view, empty=False)
        mask = read_mask(self.folder.file("masks", view.name), self.labels, self.plan.resolution_px)
        return MadeView(view, empty=not mask.any())

    def _write(self, view: PlannedView, kinds: list[str], seen: PartialView | RelabelledView) -> None:
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

    def _given(self, channel: NDArray[T] | None, what: str, view: PlannedView) -> NDArray[T]:
        if channel is None:
            raise CheckpointError(
                f"{self.plan.model_name}: expected {what} of {view.name}, found none; masks need a model with a semantic branch"
            )
        return channel
