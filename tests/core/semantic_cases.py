"""A tiny random generator and labelled views of it, for the tests of the semantic branch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.camera import Camera, sphere_camera
from dnerf_core.generator.config import (
    BackboneConfig,
    GeneratorConfig,
    MappingConfig,
    RayConfig,
    SuperResolutionConfig,
    TriplaneConfig,
)
from dnerf_core.generator.eg3d import Generator, Triplanes
from dnerf_core.generator.reference import literal_triplane, literal_values
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.visibility import density_pass

TINY = GeneratorConfig(
    name="tiny",
    image_size=128,
    mapping=MappingConfig(z_dim=16, w_dim=32, c_dim=0),
    backbone=BackboneConfig(resolution=32, channel_base=256, channel_max=32),
    triplane=TriplaneConfig(box_warp=1.6),
    rays=RayConfig(32, 16, 16, "auto", "auto"),
    superresolution=SuperResolutionConfig(kind="2X", channels=(16, 8)),
)


def tiny_generator(config: GeneratorConfig = TINY) -> Generator:
    """A frozen generator of random weights whose field is a cloud with clear inside and outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator = Generator(config)
    with torch.no_grad():
        generator.decoder.net[2].weight[0] *= 200
        generator.decoder.net[2].bias[0] = -135
    return generator.eval().requires_grad_(False)


def tiny_ws(generator: Generator, count: int) -> torch.Tensor:
    """ws of `count` subjects."""
    z = torch.randn(count, 16, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return generator.mapping(z)


def tiny_camera(yaw_rad: float = 0.0) -> Camera:
    """A camera that sees the whole box."""
    return sphere_camera(yaw_rad, 0.2, radius=2.6, pivot=(0.0, 0.0, 0.0), focal=1.4, world_up="y")


def camera_tensors(*cameras: Camera) -> tuple[torch.Tensor, torch.Tensor]:
    """cam2world [B, 4, 4] and intrinsics [B, 3, 3], float32."""
    poses = torch.from_numpy(np.stack([camera.cam2world for camera in cameras])).float()
    return poses, torch.from_numpy(np.stack([camera.intrinsics for camera in cameras])).float()


def literal_at(
    branch: SemanticBranch, planes: Triplanes, subject: int, points: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and features [K, C + 32] and raw density [K] at points [K, 3] of one of B subjects, by the literal method."""
    return literal_values(branch, [plane[subject] for plane in literal_triplane(branch, planes)], points)


@torch.no_grad()
def octant_mask(generator: Generator, w: torch.Tensor, camera: Camera, config: SemanticConfig) -> NDArray[np.uint8]:
    """Labels from geometry: 0 where little is hit, else 1..4 by the signs of x and y of the mean visible point."""
    planes = generator.planes(w)
    side = generator.config.rays.neural_resolution
    visible = density_pass(generator, planes, *camera_tensors(camera), side, config)
    sums = torch.zeros(side * side, 3).index_add(0, visible.ray, visible.points * visible.weight[:, None])
    opacity = torch.zeros(side * side).index_add(0, visible.ray, visible.weight)
    label = 1 + (sums[:, 0] > 0).int() + 2 * (sums[:, 1] > 0).int()
    label = torch.where(opacity > 0.5, label, torch.zeros_like(label)).reshape(side, side)
    repeat = generator.config.image_size // side
    return label.to(torch.uint8).repeat_interleave(repeat, 0).repeat_interleave(repeat, 1).numpy()


def tiny_views(generator: Generator, ws: torch.Tensor, yaws: list[float], config: SemanticConfig) -> list[AnnotatedView]:
    """One labelled view per subject and yaw."""
    views = []
    for subject in range(ws.shape[0]):
        for yaw in yaws:
            camera = tiny_camera(yaw)
            mask = octant_mask(generator, ws[subject : subject + 1], camera, config)
            views.append(AnnotatedView(subject, camera.cam2world, camera.intrinsics, mask))
    return views
