"""Agreement of the masks of views of one subject in different poses, by the mesh that moves with it; see `dnerf_core.multiview.over_poses`.

Work and memory are bounded: of a subject no more views are compared than `compared_over_poses` allows, of a view no more pixels are carried
than `over_poses.MAX_PLACES`, and no more views are held than fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, counted
from dnerf_core.files.meshes.posed_meshes import read_faces, read_vertices
from dnerf_core.files.names import TEMPLATE_NAME
from dnerf_core.files.posed_folder import PosedFolder, PosedView
from dnerf_core.labels import LabelSet
from dnerf_core.multiview.consistency import Agreement
from dnerf_core.multiview.over_poses import BodyView, pose_agreement
from headless.scores.folder_consistency import agreement_json, check_files, shown_numbers
from headless.scores.held_views import HeldViews
from headless.scores.scoring import score_table

HELD_BYTES = 2**29
"""Of depth, masks and meshes, while a subject's views are compared; what does not fit is read again."""

MAX_COMPARED_VIEWS = 64
"""Views of one subject that are compared, all in different poses with all; of more, so many evenly spread over their order."""


@dataclass(frozen=True, eq=False)
class MovingSubject:
    """A subject that a folder shows in several poses; `views` pose by pose in the folder's order, `faces` int32 [F, 3] of its mesh."""

    name: str
    folder: PosedFolder
    views: tuple[PosedView, ...]
    faces: NDArray[np.int32]


@dataclass(frozen=True)
class ScoredSubject:
    """How far a subject's views in different poses agree: its views, those compared, pairs of them, and both directions of these."""

    views: int
    compared: int
    pairs: int
    agreement: Agreement


def moving_subjects(folders: Sequence[PosedFolder]) -> list[MovingSubject]:
    """The subjects whose views can be compared over poses.

    Raises:
        AnnotationError: a file of a view is not there.
        OutputError: the template's file cannot be read.
    """
    found = []
    for folder in folders:
        if not folder.has_vertices:
            continue
        by_subject = {name: poses for name, poses in folder.poses_by_subject().items() if len(poses) > 1}
        if not by_subject:
            continue
        template = folder.path / TEMPLATE_NAME
        if not template.exists():
            raise AnnotationError(
                f"{template}: expected the faces of the views' vertices, found no file; repeat the render command"
            )
        faces = read_faces(template)
        for name, poses in by_subject.items():
            views = tuple(view for own in poses.values() for view in own)
            for view in views:
                check_files(folder, view)
                folder.vertices_path(view)
            title = name if len(folders) == 1 else f"{folder.path}/{name}"
            found.append(MovingSubject(title, folder, views, faces))
    return found


def has_poses_apart(folders: Sequence[PosedFolder]) -> bool:
    """Whether a folder shows a subject in several poses and has no vertices by which they could be compared."""
    return any(not folder.has_vertices and any(len(own) > 1 for own in folder.poses_by_subject().values()) for folder in folders)


def compared_over_poses(count: int) -> list[int]:
    """The views of a subject that are compared, in their order: all of up to `MAX_COMPARED_VIEWS`; of more, so many evenly spread over the
    order, the first and the last among them."""
    if count <= MAX_COMPARED_VIEWS:
        return list(range(count))
    return np.rint(np.linspace(0, count - 1, MAX_COMPARED_VIEWS)).astype(int).tolist()


def score_subject(item: MovingSubject, labels: LabelSet, workers: int, advance: Callable[[], None]) -> ScoredSubject:
    """Read a subject's views and compare those in different poses.

    Args:
        workers: threads that read.
        advance: called once a view.

    Raises:
        AnnotationError: a file that cannot be used.
        OutputError: depth or vertices that cannot be read.
    """
    views = [item.views[index] for index in compared_over_poses(len(item.views))]
    held = HeldViews(lambda index: _body_view(item, views[index]), lambda view: view.nbytes, HELD_BYTES)
    first_read = 0
    for body in held.read_all(len(views), workers):
        first_read = first_read or len(body.vertices)
        if len(body.vertices) != first_read:
            raise AnnotationError(
                f"{item.folder.path}: expected {first_read} vertices in every view of {item.name}, found {len(body.vertices)}; "
                "render the views again"
            )
    for _ in range(len(item.views) - len(views)):
        advance()
    pairs, agreement = 0, Agreement.empty(labels.num_classes)
    for index, view in enumerate(views):
        for other in range(index + 1, len(views)):
            if views[other].pose == view.pose:
                continue
            both = held.seen(index), held.seen(other)
            pairs += 1
            for one, another in (both, both[::-1]):
                agreement = agreement.plus(pose_agreement(one, another, labels.num_classes))
        advance()
    return ScoredSubject(len(item.views), len(views), pairs, agreement)


def _body_view(item: MovingSubject, view: PosedView) -> BodyView:
    path = item.folder.vertices_path(view)
    vertices = read_vertices(path)
    if item.faces.max() >= len(vertices):
        raise AnnotationError(
            f"{path}: expected at least {int(item.faces.max()) + 1} vertices, which {TEMPLATE_NAME} names, found {len(vertices)}; "
            "render the view again"
        )
    return BodyView.make(item.folder.labelled(view), vertices, item.faces)


@dataclass(frozen=True)
class PooledOverPoses:
    """The agreement of all subjects together."""

    subjects: int
    views: int
    compared: int
    pairs: int
    agreement: Agreement

    @classmethod
    def pool(cls, scored: Sequence[ScoredSubject]) -> PooledOverPoses:
        """Of at least one subject."""
        views, compared, pairs = (sum(getattr(item, name) for item in scored) for name in ("views", "compared", "pairs"))
        return cls(len(scored), views, compared, pairs, Agreement.pooled([item.agreement for item in scored]))

    def to_json(self, labels: LabelSet) -> dict[str, Any]:
        """As JSON values."""
        return {
            **agreement_json(self.agreement, labels),
            "pairs": self.pairs,
            "subjects": self.subjects,
            "views": self.views,
            "views_compared": self.compared,
        }

    def table(self, labels: LabelSet, where: str) -> list[str]:
        """Lines for people; the first one begins with `where`, the folders."""
        some = "" if self.compared == self.views else f", {self.compared} of them compared"
        title = (
            f"{where}: {counted(self.views, 'view')} of {counted(self.subjects, 'subject')} over poses, by their vertices{some}"
        )
        rows = [
            ("over poses", "pairs", "mIoU", "accuracy", "co-visible"),
            ("all", str(self.pairs), *shown_numbers(self.agreement)),
        ]
        lines = [f"{row[0]:<18}" + "".join(f"  {cell:>10}" for cell in row[1:]) for row in rows]
        return [title, *lines, *score_table({}, agreement_json(self.agreement, labels)["iou_per_class"])]
