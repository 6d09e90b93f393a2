"""What the masks of a subject's other views say of a mask's labels, one witness at a time, carried through depth."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
        self._pixels: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self._near: dict[tuple[int, int], NDArray[np.bool_]] = {}
        self._counts: dict[tuple[int, int, int], tuple[int, int]] = {}

    def misfits(self, index: int, masks: Sequence[int], heard: Collection[int]) -> NDArray[np.float64]:
        """Shares of what witnesses carry into a view that lie wrong in some masks, its own or other views', where they are put there.

        Args:
            index: the view.
            masks: the views [M] whose masks are put there.
            heard: the views that may bear witness; those of the same subject do.

        Returns:
            [W, M], a row for each witness that carries enough for every one of the masks.
        """
        rows = []
        for witness in heard:
            if witness != index and self._views[witness].subject == self._views[index].subject:
                wrong, known = np.array([self._wrong(index, mask, witness) for mask in masks], np.float64).T
                if known.min() >= _LEAST_CARRIED_PX:
                    rows.append(wrong / known)
        return np.array(rows).reshape(-1, len(masks))

    def _wrong(self, index: int, other: int, witness: int) -> tuple[int, int]:
        """Pixels of a view where the mask of another has no pixel near of the label that a witness carries there, and all of those
        where both say something: a part that the mask leaves out altogether says nothing where it is background."""
        key = index, other, witness
        if key not in self._counts:
            self._counts[key] = self._counted(*key)
        return self._counts[key]

    def _counted(self, index: int, other: int, witness: int) -> tuple[int, int]:
        here, there = self._covisible(index, witness)
        carried = self._views[witness].mask.reshape(-1)[there]
        mask = self._views[other].mask.reshape(-1)
        painted = painted_area(mask[here])
        right = known = 0
        for label in np.unique(carried).tolist():
            if label in (0, IGNORE_ID):
                continue
            at = carried == label
            fits = at & self._label_near(other, label)[here]
            right += int(fits.sum())
            known += int((at if (mask == label).any() else at & (painted | fits)).sum())
        return known - right, known

    def _covisible(self, index: int, witness: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        key = index, witness
        if key not in self._pixels:
            view, other = self._views[index], self._views[witness]
            self._pixels[key] = covisible_pixels(
                view.camera, view.depth_planar, other.camera, other.depth_planar, self._tolerance
            )
        return self._pixels[key]

    def _label_near(self, index: int, label: int) -> NDArray[np.bool_]:
        key = index, label
        if key not in self._near:
            self._near[key] = grown(self._views[index].mask == label).reshape(-1)
        return self._near[key]
