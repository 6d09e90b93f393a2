"""Rigged meshes as Blender shows them moving, against the field rendered in the same poses. Needs the package `bpy`.

    python benchmarks/rigged_mesh.py [--model demo-people] [--seeds 20000-20004] [--motion dance] [--poses 10] [--size 256] [--json FILE]

Each subject is written by `dnerf-headless mesh --rigged --pose MOTION`, and the file is opened by Blender's own importer. Of each pose,
all spread over the motion, two silhouettes are compared (intersection over union) from four cameras round the body: that of the mesh,
where a pixel's central ray meets it, and that of the field, where it has a surface.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.backbone.family import named
from dnerf_core.backbone.registry import family_of
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch
from dnerf_core.model import Model
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.rays import pixel_centres, pixel_rays
from dnerf_core.seeds import parse_seeds
from headless import cli

GOAL = 0.95


def shown_by_blender(path: Path, frames: list[int], fps: int) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
    """Vertices [V, 3] of the mesh in some frames, y up again, and its triangles [F, 3]."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = fps
    bpy.ops.import_scene.gltf(filepath=str(path))
    (body,) = (thing for thing in bpy.data.objects if thing.type == "MESH" and thing.vertex_groups)
    poses, triangles = [], np.zeros((0, 3), np.int64)
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        points = np.array([evaluated.matrix_world @ vertex.co for vertex in mesh.vertices])
        mesh.calc_loop_triangles()
        triangles = np.array([triangle.vertices for triangle in mesh.loop_triangles], np.int64)
        evaluated.to_mesh_clear()
        poses.append(np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1).astype(np.float32))
    return poses, triangles


def silhouette(vertices: NDArray[np.float32], triangles: NDArray[np.int64], camera: Camera, side: int) -> NDArray[np.bool_]:
    """Which pixels' central rays meet a mesh, [side, side]."""
    cam2world, intrinsics = camera_tensors(camera, torch.device("cpu"))
    origins, directions = pixel_rays(cam2world, intrinsics, pixel_centres(side, cam2world)[None])
    start, end = MeshSearch(torch.from_numpy(vertices), torch.from_numpy(triangles)).crossed(origins[0], directions[0])
    return (end > start).numpy().reshape(side, side)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-people")
    parser.add_argument("--seeds", default="20000-20004")
    parser.add_argument("--motion", default="dance")
    parser.add_argument("--poses", type=int, default=10)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = Model.load(options.model)
    place = family_of(model.config).poser
    assert place is not None
    motion = named(place)(model.header.path).read(Path(options.motion))
    frames = np.linspace(0, len(motion) - 1, options.poses).round().astype(int).tolist()
    cameras = arc_cameras(model.config.cameras, (0.0, 270.0), (5.0, 5.0), count=4)
    scores: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        words = ["mesh", "--model", options.model, "--seeds", options.seeds, "--rigged", "--pose", options.motion, "-o", folder]
        assert cli.run(words) == 0
        for seed in parse_seeds(options.seeds):
            (path,) = Path(folder).rglob(f"s{seed:04d}*.glb")
            meshes, triangles = shown_by_blender(path, frames, round(motion.fps or 30))
            subject = model.subject(seed)
            for frame, vertices in zip(frames, meshes, strict=True):
                posed = subject.posed(torch.from_numpy(motion.poses[frame][None]))
                for camera in cameras:
                    seen = np.isfinite(posed.channels(camera, options.size, ("depth",)).depth_planar)
                    drawn = silhouette(vertices, triangles, camera, options.size)
                    scores.append(float((seen & drawn).sum() / (seen | drawn).sum()))
            own = scores[-4 * len(frames) :]
            print(
                f"s{seed:04d}: {len(triangles)} triangles, silhouette IoU {np.mean(own):.4f}, worst view {min(own):.4f}",
                flush=True,
            )
    result = {"poses": len(frames), "views": len(scores), "iou": float(np.mean(scores)), "worst": min(scores), "goal": GOAL}
    print(f"{result['views']} views: silhouette IoU {result['iou']:.4f} (goal {GOAL}), worst {result['worst']:.4f}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
