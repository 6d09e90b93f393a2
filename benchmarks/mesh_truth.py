"""Meshes of the demo against its exact truth.

    python benchmarks/mesh_truth.py [--seeds 20000-20049] [--nodes 128] [--level 10] [--faces N] [--json FILE]

Each subject's mesh is made as `dnerf-headless mesh` makes it without options. Points evenly over its area have their distance to the true
surface: that to their projection onto it, an upper bound. Labels are compared with the part of the nearest surface: at the vertices, apart
for those that a view sees (confidence above 0) and the others, and over the area, where a face's part counts. Completeness is the distance
of points evenly over the true surface to the nearest of as many points on the mesh, so that it is a little more than that to the mesh.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dnerf_core.demo.world import Cars
from dnerf_core.mesh.mesh import Mesh, mesh_of
from dnerf_core.mesh.options import MESH_NODES, SURFACE_DENSITY, MeshOptions
from dnerf_core.model import Model
from dnerf_core.pointcloud.own_cameras import own_cloud_cameras
from dnerf_core.seeds import parse_seeds

SAMPLES = 50_000
BARS = {"distance": 0.005, "labels_area": 0.95, "labels": 0.95, "watertight": 1.0}


@dataclass(frozen=True)
class MeshScores:
    """One mesh against the truth; lengths are shares of the car's.

    Attributes:
        faces: how many.
        watertight: 1 if trimesh says so of the mesh read from its file, else 0.
        distance, distance_p95: of points on the mesh to the true surface, mean and 95th percentile.
        outside: mean signed distance of those points: above 0 the mesh is too large.
        completeness: mean distance of points on the true surface to points on the mesh.
        labels, labels_area: share with the label of the nearest true surface, of the vertices and of the area.
        seen: share of the vertices that a view sees; labels_seen and labels_unseen are of those and of the others.
        normal_deg: median angle between a vertex's normal and the true one.
        views_s, surface_s, paint_s: seconds for the views, the marched surface, and paint with decimation.
    """

    faces: int
    watertight: float
    distance: float
    distance_p95: float
    outside: float
    completeness: float
    labels: float
    labels_area: float
    seen: float
    labels_seen: float
    labels_unseen: float
    normal_deg: float
    views_s: float
    surface_s: float
    paint_s: float


def of_points(points: NDArray[np.floating]) -> torch.Tensor:
    """As `Cars` takes them, [1, N, 3]."""
    return torch.from_numpy(np.ascontiguousarray(points, np.float32))[None]


def score(mesh: Mesh, cars: Cars, seconds: tuple[float, float, float]) -> MeshScores:
    """Compare a mesh with its car."""
    length = float(cars.length[0])
    plain = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    sampled, face = trimesh.sample.sample_surface(plain, SAMPLES, seed=0)
    points = of_points(sampled)
    distance = (cars.project(points, steps=4) - points).norm(dim=-1)[0].numpy() / length
    truth = cars.surface_points(SAMPLES, torch.Generator().manual_seed(0))[0].numpy()
    vertices = of_points(mesh.vertices)
    assert mesh.labels is not None and mesh.confidence is not None
    right, seen = cars.parts(vertices)[0].numpy() == mesh.labels, mesh.confidence > 0
    cosine = (cars.normals(cars.project(vertices, steps=4))[0].numpy() * mesh.normals).sum(axis=1)
    # merging places as a reader of the file does
    merged = trimesh.Trimesh(mesh.vertices, mesh.faces)
    return MeshScores(
        len(mesh.faces),
        float(merged.is_watertight),
        float(distance.mean()),
        float(np.quantile(distance, 0.95)),
        float(cars.signed_distance(points).mean()) / length,
        float(cKDTree(sampled).query(truth)[0].mean()) / length,
        float(right.mean()),
        float((cars.parts(points)[0].numpy() == mesh.face_labels()[face]).mean()),
        float(seen.mean()),
        float(right[seen].mean()),
        float(right[~seen].mean()),
        float(np.degrees(np.arccos(np.clip(np.median(cosine), -1, 1)))),
        *seconds,
    )


def score_subject(model: Model, seed: int, options: MeshOptions) -> MeshScores:
    """Make one subject's mesh and compare it."""
    subject, rig = model.subject(seed), model.config.cameras
    began = time.perf_counter()
    views = [subject.render(camera) for camera in own_cloud_cameras(rig)]
    rendered = time.perf_counter()
    surface = subject.surface(options)
    marched = time.perf_counter()
    mesh = mesh_of(surface, views, options, model.labels, rig.world_up)
    seconds = (rendered - began, marched - rendered, time.perf_counter() - marched)
    return score(mesh, Cars.from_latent(torch.from_numpy(model.latent(seed))[None]), seconds)


def print_table(scored: list[MeshScores]) -> None:
    """Means over the subjects, the worst subject, and whether the bars are reached."""
    more_is_better = {"watertight", "labels", "labels_area", "seen", "labels_seen", "labels_unseen"}
    print(f"\n| {len(scored)} subjects | mean | worst |\n|---|---|---|")
    for field in dataclasses.fields(MeshScores):
        values = np.array([getattr(one, field.name) for one in scored])
        print(f"| {field.name} | {values.mean():.5g} | {values.min() if field.name in more_is_better else values.max():.5g} |")
    for name, bar in BARS.items():
        mean = float(np.mean([getattr(one, name) for one in scored]))
        reached = mean >= bar if name in more_is_better else mean <= bar
        print(f"{name}: {mean:.4f}, bar {bar}: {'reached' if reached else 'MISSED'}")
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="20000-20049")
    parser.add_argument("--nodes", type=int, default=MESH_NODES)
    parser.add_argument("--level", type=float, default=SURFACE_DENSITY)
    parser.add_argument("--faces", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    options = MeshOptions(arguments.nodes, arguments.level, arguments.faces)
    model = Model.load("demo-cars")
    scored = []
    for seed in parse_seeds(arguments.seeds):
        scored.append(score_subject(model, seed, options))
        one = scored[-1]
        print(
            f"{seed}: distance {one.distance:.4f}, labels {one.labels:.4f} (seen {one.labels_seen:.4f}, unseen {one.labels_unseen:.4f}), "
            f"by area {one.labels_area:.4f}, watertight {one.watertight:.0f}, {one.views_s + one.surface_s + one.paint_s:.1f} s",
            flush=True,
        )
    print_table(scored)
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(one) for one in scored]))


if __name__ == "__main__":
    main()
