"""3D consistency of label masks, measured: do views of one object say the same of the same place? (numpy only)

The measure, re-projection agreement: each pixel of view A is carried by its depth into view B; where B sees that very surface, the two
labels are compared. Mean IoU and accuracy are those of the confusion matrix summed over all pairs (`dnerf_core.metrics`). It needs
cameras, depths and masks alone, so any system's output can be scored.

The picture, spatiotemporal line textures (paper, Fig. S10): one row of pixels of every frame, stacked; edges of consistent frames draw
smooth lines.

Convention: OpenCV cameras with normalised intrinsics, pixel centres at +0.5, planar depth with +inf at background.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, pixel_centers_uv
from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from dnerf_core.multiview.carrying import TOLERANCE_SHARE, covisible_pixels
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.shapes import check_shapes


@dataclass(frozen=True, eq=False)
class SurfaceBox:
    """The box round what views see of an object, along the world's axes: corners float64 [3], world units; +inf and -inf where empty."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def round_view(cls, camera: Camera, depth_planar: NDArray[np.floating]) -> SurfaceBox:
        """Round the points of one view's pixels with depth [H, W]."""
        seen = np.isfinite(depth_planar)
        if not seen.any():
            return cls(np.full(3, np.inf), np.full(3, -np.inf))
        points = camera.unproject(pixel_centers_uv((depth_planar.shape[1], depth_planar.shape[0]))[seen], depth_planar[seen])
        return cls(points.min(axis=0), points.max(axis=0))

    @classmethod
    def round_all(cls, boxes: Sequence[SurfaceBox]) -> SurfaceBox:
        """The box round several; empty without any."""
        return cls(
            np.min([np.full(3, np.inf), *(box.low for box in boxes)], axis=0),
            np.max([np.full(3, -np.inf), *(box.high for box in boxes)], axis=0),
        )

    @property
    def longest_side(self) -> float:
        """World units; 0 where empty."""
        return float((self.high - self.low).max()) if np.isfinite(self.low).all() else 0.0

    @property
    def middle(self) -> NDArray[np.float64]:
        """Its centre [3]; the origin where empty."""
        return (self.low + self.high) / 2 if np.isfinite(self.low).all() else np.zeros(3)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far views agree.

    Attributes:
        confusion: int64 [C, C], compared pixels: row = the carried label, column = the label found there.
        object_pixels: pixels with depth in the views whose labels were carried; those not compared are not covisible.
    """

    confusion: NDArray[np.int64]
    object_pixels: int

    @property
    def miou(self) -> float:
        """Mean IoU of the parts that occur; NaN without pixels.

        Background is no part: its few pixels with depth are where mask and depth end differently. They count against the parts.
        """
        occurring = [iou for iou in self.iou_per_part if not math.isnan(iou)]
        return sum(occurring) / len(occurring) if occurring else math.nan

    @property
    def iou_per_part(self) -> tuple[float, ...]:
        """IoU of the classes 1 .. C - 1; NaN for one that neither side has."""
        return segmentation_scores(self.confusion).iou_per_class[1:]

    @property
    def accuracy(self) -> float:
        """Share of compared pixels whose labels are the same; NaN without pixels."""
        return segmentation_scores(self.confusion).accuracy

    @property
    def covisible(self) -> float:
        """Compared pixels as a share of the object's; 0 without pixels."""
        return int(self.confusion.sum()) / self.object_pixels if self.object_pixels else 0.0

    @classmethod
    def empty(cls, num_classes: int) -> Agreement:
        """Nothing compared yet."""
        return cls(np.zeros((num_classes, num_classes), dtype=np.int64), 0)

    def plus(self, other: Agreement) -> Agreement:
        """That of the pixels of both."""
        return Agreement(self.confusion + other.confusion, self.object_pixels + other.object_pixels)

    @classmethod
    def pooled(cls, parts: Sequence[Agreement]) -> Agreement:
        """That of all pixels of several, at least one."""
        return functools.reduce(cls.plus, parts)


def reprojection_agreement(
    cameras: Sequence[Camera],
    depths: Sequence[NDArray[np.floating]],
    masks: Sequence[NDArray[np.uint8]],
    num_classes: int,
    pairs: Iterable[tuple[int, int]],
    tolerance_share: float = TOLERANCE_SHARE,
) -> Agreement:
    """Re-projection agreement of views of one object at rest.

    Args:
        cameras, depths, masks: one a view; planar depth [H, W] and label ids [H, W], 255 is not compared.
        num_classes: with background.
        pairs: indices (A, B); A's labels are carried into B. See `pairs_apart`.
        tolerance_share: see `TOLERANCE_SHARE`; the longest side is that of the box round all views' points.

    Raises:
        UsageError: not one depth and mask a camera, a mask of another size than its depth, or a pair of views that are not there.
        AnnotationError: a mask has an id that is neither a class nor 255.
    """
    if not len(cameras) == len(depths) == len(masks):
        raise UsageError(
            f"views: expected one depth and one mask a camera, found {len(cameras)} cameras, {len(depths)} depths and "
            f"{len(masks)} masks; pass the same views"
        )
    for index, (depth, mask) in enumerate(zip(depths, masks, strict=True)):
        check_shapes(UsageError, f"view {index}", depth=(depth, "H W"), mask=(mask, "H W"))
    boxes = [SurfaceBox.round_view(camera, depth) for camera, depth in zip(cameras, depths, strict=True)]
    tolerance = tolerance_share * SurfaceBox.round_all(boxes).longest_side
    total = Agreement.empty(num_classes)
    for a, b in pairs:
        if not (0 <= a < len(cameras) and 0 <= b < len(cameras)):
            raise UsageError(f"pairs: expected views 0 to {len(cameras) - 1}, found ({a}, {b}); choose others")
        one, other = (LabeledView.without_picture(cameras[index], masks[index], depths[index]) for index in (a, b))
        total = total.plus(pair_agreement(one, other, num_classes, tolerance))
    return total


def pair_agreement(view: LabeledView, other: LabeledView, num_classes: int, tolerance: float) -> Agreement:
    """The labels of one view carried into another; arguments as `reprojection_agreement` has them, `tolerance` in world units.

    Raises:
        UsageError: a view without a mask.
        AnnotationError: a mask has an id that is neither a class nor 255.
    """
    depth = view.depth_planar
    here, there = covisible_pixels(view.camera, depth, other.camera, other.depth_planar, tolerance)
    row, column = view.label_ids().reshape(-1)[here], other.label_ids().reshape(-1)[there]
    known = (row != IGNORE_ID) & (column != IGNORE_ID)
    return Agreement(confusion_matrix(row[known], column[known], num_classes), int(np.isfinite(depth).sum()))


def pairs_apart(count: int, step: int) -> list[tuple[int, int]]:
    """All pairs of `count` views in a row that are `step` apart, in both directions."""
    return [pair for first in range(count - step) for pair in ((first, first + step), (first + step, first))]


def line_texture(frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
    """One pixel row of every frame [H, W, ...], or of frames stacked to [T, H, W, ...], the first frame's on top: uint8 [T, W, ...].

    Raises:
        UsageError: no frames, or a row that they do not have.
    """
    if len(frames) == 0:
        raise UsageError("frames: expected at least one, found none; pass the frames of a video")
    if not 0 <= row < frames[0].shape[0]:
        raise UsageError(f"row: expected 0 to {frames[0].shape[0] - 1}, found {row}; choose another")
    return np.stack([frame[row] for frame in frames])
