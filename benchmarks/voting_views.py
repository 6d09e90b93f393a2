"""How many views should vote on consistent masks: what each number gains in agreement, costs in mIoU, and takes.

    python benchmarks/voting_views.py [--seeds 20000-20004]

Two plans: 12 random views all around (yaw -180 to 180, elevation 5 to 30 degrees), and 31 frames of the paper's arc. Voters are 8, 16, 24
or 32 views evenly along an arc over the plan's ranges, as `render --consistent` has them; or as many whose elevations follow the golden
ratio; or the plan's own views. Agreement is mean IoU (accuracy) over all pairs, mIoU is against the exact truth, both pooled over the
subjects. Seconds a subject, on one thread: to render the voters (images too), and to fuse them.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.camera import Camera, arc_cameras, sphere_camera
from dnerf_core.demo.truth import random_view, true_mask
from dnerf_core.generator.config import CameraConfig
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.metrics import confusion_matrix, pooled_scores
from dnerf_core.model import Model
from dnerf_core.multiview.consistency import Agreement, reprojection_agreement
from dnerf_core.pointcloud.consistent import fused_votes, relabelled
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.seeds import parse_seeds

COUNTS = (8, 16, 24, 32)
CLASSES = SHAPENET_CAR_LABELS.num_classes
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Ranges:
    """Where a plan looks from: degrees."""

    yaw: tuple[float, float]
    pitch: tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One subject's masks by one way to vote."""

    agreement: Agreement
    confusion: NDArray[np.int64]
    render_s: float
    fuse_s: float


def golden_cameras(config: CameraConfig, ranges: Ranges, count: int) -> list[Camera]:
    """Even in yaw, elevations by the golden ratio."""
    share = (np.arange(count) + 0.5) / count
    yaw = np.radians(ranges.yaw[0] + (ranges.yaw[1] - ranges.yaw[0]) * share)
    pitch = np.radians(ranges.pitch[0] + (ranges.pitch[1] - ranges.pitch[0]) * ((np.arange(count) * GOLDEN + 0.5) % 1))
    return [
        sphere_camera(a, b, radius=config.radius, pivot=config.pivot, focal=config.focal, world_up=config.world_up)
        for a, b in zip(yaw.tolist(), pitch.tolist(), strict=True)
    ]


def rows_of(model: Model, seed: int, cameras: list[Camera], ranges: Ranges) -> dict[str, Row]:
    """One subject, every way to vote."""
    subject, size = model.subject(seed), model.config.image_size

    def seen(chosen: Sequence[Camera]) -> list[LabeledView]:
        return [subject.render(camera) for camera in chosen]

    views = seen(cameras)
    truths = [true_mask(model, seed, camera, size) for camera in cameras]
    pairs = list(itertools.permutations(range(len(views)), 2))

    def row(masks: list[NDArray[np.uint8]], render_s: float = 0.0, fuse_s: float = 0.0) -> Row:
        agreement = reprojection_agreement(cameras, [view.depth_planar for view in views], masks, CLASSES, pairs)
        confusions = [confusion_matrix(truth, mask, CLASSES) for truth, mask in zip(truths, masks, strict=True)]
        return Row(agreement, np.sum(confusions, axis=0), render_s, fuse_s)

    config = model.config.cameras
    ways: dict[str, Callable[[], list[LabeledView]]] = {}
    for count in COUNTS:
        ways[f"{count} along an arc"] = partial(seen, arc_cameras(config, ranges.yaw, ranges.pitch, count=count))
        if ranges.pitch[0] != ranges.pitch[1]:
            ways[f"{count} by the golden ratio"] = partial(seen, golden_cameras(config, ranges, count))
    ways["the views themselves"] = lambda: views
    rows = {"none, as rendered": row([view.mask for view in views if view.mask is not None])}
    for name, vote in ways.items():
        started = time.perf_counter()
        voters = vote()
        rendered = time.perf_counter()
        votes = fused_votes(voters, CLASSES)
        fused = time.perf_counter()
        rows[name] = row([relabelled(view, votes) for view in views], rendered - started, fused - rendered)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="20000-20004")
    seeds = parse_seeds(parser.parse_args().seeds)
    torch.set_num_threads(1)
    model = Model.load("demo-cars")
    config = model.config.cameras
    around, front = Ranges((-180.0, 180.0), (5.0, 30.0)), Ranges((-30.0, 30.0), (config.pitch_deg, config.pitch_deg))
    plans: dict[str, tuple[Ranges, Callable[[int], list[Camera]]]] = {
        "all around": (around, lambda seed: [random_view(config, seed, k, around.yaw, around.pitch) for k in range(12)]),
        "arc": (front, lambda seed: arc_cameras(config, front.yaw, front.pitch, count=31)),
    }
    for plan, (ranges, cameras) in plans.items():
        print(f"| {plan}: voters | agreement | mIoU | render, s | fuse, s |\n|---|---|---|---|---|")
        subjects = [rows_of(model, seed, cameras(seed), ranges) for seed in seeds]
        for name in subjects[0]:
            rows = [subject[name] for subject in subjects]
            agreement, scores = Agreement.pooled([r.agreement for r in rows]), pooled_scores([r.confusion for r in rows])
            seconds = f"{np.mean([r.render_s for r in rows]):.2f} | {np.mean([r.fuse_s for r in rows]):.2f}"
            print(f"| {name} | {agreement.miou:.4f} ({agreement.accuracy:.4f}) | {scores.miou:.4f} | {seconds} |", flush=True)


if __name__ == "__main__":
    main()
