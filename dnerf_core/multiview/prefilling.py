"""Painted masks of annotated folders carried into the same subjects' other views; the depth is rendered from the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError
from dnerf_core.files.annotated_folder import AnnotatedImage, is_painted
from dnerf_core.labels import IGNORE_ID, LabelSet
from dnerf_core.multiview.carrying import TOLERANCE_SHARE
from dnerf_core.multiview.prefill import prefill
from dnerf_core.rendering.labeled_view import LabeledView

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject


@dataclass(frozen=True, eq=False)
class Prefilled:
    """A view's mask as far as painted views tell it.

    Attributes:
        name: of the view.
        mask: uint8 [S, S], 0 background, 255 where nobody could tell.
        filled_px: pixels of the object that have a label.
        object_px: pixels of the object: those with depth.
    """

    name: str
    mask: NDArray[np.uint8]
    filled_px: int
    object_px: int


class Prefiller:
    """What carries the painted masks of one subject; their depth is rendered once."""

    def __init__(self, subject: Subject, painted: Sequence[AnnotatedImage], labels: LabelSet) -> None:
        """Args:
        painted: views of this subject, at least one; their masks' size is that of all views.
        """
        self.subject, self.labels = subject, labels
        self.tolerance = TOLERANCE_SHARE * subject.model.config.box_side
        self.painted = [
            LabeledView.without_picture(view.camera, view.mask, self.depth(view.camera, view.mask.shape[0])) for view in painted
        ]

    def depth(self, camera: Camera, size_px: int) -> NDArray[np.float32]:
        """Planar depth [S, S] of the subject, +inf at background."""
        depth = self.subject.channels(camera, size_px, ("depth",)).depth_planar
        assert depth is not None
        return depth

    def fill(self, name: str, camera: Camera, depth_planar: NDArray[np.floating]) -> Prefilled:
        """The mask of a view with this depth."""
        mask = prefill(camera, depth_planar, self.painted, self.labels.num_classes, self.tolerance)
        seen = np.isfinite(depth_planar)
        return Prefilled(name, mask, int((mask[seen] != IGNORE_ID).sum()), int(seen.sum()))


def choose_views(images: Sequence[AnnotatedImage], name: str) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """The painted views of the subject that the view `name` shows, that one among them, and its other views.

    Raises:
        UsageError: no such view, or nothing is painted in it.
    """
    chosen = next((image for image in images if image.name == name), None)
    if chosen is None:
        raise UsageError(f"view {name!r}: expected one of {len(images)}, such as {images[0].name}, found none of that name")
    if not is_painted(chosen.mask):
        raise UsageError(f"{chosen.mask_path}: expected a painted mask, found nothing painted in it; paint and save it first")
    views = [image for image in images if image.subject == chosen.subject]
    painted = [image for image in views if is_painted(image.mask)]
    return painted, [image for image in views if not is_painted(image.mask)]


def correct_pixels(model: Model, seed: int, camera: Camera, filled: Prefilled, depth_planar: NDArray[np.floating]) -> int:
    """Filled object pixels whose label is the exact truth's; the demos' alone is known."""
    from dnerf_core.demo.truth import true_mask

    truth = true_mask(model, seed, camera, filled.mask.shape[0])
    known = np.isfinite(depth_planar) & (filled.mask != IGNORE_ID)
    return int((filled.mask[known] == truth[known]).sum())


def truth_is_known(model: Model, labels: LabelSet, truncation: float) -> bool:
    """Whether `correct_pixels` can tell."""
    from dnerf_core.demo.worlds import is_known, world_named

    if not is_known(model.config.name) or truncation != 1.0:
        return False
    world = world_named(model.config.name)
    return model.config.latent.z_dim == world.z_dim and labels.names == world.labels.names
