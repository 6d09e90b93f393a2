"""Networks of points against the demo cars' exact truth: exact clouds of unseen cars, and simulated phone scans of them.

    dnerf-headless pointcloud --seeds 0-49 --points 4096 --format npz -o cars
    dnerf-headless train-pointnet cars -o parts.safetensors
    python benchmarks/point_parts.py parts.safetensors [--seeds 30000-30019] [--clouds exact.npz] [--headings 12] [--json FILE]

Each network labels, of every car,

- *scanned*: its exact surface as 8 views all around show it, fused as generated clouds are;
- *uniform*: 4,096 points of all of its surface, underside and wheel wells included;
- *scan*: a simulated phone scan of the first (noise 0.5%, 20% missing in 4 patches, 2% strays, unknown unit, centre and heading);
- *tilted*: the same, and leaning by 10 degrees.

mIoU is that of all points together, part mIoU the mean over cars of the mean over parts. `--plain` labels scans without the cut of strays
and at one heading, which tells what these are good for.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import arc_cameras
from dnerf_core.demo.exact_worlds import ExactWorld, exact_world
from dnerf_core.demo.scans import ScanOptions, simulated_scan
from dnerf_core.downstream.points import recipes
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.scoring import score_clouds
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import fuse_views
from dnerf_core.seeds import parse_seeds

UNIFORM_POINTS = 4096
SCAN_VIEWS = 8
KINDS = ("scanned", "uniform", "scan", "tilted")
Clouds = dict[str, NDArray[np.generic]]


def exact_clouds(path: Path | None, seeds: Sequence[int]) -> Clouds:
    """Points and labels by `scanned/points/30000` and so on; those that a file lacks are made, and added to it."""
    clouds: Clouds = {}
    if path is not None and path.exists():
        with np.load(path, allow_pickle=False) as file:
            clouds = {name: file[name] for name in file.files}
    missing = [seed for seed in seeds if f"scanned/points/{seed}" not in clouds]
    if missing:
        world = exact_world("demo-cars")
        for seed in missing:
            for kind, cloud in (("scanned", scanned_cloud(world, seed)), ("uniform", world.surface(seed, UNIFORM_POINTS))):
                assert cloud.labels is not None
                clouds |= {f"{kind}/points/{seed}": cloud.points, f"{kind}/labels/{seed}": cloud.labels}
        if path is not None:
            np.savez_compressed(path, **clouds)
    return clouds


def scanned_cloud(world: ExactWorld, seed: int) -> PointCloud:
    """Exact depth and masks of views all around, fused as generated ones are: what they show is there, an underside is not."""
    cameras = arc_cameras(world.cameras, (-180.0, 180.0), None, count=SCAN_VIEWS)
    return fuse_views(world.around(seed, cameras, world.size_px), label_set=world.labels)


def cases(clouds: Clouds, kind: str, seeds: Sequence[int]) -> Iterator[tuple[NDArray[np.floating], NDArray[np.uint8]]]:
    """Points and truth of each car, as a kind has them."""
    exact = "uniform" if kind == "uniform" else "scanned"
    for seed in seeds:
        points, labels = clouds[f"{exact}/points/{seed}"], clouds[f"{exact}/labels/{seed}"].astype(np.uint8)
        if kind in ("scan", "tilted"):
            options = ScanOptions(tilt_deg=10.0 if kind == "tilted" else 0.0)
            scan = simulated_scan(points, labels, np.random.default_rng(seed), options)
            points, labels = scan.points, scan.labels
        yield points, labels


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", type=Path)
    parser.add_argument("--seeds", default="30000-30019")
    parser.add_argument("--clouds", type=Path)
    parser.add_argument("--headings", type=int)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.plain:
        for name, recipe in recipes.RECIPES.items():
            recipes.RECIPES[name] = dataclasses.replace(recipe, cut_outliers=False)
    seeds = parse_seeds(arguments.seeds)
    clouds = exact_clouds(arguments.clouds, seeds)
    rows = []
    print("| network | clouds | mIoU | part mIoU | hood, roof, wheels, other | s a cloud |\n|---|---|---|---|---|---|")
    for path in arguments.networks:
        segmenter = PointSegmenter.load(path)
        headings = 1 if arguments.plain else arguments.headings
        for kind in KINDS:
            began = time.process_time()
            pairs = [
                (truth, segmenter.predict(points, headings=headings, draws=arguments.draws)[0])
                for points, truth in cases(clouds, kind, seeds)
            ]
            seconds = (time.process_time() - began) / len(pairs)
            scores = score_clouds(pairs, segmenter.labels.num_classes)
            parts = ", ".join(f"{iou:.3f}" for iou in scores.points.iou_per_class[1:])
            print(
                f"| {path.name} | {kind} | {scores.points.miou:.4f} | {scores.part_miou:.4f} | {parts} | {seconds:.2f} |",
                flush=True,
            )
            rows.append({"network": str(path), "clouds": kind, "miou": scores.points.miou, "part_miou": scores.part_miou})
    if arguments.json:
        arguments.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
