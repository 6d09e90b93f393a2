"""Steps that score: a network file on test sets; the scores go to a JSON file, with a few predicted masks beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnerf_core import job_ranges
from dnerf_core.errors import AnnotationError
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.ranges import Ranged, ranged
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dnerf_core.downstream.baselines.scoring import Labeller
    from dnerf_core.downstream.points.sets.labelled_clouds import LabelledCloud
    from dnerf_core.labels import LabelSet

SHOWN = 4
"""Views of a test set that a report's pictures show."""


@dataclass(frozen=True, kw_only=True)
class ScoreImagesCall(Ranged):
    """A network file of images on a test set.

    Attributes:
        mirrored: whether mirror images are looked at, too, see `Segmenter`.
    """

    network: Path
    test: Path
    mirrored: bool = False
    output: Path
    device: str = ranged(job_ranges.DEVICE)


@dataclass(frozen=True, kw_only=True)
class ScoreCloudsCall(Ranged):
    """A network file of points on a folder of clouds."""

    network: Path
    test: Path
    output: Path
    device: str = ranged(job_ranges.DEVICE)


def score_images(call: ScoreImagesCall, reporter: Reporter | None = None) -> None:
    """Label every view of the test set and write the scores.

    Raises:
        DNeRFError: a network or a test set that cannot be used, or scores that cannot be written.
    """
    from dnerf_core.downstream.images.segmenter import Segmenter
    from headless import models

    segmenter = replace(Segmenter.load(call.network, models.pick_device(call.device)), mirrored=call.mirrored)
    scores = scored(segmenter, call.test, call.output, "", reporter or Quiet())
    write_scores(call.output, scores)


def score_clouds_of(call: ScoreCloudsCall, reporter: Reporter | None = None) -> None:
    """Label every cloud of the test folder and write the scores.

    Raises:
        DNeRFError: a network or a folder that cannot be used, or scores that cannot be written.
    """
    from dnerf_core.downstream.points.prediction import PointSegmenter
    from headless import models

    segmenter = PointSegmenter.load(call.network, models.pick_device(call.device))
    clouds, pairs = clouds_of_labels(call.test, call.network, segmenter.labels), []
    with (reporter or Quiet()).progress("clouds labelled", len(clouds)) as advance:
        for cloud in clouds:
            pairs.append((cloud.labels, segmenter.predict(cloud.points, up=cloud.up)[0]))
            advance()
    write_cloud_scores(call.output, pairs, segmenter.labels)


def clouds_of_labels(test: Path, network: Path, labels: LabelSet) -> list[LabelledCloud]:
    """The clouds of a folder whose labels are a network's.

    Raises:
        AnnotationError: they are others.
    """
    from dnerf_core.downstream.points.sets.labelled_clouds import read_cloud_sets

    found = read_cloud_sets((test,))
    if found.labels.names != labels.names:
        raise AnnotationError(
            f"{test}: expected the labels of {network} ({', '.join(labels.names)}), found {', '.join(found.labels.names)}; name clouds of "
            "these parts"
        )
    return list(found.clouds)


def write_cloud_scores(output: Path, pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]], labels: LabelSet) -> None:
    """Write the scores of clouds' truth and prediction, uint8 [N] each.

    Raises:
        OutputError: they cannot be written.
    """
    from dnerf_core.downstream.points.scoring import score_clouds

    scores = score_clouds(pairs, labels.num_classes)
    per_part = dict(zip(labels.names[1:], scores.points.iou_per_class[1:], strict=True))
    values = {"miou": scores.points.miou, "part_miou": scores.part_miou, "accuracy": scores.points.accuracy}
    write_scores(
        output,
        {
            "clouds": len(pairs),
            **{name: number(value) for name, value in values.items()},
            "iou_per_class": {name: number(value) for name, value in per_part.items()},
        },
    )


def shown_views(count: int) -> list[int]:
    """The numbers of the views that a report's pictures show, spread evenly."""
    return [int((index + 0.5) * count / min(SHOWN, count)) for index in range(min(SHOWN, count))]


def shown_mask(scores: Path, view: int, beginning: str = "") -> Path:
    """Where the predicted mask of a shown view lies beside the scores."""
    return scores.with_name(f"predicted-{beginning}{view}.png")


def scored(labeller: Labeller, test: Path, output: Path, beginning: str, reporter: Reporter) -> dict[str, Any]:
    """Scores on a test set as JSON values; what the report shows of the predictions is written beside `output`.

    Raises:
        DNeRFError: a test set that cannot be used, or masks that cannot be written.
    """
    from dnerf_core.downstream.baselines.scoring import score
    from dnerf_core.downstream.images.sets.opening import open_set
    from dnerf_core.files.pictures import write_mask_ids

    views = open_set(test, skip_unpainted=True)
    with reporter.progress(f"views of {test.name} labelled", len(views.views)) as advance:
        scores = score(labeller, test, advance)
    for view in shown_views(len(views.views)):
        write_mask_ids(shown_mask(output, view, beginning), labeller.predict(views.pair(view)[0])[0])
    return scores.to_json()


def write_scores(path: Path, scores: dict[str, Any]) -> None:
    """The file that a step's scores are read from.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes_whole(path, json.dumps(scores, indent=1).encode())


def number(value: float) -> float | None:
    """A number as JSON has it; None: it cannot be told."""
    return round(float(value), 6) if np.isfinite(value) else None
