"""Re-projection agreement of the masks of a folder of posed views, object by object; needs neither model nor torch.

The memory is bounded: of an object no more views are compared than `multiview.consistency_pairs` allows, and no more of them held than fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.errors import AnnotationError
from dnerf_core.files.names import LABELS_NAME
from dnerf_core.files.posed_folder import PosedFolder, PosedView
from dnerf_core.labels import LabelSet
from dnerf_core.multiview.carrying import TOLERANCE_SHARE
from dnerf_core.multiview.consistency import Agreement, SurfaceBox, pair_agreement
from dnerf_core.multiview.consistency_pairs import ANGLE_EDGES_DEG, angle_bin, compared_views, directions_from
from dnerf_core.rendering.labeled_view import LabeledView
from headless.scores.held_views import HeldViews
from headless.scores.scoring import rounded, score_table

HELD_BYTES = 2**29
"""Of depth and masks, while an object's views are compared; what does not fit is read again."""


VERTICES_REMEDY = "render with --channels rgb,mask,depth,vertices to have poses compared"
"""What is to be done to have poses compared."""


@dataclass(frozen=True)
class PosedObject:
    """The views of one object, as a folder has them; `name` is for people and machines."""

    name: str
    folder: PosedFolder
    views: tuple[PosedView, ...]


@dataclass(frozen=True)
class ScoredObject:
    """How far an object's views agree.

    Attributes:
        views, compared: how many there are, and how many of them were compared.
        pairs: pairs of views in each range of `ANGLE_EDGES_DEG`.
        agreements: both directions of these pairs.
        box: round what all views see.
        sizes_px: (width, height) of each view.
    """

    views: int
    compared: int
    pairs: tuple[int, ...]
    agreements: tuple[Agreement, ...]
    box: SurfaceBox
    sizes_px: tuple[tuple[int, int], ...]


def open_folders(
    folders: Sequence[PosedFolder], over_poses: Collection[tuple[Path, str]] = ()
) -> tuple[list[PosedObject], int, LabelSet]:
    """The objects that can be scored, how many have one view only, and the labels of all masks.

    Args:
        over_poses: (folder's path, subject) of those whose views are compared over poses; an object of theirs may have one view.

    Raises:
        AnnotationError: no labels, labels that differ, no object of two views, or a file that is not there.
    """
    labels = common_labels(folders)
    objects = [
        PosedObject(name if len(folders) == 1 else f"{folder.path}/{name}", folder, tuple(views))
        for folder in folders
        for name, views in folder.objects.items()
    ]
    several = [item for item in objects if len(item.views) > 1]
    if not several and not over_poses:
        remedy = "there is nothing to compare"
        if any(len(own) > 1 for folder in folders for own in folder.poses_by_subject().values()):
            remedy = f"there is nothing to compare in one pose; {VERTICES_REMEDY}"
        raise AnnotationError(f"{folders[0].path}: expected two views of an object or more, found one of each; {remedy}")
    for item in several:
        for view in item.views:
            check_files(item.folder, view)
    alone = [item for item in objects if len(item.views) == 1 and (item.folder.path, item.views[0].subject) not in over_poses]
    return several, len(alone), labels


def check_files(folder: PosedFolder, view: PosedView) -> None:
    """Make sure that a view has depth and a mask.

    Raises:
        AnnotationError: it has not.
    """
    folder.depth_path(view)
    if not folder.mask_path(view).exists():
        raise AnnotationError(f"{folder.mask_path(view)}: expected a mask of the view {view.name!r}, found no file; add it")


def common_labels(folders: Sequence[PosedFolder]) -> LabelSet:
    """The labels of all folders' masks.

    Raises:
        AnnotationError: there are none, or they differ.
    """
    for folder in folders:
        if folder.labels is None:
            raise AnnotationError(
                f"{folder.path / LABELS_NAME}: expected the labels of the folder's masks, found no file; "
                "only views with masks can be compared"
            )
    first = folders[0].labels
    assert first is not None
    for folder in folders[1:]:
        assert folder.labels is not None
        if folder.labels.names != first.names:
            raise AnnotationError(
                f"{folder.path / LABELS_NAME}: expected the labels of {folders[0].path} ({', '.join(first.names)}), found "
                f"{', '.join(folder.labels.names)}; score the folders one by one"
            )
    return first


