"""How well an edit went: by the painted view, and what is seen of it from elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import Camera
from dnerf_core.editing.region import BACKGROUND_ID, Region
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.labels import IGNORE_ID
from dnerf_core.metrics import psnr_db
from dnerf_core.subject import LabeledView

TURNS_DEG = (-45.0, 45.0, 180.0)
"""From the painted view to the three others that an edit is looked at from."""


@dataclass(frozen=True)
class OtherView:
    """How much of an edit is seen from another direction.

    Attributes:
        yaw_deg: turn from the edited view.
        labels_changed: share of the pixels that show the object, before or after, whose label changed.
        color_change: mean absolute difference of these pixels' colours, of 255.
    """

    yaw_deg: float
    labels_changed: float
    color_change: float


@dataclass(frozen=True)
class EditScores:
    """How well an edit went, by the view that was painted.

    Attributes:
        edited_taken: share of the repainted pixels that show the requested label.
        agreement_inside: share of r's pixels that show the edited mask's label.
        agreement_outside: the same outside r.
        psnr_outside_db: of the image outside r against the view before.
        psnr_kept_db: the same over the object's pixels that are not near what was repainted, in r or not: whether it kept its texture.
    """

    edited_taken: float
    agreement_inside: float
    agreement_outside: float
    psnr_outside_db: float
    psnr_kept_db: float


def edit_scores(before: LabeledView, after: LabeledView, edited_mask: NDArray[np.uint8], region: Region) -> EditScores:
    """Scores of an edit by the painted view; pixels of `IGNORE_ID` do not count."""
    assert before.mask is not None
    assert after.mask is not None
    agrees, counted = after.mask == edited_mask, edited_mask != IGNORE_ID
    outside = ~region.inside
    return EditScores(
        edited_taken=float(agrees[region.edited].mean()),
        agreement_inside=_share(agrees, region.inside & counted),
        agreement_outside=_share(agrees, outside & counted),
        psnr_outside_db=_psnr_where(before, after, outside),
        psnr_kept_db=_psnr_where(before, after, (before.mask != BACKGROUND_ID) & ~region.near),
    )


def _share(agrees: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    return float(agrees[where].mean()) if where.any() else float("nan")


def _psnr_where(before: LabeledView, after: LabeledView, where: NDArray[np.bool_]) -> float:
    return psnr_db(before.rgb[where], after.rgb[where]) if where.any() else float("nan")


def change_seen(before: LabeledView, after: LabeledView, yaw_deg: float) -> OtherView:
    """How much two views of one camera differ; `yaw_deg` is only noted."""
    assert before.mask is not None
    assert after.mask is not None
    shown = (before.mask != BACKGROUND_ID) | (after.mask != BACKGROUND_ID)
    if not shown.any():
        return OtherView(yaw_deg, 0.0, 0.0)
    change = np.abs(before.rgb.astype(np.int16) - after.rgb.astype(np.int16))[shown].mean()
    return OtherView(yaw_deg, float((before.mask != after.mask)[shown].mean()), float(change))


def turned_cameras(camera: Camera, cameras: CameraConfig) -> list[Camera]:
    """The other views' cameras: on the generator's sphere, `TURNS_DEG` from where the painted view was taken."""
    yaw_deg, pitch_deg = sphere_angles_deg(camera.cam2world, cameras)
    return [camera_at(math.radians(yaw_deg + turn), math.radians(pitch_deg), cameras) for turn in TURNS_DEG]
