"""Steps that score labels over time: a video's own, or a labeller's frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core import job_ranges
from dnerf_core.errors import AnnotationError
from dnerf_core.ranges import Ranged, ranged
from headless.reproducing.scoring import number, write_scores
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.downstream.baselines.scoring import Labeller
    from dnerf_core.labels import LabelSet

APART = 5
"""Frames between two that are held against each other by their depths."""
LINE_HEIGHT = 0.55
"""Of the pixel row that textures show, as a share of a picture's height: through a car's wheels and doors, a person's hips and hands."""
FRAME, IMAGE_TEXTURE, LABEL_TEXTURE, FLICKER_MAP = "frame.png", "image-texture.png", "label-texture.png", "flicker.png"
"""Beside the scores: the first subject's middle frame, one pixel row of all of its frames, pictures and label ids, and how often the
label of each pixel flickers."""


@dataclass(frozen=True, kw_only=True)
class ScoreVideoCall(Ranged):
    """The labels of a data set's videos over time.

    Attributes:
        video: a data set of several views in a row of each subject.
        network: labels the frames; None: their own masks are looked at.
        mirrored: whether it looks at their mirror images, too, see `Segmenter`.
    """

    video: Path
    network: Path | None = None
    mirrored: bool = False
    output: Path
    device: str = ranged(job_ranges.DEVICE)


def score_video(call: ScoreVideoCall, reporter: Reporter | None = None) -> None:
    """Look at every frame and write the scores.

    Raises:
        DNeRFError: a network or a video that cannot be used, or scores that cannot be written.
    """
    labeller: Labeller | None = None
    if call.network is not None:
        from dnerf_core.downstream.images.segmenter import Segmenter
        from headless import models

        labeller = replace(Segmenter.load(call.network, models.pick_device(call.device)), mirrored=call.mirrored)
    write_scores(call.output, labels_over_time(call.video, labeller, call.output, reporter or Quiet()))


@dataclass(frozen=True, eq=False)
class _Clip:
    """One subject's frames."""

    cameras: list[Camera]
    images: list[NDArray[np.uint8]]
    masks: list[NDArray[np.uint8]]
    depths: list[NDArray[np.float32]]


def labels_over_time(video: Path, labeller: Labeller | None, output: Path, reporter: Reporter) -> dict[str, Any]:
    """Scores of the labels of a data set's videos over time, as JSON values; textures of the first are written beside `output`.

    Args:
        labeller: labels the frames; None: their own masks are looked at.

    Raises:
        DNeRFError: a data set that cannot be used, or whose frames lack something, or textures that cannot be written.
    """
    from dnerf_core.multiview.consistency import Agreement, pairs_apart, reprojection_agreement
    from dnerf_core.multiview.flicker import NO_FLICKER, label_flicker

    clips, labels = _clips(video, labeller, reporter)
    flicker, agreement = NO_FLICKER, Agreement.empty(labels.num_classes)
    for clip in clips:
        flicker = flicker.plus(label_flicker(np.stack(clip.masks)))
        pairs = pairs_apart(len(clip.masks), min(APART, len(clip.masks) - 1))
        agreement = agreement.plus(reprojection_agreement(clip.cameras, clip.depths, clip.masks, labels.num_classes, pairs))
    _write_textures(clips[0], output)
    values = {
        "flicker": flicker.per_thousand,
        "undone": flicker.undone_share,
        "agreement": agreement.miou,
        "agreement_accuracy": agreement.accuracy,
    }
    return {
        "videos": len(clips),
        "frames": sum(len(clip.masks) for clip in clips),
        **{name: number(value) for name, value in values.items()},
    }


def _clips(video: Path, labeller: Labeller | None, reporter: Reporter) -> tuple[list[_Clip], LabelSet]:
    """The videos of a data set, with their own labels or a labeller's.

    Raises:
        DNeRFError: a data set that cannot be used, or whose frames lack something.
    """
    from dnerf_core.datasets.labeled_views import LabeledViews

    views = LabeledViews(video)
    if views.labels is None or not len(views):
        raise AnnotationError(f"{video}: expected frames with masks, found none; render them with --channels rgb,mask,depth")
    if labeller is not None and labeller.labels.names != views.labels.names:
        raise AnnotationError(
            f"{video}: expected the network's labels ({', '.join(labeller.labels.names)}), found {', '.join(views.labels.names)}; "
            "name frames of these labels"
        )
    clips: dict[int, _Clip] = {}
    with reporter.progress(f"frames of {video.name} looked at", len(views)) as advance:
        for index in range(len(views)):
            sample = views[index]
            if "image" not in sample or "mask" not in sample or "depth" not in sample:
                raise AnnotationError(
                    f"{video}: {sample['name']}: expected image, mask and depth, found less; render it with --channels rgb,mask,depth"
                )
            image = np.ascontiguousarray(sample["image"].permute(1, 2, 0).numpy())
            clip = clips.setdefault(sample["seed"], _Clip([], [], [], []))
            clip.cameras.append(views.camera(index))
            clip.images.append(image)
            clip.masks.append(sample["mask"].numpy() if labeller is None else labeller.predict(image)[0])
            clip.depths.append(sample["depth"].numpy())
            advance()
    return list(clips.values()), views.labels


def line_of(height_px: int) -> int:
    """The pixel row that textures show."""
    return int(LINE_HEIGHT * height_px)


def _write_textures(clip: _Clip, output: Path) -> None:
    from dnerf_core.files.pictures import write_image, write_mask_ids
    from dnerf_core.multiview.consistency import line_texture
    from dnerf_core.multiview.flicker import flicker_counts

    line = line_of(clip.images[0].shape[0])
    write_image(output.with_name(FRAME), clip.images[len(clip.images) // 2])
    write_image(output.with_name(IMAGE_TEXTURE), line_texture(clip.images, line))
    write_mask_ids(output.with_name(LABEL_TEXTURE), line_texture(clip.masks, line))
    counts = flicker_counts(np.stack(clip.masks))
    write_mask_ids(output.with_name(FLICKER_MAP), np.minimum(counts, 255).astype(np.uint8))
