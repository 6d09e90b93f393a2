"""Pictures of a found or edited subject: rendered from all around and from the camera of its picture, and written."""

from __future__ import annotations

import math
from pathlib import Path

from dnerf_core.files.pictures import write_image, write_mask
from dnerf_core.inversion.pose import camera_at
from dnerf_core.labels import LabelSet
from dnerf_core.subject import LabeledView, Subject
from headless.pictures.turntable_strip import PhotoPair, StripView, write_turntable_strip

TURNS_DEG = (-120.0, -60.0, 0.0, 60.0, 120.0, 180.0)
"""From the direction that the picture was taken from."""


def write_subject_strip(
    path: Path, title: str, subject: Subject, yaw_deg: float, pitch_deg: float, pair: PhotoPair | None
) -> None:
    """Views of a subject all around, beside the picture that it was made for.

    Args:
        yaw_deg, pitch_deg: where that picture was taken from.

    Raises:
        OutputError: the file cannot be written.
    """
    views = []
    for turn in TURNS_DEG:
        yaw = (yaw_deg + turn + 180) % 360 - 180
        view = subject.render(camera_at(math.radians(yaw), math.radians(pitch_deg), subject.model.config.cameras))
        views.append(StripView(round(yaw), view.rgb, view.mask))
    labels = subject.model.labels if subject.model.has_semantics else None
    write_turntable_strip(path, title, views, labels, pair)


def with_ending(base: Path, ending: str) -> Path:
    """A file next to a subject file whose path without its suffix is `base`."""
    return base.with_name(base.name + ending)


def write_subject_view(base: Path, view: LabeledView, labels: LabelSet | None) -> None:
    """A view's image, and its mask, which can be painted over and given to `edit`.

    Raises:
        OutputError: a file cannot be written.
    """
    write_image(with_ending(base, "-view.png"), view.rgb)
    if view.mask is not None and labels is not None:
        write_mask(with_ending(base, "-mask.png"), view.mask, labels.palette())
