"""Clouds of the demo's subjects with exact labels: as a scan of the exact surface has them, or evenly from all of it."""

from __future__ import annotations

import torch

from dnerf_core.camera import arc_cameras
from dnerf_core.demo.truth import require_truth, true_rgb, true_view
from dnerf_core.demo.world import Cars
from dnerf_core.errors import UsageError
from dnerf_core.model import Model
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.rendering.labeled_view import LabeledView

SCAN_VIEWS = 8


def scanned_cloud(
    model: Model,
    seed: int,
    *,
    views: int = SCAN_VIEWS,
    pitch_deg: tuple[float, float] | None = None,
    size_px: int | None = None,
    points: int | None = None,
) -> PointCloud:
    """Exact depth and masks of views all around, fused as generated ones are: what they show is there, an underside is not.

    Args:
        model: one whose world is known.
        views: at even turns all around.
        pitch_deg: their elevation, rising from the first to the last; None: the model's usual one, as of generated clouds.
        size_px: of a view's side; None: the model's.
        points: exactly so many; None: one a voxel, see `fuse_views`.

    Raises:
        UsageError: a model whose truth is not known.
        CheckpointError: one that says it is the demo's, and has other latents.
    """
    world, cameras = require_truth(model), model.config.cameras
    size_px = size_px or model.config.image_size
    seen = []
    for camera in arc_cameras(cameras, (-180.0, 180.0), pitch_deg, count=views):
        truth, _ = true_view(model, seed, camera, size_px)
        seen.append(LabeledView(camera, true_rgb(truth), truth.mask[0].numpy(), truth.depth_planar[0].numpy()))
    return fuse_views(seen, options=FusionOptions(points=points), label_set=world.labels)


def uniform_cloud(model: Model, seed: int, points: int) -> PointCloud:
    """Points spread over all of a demo car's surface, hidden ones too, as benchmarks sampled from meshes have them.

    Raises:
        UsageError: a model of another world.
    """
    world = require_truth(model)
    if not model.config.name.startswith("demo-cars"):
        raise UsageError(f"uniform cloud: expected a model made from demo-cars, found {model.config.name!r}; scan it instead")
    cars = Cars.from_latent(torch.from_numpy(model.latent(seed))[None])
    places = cars.surface_points(points, torch.Generator().manual_seed(seed))
    colors, parts, normals = cars.surface_appearance(places)
    return PointCloud(
        places[0].numpy(),
        normals[0].numpy(),
        (255 * colors[0]).round().clamp(0, 255).to(torch.uint8).numpy(),
        parts[0].to(torch.uint8).numpy(),
        torch.ones(points).numpy(),
        world.labels,
    )
