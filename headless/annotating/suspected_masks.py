"""What a training is told of its masks before it begins: those read by the nearest colour, and those that seem not to be their view's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.errors import AnnotationError
from dnerf_core.multiview.carrying import TOLERANCE_SHARE
from headless.annotating.mask_checks import Suspicion, suspicions
from headless.annotating.masked_view import CHECKED_PX, MaskedView, small_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnerf_core.files.annotated_folder import AnnotatedImage
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject
    from dnerf_core.subject_key import SubjectKey
    from headless.work.reporting import Reporter

_SHOWN = 20
"""Masks that are warned of one by one, before the rest is counted."""


def check_masks(images: Sequence[AnnotatedImage], model: Model, reporter: Reporter, *, strict: bool) -> None:
    """Warn of painted masks that do not fit what the model shows of their views; see `suspicions`.

    It costs a depth map of `CHECKED_PX` a side for each view.

    Raises:
        AnnotationError: there is such a mask, and `strict` says that there must be none.
    """
    found = suspected(images, model, reporter)
    if found and strict:
        more = f" (and {len(found) - 1} more; without --strict all are told)" if len(found) > 1 else ""
        raise AnnotationError(f"{found[0].message}{more}")
    for suspicion in found[:_SHOWN]:
        reporter.warning(suspicion.message, mask=str(suspicion.path), suspected=suspicion.kind)
    if len(found) > _SHOWN:
        reporter.warning(f"{len(found) - _SHOWN} more masks seem not to be their view's; correct those above first")


def suspected(images: Sequence[AnnotatedImage], model: Model, reporter: Reporter) -> list[Suspicion]:
    """The suspicions of painted views, whose depth is rendered."""
    opened: tuple[SubjectKey, Subject] | None = None
    views = []
    sides = {image.mask.shape[0] for image in images}
    side_px = min(CHECKED_PX, *sides)
    with reporter.progress("masks checked", len(images)) as advance:
        for image in images:
            if opened is None or opened[0] != image.subject:
                opened = image.subject, image.subject.open(model)
            depth = opened[1].channels(image.camera, side_px, ("depth",)).depth_planar
            assert depth is not None
            mask = small_mask(image.mask, side_px)
            views.append(MaskedView(image.name, image.mask_path, image.subject, image.camera, mask, depth))
            advance()
    return suspicions(views, TOLERANCE_SHARE * model.config.box_side, max(sides))
