"""A painted mask carried through depth into other views of the same subject, so that what is painted once need not be painted again.

Convention: OpenCV cameras with normalised intrinsics, pixel centres at +0.5, planar depth with +inf at background (numpy only).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID, check_ids
from dnerf_core.multiview.carrying import covisible_pixels
from dnerf_core.rendering.labeled_view import LabeledView

_TIE_BREAK = 1e-3


def prefill(
    camera: Camera, depth_planar: NDArray[np.floating], painted: Sequence[LabeledView], num_classes: int, tolerance: float
) -> NDArray[np.uint8]:
    """The mask of a view as far as painted views of the same subject tell it.

    Each pixel is back-projected by its own depth and projected into every painted view. Where that view sees the same surface, to
    within the tolerance, its label there is a vote; the label with most votes is the pixel's, of equals that of the view whose optical
    axis is nearest. A pixel that nobody sees is 255, which training leaves out, so that nothing untrue is trained on.

    Args:
        camera, depth_planar: the view to fill, [H, W], world units, +inf at background, which becomes label 0.
        painted: at least one, with masks, 255 where a label is not known.
        num_classes: with background.
        tolerance: world units, see `TOLERANCE_SHARE`.

    Returns:
        uint8 [H, W].

    Raises:
        UsageError: no painted view, or one without a mask.
        AnnotationError: a mask has an id that is neither a class nor 255.
    """
    if not painted:
        raise UsageError("painted views: expected at least one, found none; paint a view of this subject first")
    surface = np.isfinite(depth_planar)
    votes = np.zeros((depth_planar.size, num_classes))
    nearest_first = sorted(painted, key=lambda view: -float(view.camera.forward @ camera.forward))
    for rank, view in enumerate(nearest_first):
        here, there = covisible_pixels(camera, depth_planar, view.camera, view.depth_planar, tolerance)
        label = view.label_ids().reshape(-1)[there]
        known = label != IGNORE_ID
        check_ids(label, num_classes)
        votes[here[known], label[known]] += 1 - _TIE_BREAK * rank / len(painted)  # a pixel is named once a view
    filled = np.where(votes.any(axis=1), votes.argmax(axis=1), IGNORE_ID).astype(np.uint8)
    filled[~surface.reshape(-1)] = 0
    return filled.reshape(depth_planar.shape)
