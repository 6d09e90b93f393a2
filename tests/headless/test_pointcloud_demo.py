"""The whole way with the embedded model: a cloud of a car against the car's exact surface and parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dnerf_core.demo.world import Cars
from dnerf_core.model import Model
from headless import cli

SEED = 30_000


def test_a_cars_cloud_lies_on_the_car_with_its_parts(tmp_path: Path) -> None:
    """One car of the 50 that benchmarks/pointcloud_truth.py measures like; there 99.97% of points, 97.4% of labels."""
    assert cli.run(["pointcloud", "--seeds", str(SEED), "--format", "npz", "--pitch", "5:30", "-o", str(tmp_path)]) == 0
    with np.load(tmp_path / "npz" / f"s{SEED}.npz") as cloud:
        points, labels, confidence = (torch.from_numpy(cloud[name]) for name in ("points", "labels", "confidence"))
    car = Cars.from_latent(torch.from_numpy(Model.load("demo-cars").latent(SEED))[None])
    distance = (car.project(points[None], steps=4) - points[None]).norm(dim=-1)[0]
    near = distance <= 0.015 * car.length[0]
    assert float(near.float().mean()) > 0.995
    right = (car.parts(points[None])[0] == labels)[near]
    assert float(right.float().mean()) > 0.96
    sure = confidence[near] > 0.9
    assert float(right[sure].float().mean()) > float(right[~sure].float().mean()) + 0.1
