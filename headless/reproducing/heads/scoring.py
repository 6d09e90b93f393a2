"""The step of a head on frozen features that painted views teach: its scores on test sets, and its labels of a video over time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core import job_ranges
from dnerf_core.ranges import Ranged, ranged
from headless.reproducing.scoring import scored, write_scores
from headless.reproducing.videos.scoring import labels_over_time
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.downstream.baselines.frozen import FrozenFeatures, HeadTraining
    from dnerf_core.downstream.baselines.scoring import Labeller
    from dnerf_core.labels import LabelSet

DINOV2: Literal["dinov2"] = "dinov2"
Features = Literal["efficientnet-last", "efficientnet-stages", "resnet101-last", "dinov2"]


@dataclass(frozen=True, kw_only=True)
class FrozenCall(Ranged):
    """A head on frozen features.

    Attributes:
        features: which: see `TransferConfig`, or `dinov2`.
        weights: of the network; None: those of the package that ships EfficientNet-Lite0.
        columns: what the tests are called in the scores.
        video: as in `ScoreVideoCall`; None: no labels over time.
        mirrored: whether mirror images are looked at, too, see `Segmenter`.
        views, steps: changed pictures that the network sees, and steps of the head.
    """

    painted: Path
    features: Features
    weights: Path | None = None
    tests: tuple[Path, ...] = ()
    columns: tuple[str, ...] = ()
    video: Path | None = None
    mirrored: bool = False
    views: int
    steps: int
    seed: int
    output: Path
    device: str = ranged(job_ranges.DEVICE)


def score_frozen(call: FrozenCall, reporter: Reporter | None = None) -> None:
    """Train the head, label every view of each test set and of the video, and write the scores: `tests` by their columns, and `video`.

    Raises:
        DNeRFError: weights or folders that cannot be used, or scores that cannot be written.
    """
    from dnerf_core.downstream.baselines.frozen import train_head
    from headless import models

    reporter = reporter or Quiet()
    training, features = _frozen(call, models.pick_device(call.device))
    with reporter.progress("views seen", training.inputs) as advance:
        segmenter = train_head(call.painted, features, training, advance)
    labeller = _Remembering(dataclasses.replace(segmenter, mirrored=call.mirrored))
    tests = {
        column: scored(labeller, test, call.output, f"{index}-", reporter)
        for index, (column, test) in enumerate(zip(call.columns, call.tests, strict=True))
    }
    video = None if call.video is None else labels_over_time(call.video, labeller, call.output, reporter)
    write_scores(call.output, {"tests": tests, "video": video})


def _frozen(call: FrozenCall, device: str) -> tuple[HeadTraining, FrozenFeatures]:
    from dnerf_core.downstream.baselines.foundation import SIZE_PX, FoundationConfig, foundation
    from dnerf_core.downstream.baselines.frozen import HeadTraining
    from dnerf_core.downstream.baselines.transfer import TransferConfig, transferred

    training = HeadTraining(inputs=call.views, steps=call.steps, seed=call.seed)
    if call.features != DINOV2:
        return training, transferred(TransferConfig(call.features, call.weights, training, device))
    training = dataclasses.replace(training, size_px=SIZE_PX)
    assert call.weights is not None  # the row is left out where none are named
    return training, foundation(FoundationConfig(call.weights, training, device))


class _Remembering:
    """A labeller that looks at equal pictures once, since a video may be a test, too."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._known: dict[bytes, tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}

    @property
    def labels(self) -> LabelSet:
        return self._labeller.labels

    def predict(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        key = image.tobytes()
        if key not in self._known:
            self._known[key] = self._labeller.predict(image)
        return self._known[key]