def score_object(item: PosedObject, labels: LabelSet, workers: int, advance: Callable[[], None]) -> ScoredObject:
    """Read an object's views and compare them.

    Args:
        workers: threads that read.
        advance: called once a view.

    Raises:
        AnnotationError: a file that cannot be used.
        OutputError: a depth that cannot be read.
    """
    held = HeldViews(lambda index: item.folder.labelled(item.views[index]), _bytes_of, HELD_BYTES)
    boxes, sizes_px = [], []
    for view in held.read_all(len(item.views), workers):
        boxes.append(SurfaceBox.round_view(view.camera, view.depth_planar))
        sizes_px.append(view.size_px)
    box = SurfaceBox.round_all(boxes)
    directions = directions_from(box.middle, np.array([view.camera.position for view in item.views]))
    compared = compared_views(directions)
    for _ in range(len(item.views) - len(compared)):
        advance()
    bins = len(ANGLE_EDGES_DEG) - 1
    pairs, agreements = [0] * bins, [Agreement.empty(labels.num_classes)] * bins
    for index, first in enumerate(compared):
        for second in compared[index + 1 :]:
            both = held.seen(first), held.seen(second)
            place = angle_bin(directions, first, second)
            pairs[place] += 1
            for one, other in (both, both[::-1]):
                agreement = pair_agreement(one, other, labels.num_classes, TOLERANCE_SHARE * box.longest_side)
                agreements[place] = agreements[place].plus(agreement)
        advance()
    return ScoredObject(len(item.views), len(compared), tuple(pairs), tuple(agreements), box, tuple(sizes_px))


def _bytes_of(view: LabeledView) -> int:
    return view.depth_planar.nbytes + (0 if view.mask is None else view.mask.nbytes)


@dataclass(frozen=True)
class PooledConsistency:
    """The agreement of all objects together: in each range of `ANGLE_EDGES_DEG`, and over all."""

    pairs: tuple[int, ...]
    by_angle: tuple[Agreement, ...]
    overall: Agreement

    @classmethod
    def pool(cls, scored: Sequence[ScoredObject]) -> PooledConsistency:
        """Of at least one object."""
        by_angle = tuple(Agreement.pooled(parts) for parts in zip(*(item.agreements for item in scored), strict=True))
        pairs = tuple(sum(counts) for counts in zip(*(item.pairs for item in scored), strict=True))
        return cls(pairs, by_angle, Agreement.pooled(by_angle))

    @classmethod
    def nothing(cls, num_classes: int) -> PooledConsistency:
        """Of no object."""
        bins = len(ANGLE_EDGES_DEG) - 1
        return cls((0,) * bins, (Agreement.empty(num_classes),) * bins, Agreement.empty(num_classes))

    def to_json(self, labels: LabelSet) -> dict[str, Any]:
        """As JSON values: the overall numbers, and those of each range of angles in `by_angle`."""
        ranges = zip(ANGLE_EDGES_DEG, ANGLE_EDGES_DEG[1:], self.pairs, self.by_angle, strict=False)
        return {
            **agreement_json(self.overall, labels),
            "pairs": sum(self.pairs),
            "by_angle": [
                {"from_deg": low, "to_deg": high, "pairs": pairs, **agreement_json(agreement, labels)}
                for low, high, pairs, agreement in ranges
            ],
        }

    def table(self, labels: LabelSet) -> list[str]:
        """Lines for people."""
        rows = [("directions apart", "pairs", "mIoU", "accuracy", "co-visible")]
        last = len(self.pairs) - 1
        for place, (pairs, agreement) in enumerate(zip(self.pairs, self.by_angle, strict=True)):
            low, high = ANGLE_EDGES_DEG[place : place + 2]
            name = f"{low} degrees or more" if place == last else f"{low} to {high} degrees"
            rows.append((name, str(pairs), *shown_numbers(agreement)))
        rows.append(("all", str(sum(self.pairs)), *shown_numbers(self.overall)))
        width = max(len(row[0]) for row in rows)
        lines = [f"{row[0]:<{width}}" + "".join(f"  {cell:>10}" for cell in row[1:]) for row in rows]
        per_class = agreement_json(self.overall, labels)["iou_per_class"]
        return [*lines, *score_table({}, per_class)]


def shown_numbers(agreement: Agreement) -> tuple[str, str, str]:
    """mIoU, accuracy and covisible share, for people."""
    values = [rounded(agreement.miou), rounded(agreement.accuracy), rounded(agreement.covisible)]
    miou, accuracy, covisible = ("-" if value is None else f"{value:.4f}" for value in values)
    return miou, accuracy, covisible


def agreement_json(agreement: Agreement, labels: LabelSet) -> dict[str, Any]:
    """As JSON values, null where nothing was compared; `iou_per_class` has the parts, and no background, which is none."""
    per_class = dict(zip(labels.names[1:], map(rounded, agreement.iou_per_part), strict=True))
    return {
        "agreement": rounded(agreement.miou),
        "agreement_accuracy": rounded(agreement.accuracy),
        "covisible": rounded(agreement.covisible),
        "iou_per_class": per_class,
    }
