"""Steps that score networks of points on simulated phone scans; the scores go to a JSON file, with a few labelled scans beside it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core import job_ranges
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.ranges import Ranged, ranged
from headless.reproducing.scoring import clouds_of_labels, shown_views, write_cloud_scores
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.downstream.points.sets.labelled_clouds import LabelledCloud


@dataclass(frozen=True, kw_only=True)
class ScoreScansCall(Ranged):
    """A network file of points on scans that are simulated of a folder of clouds.

    Attributes:
        tilt_deg: how far their up axes lean.
    """

    network: Path
    test: Path
    output: Path
    tilt_deg: float = 0.0
    device: str = ranged(job_ranges.DEVICE)


@dataclass(frozen=True, eq=False)
class ShownScan:
    """A scan that a report's picture shows: points float [N, 3], its truth and what was predicted, uint8 [N]."""

    points: NDArray[np.float32]
    truth: NDArray[np.uint8]
    predicted: NDArray[np.uint8]


def score_scans(call: ScoreScansCall, reporter: Reporter | None = None) -> None:
    """Label a scan of every cloud of the test folder and write the scores.

    Raises:
        DNeRFError: a network or a folder that cannot be used, or scores that cannot be written.
    """
    from dnerf_core.downstream.points.prediction import PointSegmenter
    from headless import models

    segmenter = PointSegmenter.load(call.network, models.pick_device(call.device))
    clouds = clouds_of_labels(call.test, call.network, segmenter.labels)
    shown, pairs = shown_views(len(clouds)), []
    with (reporter or Quiet()).progress("scans labelled", len(clouds)) as advance:
        for number, (points, truth) in enumerate(scans_of(clouds, call.tilt_deg)):
            predicted = segmenter.predict(points)[0]
            pairs.append((truth, predicted))
            if number in shown:
                buffer = io.BytesIO()
                np.savez_compressed(buffer, points=points, truth=truth, predicted=predicted)
                write_bytes_whole(_shown_file(call.output, number), buffer.getvalue())
            advance()
    write_cloud_scores(call.output, pairs, segmenter.labels)


def scans_of(clouds: list[LabelledCloud], tilt_deg: float) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    """Points and truth of a scan of each cloud, the same ones every time."""
    from dnerf_core.demo.scans import ScanOptions, simulated_scan
    from headless.downstream.points.job import upright

    for number, cloud in enumerate(clouds):
        scan = simulated_scan(upright(cloud, None), cloud.labels, np.random.default_rng(number), ScanOptions(tilt_deg=tilt_deg))
        yield scan.points, scan.labels


def shown_scans(scores: Path, count: int) -> list[ShownScan]:
    """The scans that lie beside the scores of so many.

    Raises:
        OutputError: one is not there.
    """
    from dnerf_core.errors import OutputError

    found = []
    for number in shown_views(count):
        path = _shown_file(scores, number)
        try:
            with np.load(path, allow_pickle=False) as file:
                found.append(ShownScan(file["points"], file["truth"], file["predicted"]))
        except (OSError, ValueError, KeyError) as error:
            raise OutputError(f"{path}: expected a labelled scan, cannot read it ({error}); remove {path.parent}") from error
    return found


def _shown_file(scores: Path, number: int) -> Path:
    return scores.with_name(f"scan-{number}.npz")
