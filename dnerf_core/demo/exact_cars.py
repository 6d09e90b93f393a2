"""The two worlds of cars as `exact_worlds` has worlds: the one that `demo-cars` learned from, and the harder one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.demo.car_paint import LIGHT, SHADE_BASE, SHADE_LIGHT, SHADE_UP
from dnerf_core.demo.car_world import CARS
from dnerf_core.demo.config import DEMO_CARS
from dnerf_core.demo.exact_worlds import ExactView
from dnerf_core.demo.harder.cars import HarderCars
from dnerf_core.demo.harder.shadow import ground_light
from dnerf_core.demo.trace import TruthView, render_around, render_truth
from dnerf_core.demo.world import Cars
from dnerf_core.loaded_model import seed_latent
from dnerf_core.photographs.cutout import cut_out
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.labeled_view import LabeledView


def exact_view(view: TruthView, camera: Camera, rgb: Tensor | None = None, shade: Tensor | None = None) -> ExactView:
    """One exact view as arrays.

    Args:
        rgb: [H, W, 3], the picture where it is not the view's own.
        shade: [H, W], see `Cutout`.
    """
    mask, depth = view.mask[0].numpy(), view.depth_planar[0].numpy()
    cutout = cut_out(
        view.rgb[0].numpy(),
        mask,
        depth,
        camera,
        coverage=view.coverage[0].numpy(),
        normal=view.normal[0].numpy(),
        shade=None if shade is None else shade.numpy(),
    )
    picture = (view.rgb[0] if rgb is None else rgb) * 255
    return ExactView(picture.round().clamp(0, 255).to(torch.uint8).numpy(), mask, depth, cutout)


class ExactCars:
    """See `exact_worlds.ExactWorld`; `harder`: which of the two worlds."""

    labels = CARS.labels
    cameras = DEMO_CARS.cameras
    size_px = DEMO_CARS.image_size
    yaw_deg = CARS.yaw_deg
    pitch_deg = CARS.pitch_deg
    category = "Car"

    def __init__(self, *, harder: bool) -> None:
        self._harder = harder

    def _cars(self, seed: int) -> tuple[Cars, Tensor]:
        """The car of a seed, and the direction [3] towards the light that is baked in its colours."""
        if self._harder:
            harder = HarderCars.from_seeds([seed])
            return harder, harder.paints[0].light
        return Cars.from_latent(torch.from_numpy(seed_latent(seed, CARS.z_dim))[None]), torch.tensor(LIGHT)

    def view(self, seed: int, camera: Camera, size_px: int) -> ExactView:
        """See `ExactWorld`."""
        (cars, light), tensors = self._cars(seed), camera_tensors(camera)
        view = render_truth(cars, *tensors, size_px)
        rgb, covers = None, view.coverage[0]
        if self._harder:
            dark = 1 - ground_light(cars, light, *tensors, size_px, covers < 1)
            rgb = (view.rgb[0] - ((1 - covers) * dark)[..., None]).clamp(0, 1)
        normal = view.normal[0]
        shade = SHADE_BASE + SHADE_LIGHT * (normal @ light) + SHADE_UP * normal[..., 1]
        return exact_view(view, camera, rgb, shade)

    def around(self, seed: int, cameras: Sequence[Camera], size_px: int) -> list[LabeledView]:
        """See `ExactWorld`."""
        (car, _), tensors = self._cars(seed), [camera_tensors(camera) for camera in cameras]
        cam2world, intrinsics = (torch.cat(parts) for parts in zip(*tensors, strict=True))
        seen = render_around(car, cam2world, intrinsics, size_px)
        colors = (seen.rgb * 255).round().clamp(0, 255).to(torch.uint8).numpy()
        arrays = zip(cameras, colors, seen.mask.numpy(), seen.depth_planar.numpy(), strict=True)
        return [LabeledView(camera, rgb, mask, depth) for camera, rgb, mask, depth in arrays]

    def surface(self, seed: int, count: int) -> PointCloud:
        """See `ExactWorld`."""
        cars, _ = self._cars(seed)
        points = cars.surface_points(count, torch.Generator().manual_seed(seed))
        colors, parts, normals = cars.surface_appearance(points)
        return exact_cloud(points[0], normals[0], colors[0], parts[0])


def exact_cloud(points: Tensor, normals: Tensor, colors: Tensor, parts: Tensor) -> PointCloud:
    """A cloud of exact labels, all of them sure: points, normals and colours [N, 3], parts uint8 [N]."""
    rgb = (colors * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    sure = np.ones(len(points), np.float32)
    return PointCloud(points.numpy(), normals.numpy(), rgb, parts.numpy(), sure)


DEMO = ExactCars(harder=False)
HARDER = ExactCars(harder=True)
