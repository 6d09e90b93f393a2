"""What the masks of a subject's other views say of a mask's labels, one witness at a time, carried through depth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import IGNORE_ID
from dnerf_core.multiview.carrying import covisible_pixels
from headless.annotating.masked_view import MaskedView, grown, painted_area

_LEAST_CARRIED_PX = 150
"""Labels that a witness must have carried into a view to be heard."""


class LabelWitnesses:
    """How masks fit the labels that a subject's other views carry, a pixel at the edges forgiven.

    Each witness is asked by itself: where one of them is wrong, the others do not follow it, as they would a mask mixed of all.

    Args:
        views: painted views of one size.
        tolerance: world units, see `dnerf_core.multiview.carrying.TOLERANCE_SHARE`.
    """

    def __init__(self, views: Sequence[MaskedView], tolerance: float) -> None:
        self._views, self._tolerance = views, tolerance
        self._painted = [painted_area(view.mask).reshape(-1) for view in views]
        self._carried: dict[tuple[int, int], list[tuple[int, NDArray[np.int64]]]] = {}
        self._near: dict[tuple[int, int], NDArray[np.bool_] | None] = {}
        self._counts: dict[tuple[int, int, int], tuple[int, int]] = {}

    def misfits(self, index: int, masks: Sequence[int], heard: Collection[int]) -> Iterator[tuple[float, ...]]:
        """Shares of what witnesses carry into a view that lie wrong in some masks, its own or other views', where they are put there.

        Args:
            index: the view.
            masks: the views whose masks are put there; none of them bears witness.
            heard: the views that may bear witness; those of the same subject do.

        Yields:
            for each witness that carries enough for every one of the masks, a share for each mask.
        """
        for witness in heard:
            if witness == index or witness in masks or self._views[witness].subject != self._views[index].subject:
                continue
            counts = [self._wrong(index, mask, witness) for mask in masks]
            if min(known for _, known in counts) >= _LEAST_CARRIED_PX:
                yield tuple(wrong / known for wrong, known in counts)

    def _wrong(self, index: int, other: int, witness: int) -> tuple[int, int]:
        """Pixels of a view where the mask of another has no pixel near of the label that a witness carries there, and all of those
        where both say something: a part that the mask leaves out altogether says nothing where it is background."""
        key = index, other, witness
        if key not in self._counts:
            right = known = 0
            for label, places in self._labels_carried(index, witness):
                near = self._label_near(other, label)
                if near is None:
                    known += int(self._painted[other][places].sum())
                else:
                    right += int(near[places].sum())
                    known += len(places)
            self._counts[key] = known - right, known
        return self._counts[key]

    def _labels_carried(self, index: int, witness: int) -> list[tuple[int, NDArray[np.int64]]]:
        """The labels that a witness carries into a view, each with its pixels there."""
        key = index, witness
        if key not in self._carried:
            view, other = self._views[index], self._views[witness]
            here, there = covisible_pixels(view.camera, view.depth_planar, other.camera, other.depth_planar, self._tolerance)
            labels = other.mask.reshape(-1)[there]
            named = [label for label in np.unique(labels).tolist() if label not in (0, IGNORE_ID)]
            self._carried[key] = [(label, here[labels == label]) for label in named]
        return self._carried[key]

    def _label_near(self, index: int, label: int) -> NDArray[np.bool_] | None:
        """Where a mask has a pixel of a label, or one beside it; None: nowhere."""
        key = index, label
        if key not in self._near:
            at = self._views[index].mask == label
            self._near[key] = grown(at).reshape(-1) if at.any() else None
        return self._near[key]
