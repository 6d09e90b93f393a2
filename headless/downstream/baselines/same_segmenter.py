"""The same segmenter on whichever data set: painted pictures alone, what DatasetGAN or a branch labelled, or exact truth, the reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.downstream.images.segmenter import Segmenter


@dataclass(frozen=True)
class SegmenterOptions:
    """How each of the segmenters that are compared is trained; `TrainSegmenterCall` has what they mean.

    Attributes:
        size_px, steps: None: as `train-segmenter` has them.
    """

    network: str = "mini"
    weights: Path | None = None
    size_px: int | None = None
    steps: int | None = None
    batch: int = 16
    seed: int = 0
    device: str = "auto"


def learned(
    dataset: Path, output: Path, options: SegmenterOptions, *, also: tuple[Path, ...] = (), reporter: Reporter | None = None
) -> Segmenter:
    """The segmenter of a data set, trained on all of its subjects; one that is there already is loaded.

    Args:
        output: the network file, which tells the next call that it is there.

    Raises:
        DNeRFError: a data set that cannot be used, or another file in the way.
    """
    from dnerf_core.downstream.images.segmenter import Segmenter
    from headless import models
    from headless.downstream.segmenter_plan import TrainSegmenterCall
    from headless.runs.downstream.train_segmenter import train_segmenter

    call = TrainSegmenterCall(
        dataset=dataset,
        also=also,
        output=output,
        network=options.network,
        weights=options.weights,
        size_px=options.size_px,
        steps=options.steps,
        batch=options.batch,
        seed=options.seed,
        validation=0,
        skip_unpainted=True,
        allow_missing_classes=True,
        device=options.device,
    )
    train_segmenter(call, reporter or Quiet())
    return Segmenter.load(output, models.pick_device(options.device))
