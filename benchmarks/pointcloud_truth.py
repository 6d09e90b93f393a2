"""Point clouds of the demo against its exact truth.

    python benchmarks/pointcloud_truth.py [--seeds 20000-20049] [--views 8] [--pitch 5:30] [--json FILE]

Each subject is seen by views all around, on an even arc whose elevation rises through `--pitch`, and fused three ways:

- *fused*: as `dnerf-headless pointcloud` does it;
- *paper*: depth at neural resolution with the far side as background, upsampled bilinearly, every labelled pixel a point
  (paper, section 3.3);
- *paper, cut*: the same depth, its flying pixels cut and fused: what the cut alone is good for.

A point's distance to the true surface is that to its projection onto it, an upper bound. The visible surface is the exact depth of the very
same views, back-projected: every pixel a point ("pixels"), or one point a voxel of 0.25% of the car's length ("area").
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dnerf_core.camera import Camera, arc_cameras, pixel_centers_uv
from dnerf_core.demo.truth import true_view
from dnerf_core.demo.world import PART_NAMES, Cars
from dnerf_core.model import Model
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import fuse_views
from dnerf_core.pointcloud.voxels import voxel_keys
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.seeds import parse_seeds
from headless.commands.types import parse_range

NEAR = 0.015
"""Distance that counts as on the surface, as a share of the car's length."""

FAR_SIDE = 0.87
"""How far behind the world's centre its farthest corner of a side lies, world units."""

BARS = {"near": 0.95, "covered_pixels": 0.95, "accuracy": 0.93}


@dataclass(frozen=True)
class CloudScores:
    """One cloud against the truth.

    Attributes:
        points: how many.
        near: share of the points within `NEAR` of the true surface; the others fly.
        covered_pixels, covered_area: share of the visible surface within `NEAR` of a point.
        accuracy: share of the near points that have the part of the nearest surface.
        normal_deg: median angle to the true normal, of the near points.
        seconds: of the fusion alone.
    """

    points: int
    near: float
    covered_pixels: float
    covered_area: float
    accuracy: float
    normal_deg: float
    seconds: float


def score(cloud: PointCloud, cars: Cars, surface: NDArray[np.float64], seconds: float) -> CloudScores:
    """Compare a cloud with its car and the visible surface [S, 3]."""
    length = float(cars.length[0])
    points = torch.from_numpy(cloud.points)[None]
    nearest = cars.project(points, steps=4)
    near = ((nearest - points).norm(dim=-1)[0] <= NEAR * length).numpy()
    parts = cars.parts(points)[0].numpy()
    cosine = (cars.normals(nearest)[0].numpy() * cloud.normals).sum(axis=1)
    covered = cKDTree(cloud.points).query(surface)[0] <= NEAR * length
    _, one_a_voxel = np.unique(voxel_keys(surface, 0.0025 * length), return_index=True)
    assert cloud.labels is not None
    return CloudScores(
        len(cloud),
        float(near.mean()),
        float(covered.mean()),
        float(covered[one_a_voxel].mean()),
        float((cloud.labels == parts)[near].mean()),
        float(np.degrees(np.arccos(np.clip(np.median(cosine[near]), -1, 1)))),
        seconds,
    )


def visible_surface(model: Model, seed: int, cameras: list[Camera]) -> NDArray[np.float64]:
    """Every pixel's exact surface point [S, 3] in the views."""
    size = model.config.image_size
    pieces = []
    for camera in cameras:
        depth = true_view(model, seed, camera, size, samples_per_pixel=1)[0].depth_planar[0].numpy()
        hit = np.isfinite(depth)
        pieces.append(camera.unproject(pixel_centers_uv((size, size))[hit], depth[hit]))
    return np.concatenate(pieces)


def bilinear_depth(depth: NDArray[np.float32], far: float, size_px: int) -> NDArray[np.float32]:
    """Depth [R, R] with `far` as background, at another size by plain bilinear interpolation, finite everywhere."""
    filled = torch.from_numpy(np.where(np.isfinite(depth), depth, np.float32(far)))[None, None]
    resized: NDArray[np.float32] = torch.nn.functional.interpolate(filled, size=size_px, mode="bilinear")[0, 0].numpy()
    return resized


def paper_points(views: list[LabeledView]) -> PointCloud:
    """Every pixel with a part as one point, no cut, no voxels; normals are not the paper's and stay 0."""
    points = np.concatenate([view.points_of(view.has_surface()) for view in views]).astype(np.float32)
    labels = np.concatenate([view.mask[view.has_surface()] for view in views if view.mask is not None])
    colors = np.concatenate([view.rgb[view.has_surface()] for view in views])
    return PointCloud(points, np.zeros_like(points), colors, labels, np.ones(len(points), dtype=np.float32))


def score_subject(model: Model, seed: int, cameras: list[Camera]) -> dict[str, CloudScores]:
    """Scores of one subject by the way it was fused."""
    subject = model.subject(seed)
    size, resolution = model.config.image_size, model.config.rays.neural_resolution
    far = model.config.cameras.radius + FAR_SIDE
    fused, paper = [], []
    for camera in cameras:
        view = subject.render(camera)
        fused.append(view)
        small = subject.channels(camera, resolution, ("depth",)).depth_planar
        assert small is not None
        paper.append(dataclasses.replace(view, depth_planar=bilinear_depth(small, far, size)))
    cars = Cars.from_latent(torch.from_numpy(model.latent(seed))[None])
    surface = visible_surface(model, seed, cameras)
    scores = {}
    for name, make in (
        ("fused", lambda: fuse_views(fused, len(PART_NAMES))),
        ("paper", lambda: paper_points(paper)),
        ("paper, cut", lambda: fuse_views(paper, len(PART_NAMES))),
    ):
        began = time.perf_counter()
        cloud = make()
        scores[name] = score(cloud, cars, surface, time.perf_counter() - began)
    return scores


def print_table(scored: list[dict[str, CloudScores]]) -> None:
    """Means over the subjects, the worst subject, and whether the bars are reached."""
    fields = [field.name for field in dataclasses.fields(CloudScores)]
    print(f"\n| {len(scored)} subjects | {' | '.join(fields)} |\n|---|{'---|' * len(fields)}")
    for name in scored[0]:
        columns = {field: np.array([getattr(one[name], field) for one in scored]) for field in fields}
        print(f"| {name}, mean | {' | '.join(f'{columns[field].mean():.5g}' for field in fields)} |")
        worst = {field: columns[field].max() if field in ("normal_deg", "seconds") else columns[field].min() for field in fields}
        print(f"| {name}, worst | {' | '.join(f'{worst[field]:.5g}' for field in fields)} |")
    for field, bar in BARS.items():
        mean = float(np.mean([getattr(one["fused"], field) for one in scored]))
        print(f"{field}: {mean:.4f}, bar {bar}: {'reached' if mean >= bar else 'MISSED'}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="20000-20049")
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--pitch", default="5:30")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = Model.load("demo-cars")
    cameras = arc_cameras(model.config.cameras, (-180.0, 180.0), parse_range(arguments.pitch), count=arguments.views)
    scored = []
    for seed in parse_seeds(arguments.seeds):
        scored.append(score_subject(model, seed, cameras))
        print(
            seed,
            *(f"{name}: {one.near:.4f} {one.covered_pixels:.4f} {one.accuracy:.4f};" for name, one in scored[-1].items()),
            flush=True,
        )
    print_table(scored)
    if arguments.json:
        arguments.json.write_text(json.dumps([{k: dataclasses.asdict(v) for k, v in one.items()} for one in scored]))


if __name__ == "__main__":
    main()
