"""A user's own benchmark of clouds, such as ShapeNetPart: some of its clouds as a folder of ours, facing as generated ones do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.files.whole import make_folder, write_bytes_whole
from dnerf_core.ranges import Ranged
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.downstream.points.sets.labelled_clouds import FoundClouds, LabelledCloud
    from dnerf_core.labels import LabelSet

Part = Literal["train", "test"]
Names = tuple[tuple[int, str], ...]
"""Labels by the numbers of a benchmark's parts."""

COMPARED = 20
"""Clouds of either kind that tell how the benchmark's are to be turned."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkCall(Ranged):
    """Some clouds of a benchmark's folder.

    Attributes:
        generated: clouds whose labels the result has, and which it faces as.
        part: the list of the benchmark that they are from.
        count: how many, by chance; those of fewer are among those of more. None: all.
        category: of ShapeNetPart's, by name or synset; None: the only one.
        parts: labels by numbers; None: by name.
    """

    folder: Path
    generated: Path
    part: Part
    count: int | None
    output: Path
    category: str | None = None
    parts: Names | None = None
    seed: int = 0


def benchmark_files(folder: Path, part: Part, category: str | None, parts: Names | None = None) -> tuple[FoundClouds, list[Path]]:
    """The clouds of one list of a benchmark.

    Raises:
        UsageError: there are none.
    """
    from dnerf_core.downstream.points.sets.labelled_clouds import find_clouds

    found = find_clouds(folder, category, None if parts is None else dict(parts))
    files = [path for path, split in found.files if split == part]
    if not files:
        raise UsageError(
            f"--test {folder}: expected clouds of a benchmark with lists, or folders of splits, for training and testing, found none for "
            f"{'training' if part == 'train' else 'testing'}; see train_test_split in ShapeNetPart's layout"
        )
    return found, files


def check_benchmark(folder: Path, labels: LabelSet, category: str | None, parts: Names | None) -> int:
    """How many clouds a benchmark has to train on.

    Raises:
        DNeRFError: there are none, none to test, or the first one's labels are not those of the model.
    """
    found, files = benchmark_files(folder, "train", category, parts)
    _, tested = benchmark_files(folder, "test", category, parts)
    for path in (files[0], tested[0]):
        found.read(path, labels)
    return len(files)


def benchmark(call: BenchmarkCall, reporter: Reporter | None = None) -> None:
    """Write the clouds as NPZ, y up, under the generated ones' labels.

    Raises:
        DNeRFError: clouds or labels that cannot be used, or a result that cannot be written.
    """
    from dnerf_core.demo.scans import about_up
    from dnerf_core.downstream.points.sets.labelled_clouds import read_cloud_sets
    from dnerf_core.files.cloud_formats import write_cloud
    from dnerf_core.files.clouds import CloudStyle
    from dnerf_core.files.names import LABELS_NAME, labels_json
    from dnerf_core.pointcloud.cloud import PointCloud

    reporter = reporter or Quiet()
    ours = read_cloud_sets((call.generated,))
    found, trained = benchmark_files(call.folder, "train", call.category, call.parts)
    compared = [_read(found, path, ours.labels) for path in trained[:COMPARED]]
    turn_deg = best_turn_deg(compared, ours.clouds[:COMPARED], ours.labels.num_classes)
    if turn_deg:
        reporter.warning(
            f"{call.folder}: its clouds are turned by {turn_deg} degrees about the up axis, to face as the generated ones do"
        )
    _, files = benchmark_files(call.folder, call.part, call.category, call.parts)
    if call.count is not None:
        order = np.random.default_rng(call.seed).permutation(len(files))
        files = [files[index] for index in sorted(order[: call.count])]
    place = call.output / "npz"
    make_folder(place)
    write_bytes_whole(call.output / LABELS_NAME, labels_json(ours.labels))
    turn = about_up(math.radians(turn_deg))
    with reporter.progress("clouds", len(files)) as advance:
        for path in files:
            cloud = _read(found, path, ours.labels)
            points = np.ascontiguousarray(_upright(cloud) @ turn.T, np.float32)
            blank = np.zeros(points.shape, np.float32)
            written = PointCloud(points, blank, blank.astype(np.uint8), cloud.labels, np.ones(len(points), np.float32))
            write_cloud(place / f"{cloud.name}.npz", written, "npz", CloudStyle(ours.labels, "rgb", "y"))
            advance()


def best_turn_deg(clouds: Sequence[LabelledCloud], others: Sequence[LabelledCloud], num_classes: int) -> int:
    """By which quarter turn about the up axis some clouds come to face as others, by where their parts are: 0, 90, 180 or 270."""
    from dnerf_core.demo.scans import about_up

    ours, theirs = _places(clouds, num_classes), _places(others, num_classes)
    known = np.isfinite(ours).all(axis=1) & np.isfinite(theirs).all(axis=1)

    def distance(angle_deg: int) -> float:
        return round(float(((ours @ about_up(math.radians(angle_deg)).T - theirs)[known] ** 2).sum()), 6)

    return min((0, 90, 180, 270), key=distance)


def _places(clouds: Sequence[LabelledCloud], num_classes: int) -> NDArray[np.float64]:
    """Mean places of the parts [C, 3] in clouds of about the same size around their middles; NaN of a part that none has."""
    places = np.full((len(clouds), num_classes, 3), np.nan)
    for index, cloud in enumerate(clouds):
        points = _upright(cloud).astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        points = (points - (low + high) / 2) / max(float((high - low).max()), 1e-30)
        for label in np.unique(cloud.labels[(cloud.labels > 0) & (cloud.labels < num_classes)]):
            places[index, label] = points[cloud.labels == label].mean(axis=0)
    known = np.isfinite(places)
    total: NDArray[np.float64] = np.where(known, places, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _read(found: FoundClouds, path: Path, labels: LabelSet) -> LabelledCloud:
    from dnerf_core.downstream.points.sets.labelled_clouds import LabelledCloud, checked_cloud, file_sha256

    points, ids, up = found.read(path, labels)
    return checked_cloud(LabelledCloud(path.stem, 0, None, points.astype(np.float32), ids, file_sha256(path), up), path)


def _upright(cloud: LabelledCloud) -> NDArray[np.float32]:
    from dnerf_core.files.camera_files.turning import to_y_up

    return np.ascontiguousarray(cloud.points @ to_y_up(cloud.up)[:3, :3].T, np.float32)
