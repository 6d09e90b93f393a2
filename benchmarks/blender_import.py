"""A point cloud into Blender: from its file to an object that Blender has evaluated, squares and colours and all.

    python benchmarks/blender_import.py [--points 500000] [--rounds 3]

Needs Blender as a Python module (`pip install 'datasetnerf[blender]'`). The points lie on a ball; what they are does not change the work.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

from blender_addon.scene.clouds import add_cloud
from dnerf_core.files.clouds import CloudStyle, npz_bytes
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.pointcloud.cloud import PointCloud


def ball(count: int) -> PointCloud:
    """Points all over a ball, with labels and colours by chance."""
    chance = np.random.default_rng(0)
    normals = chance.normal(size=(count, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    labels = chance.integers(1, SHAPENET_CAR_LABELS.num_classes, count, dtype=np.uint8)
    colors = chance.integers(0, 256, (count, 3), dtype=np.uint8)
    return PointCloud(normals, normals, colors, labels, chance.random(count, dtype=np.float32), SHAPENET_CAR_LABELS)


def imported_s(path: Path) -> tuple[float, int]:
    """Seconds by the clock, and the faces that Blender shows."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    began = time.perf_counter()
    item = add_cloud(scene, PointCloud.load(path), "cloud", world_up="y")
    shown = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    faces = len(shown.data.polygons)
    return time.perf_counter() - began, faces


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "cloud.npz")
        path.write_bytes(npz_bytes(ball(arguments.points), CloudStyle(SHAPENET_CAR_LABELS, "rgb", "y")))
        for _ in range(arguments.rounds):
            seconds, faces = imported_s(path)
            print(
                f"Blender {bpy.app.version_string}: {arguments.points} points, {faces} squares shown: {seconds:.2f} s", flush=True
            )


if __name__ == "__main__":
    main()
