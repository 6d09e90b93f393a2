"""Bodies made of formulas, and GNARF generators of little weight on them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from dnerf_core.backbone.viewing import CameraConfig, RayConfig
from dnerf_core.gnarf.body.coarse import coarse_meshes
from dnerf_core.gnarf.body.rig import Rig
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.config import CanonicalPlanesConfig, GnarfConfig, WarpConfig
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.stylegan2.config import BackboneConfig, MappingConfig, SuperResolutionConfig


def worm(joints: int = 3, rings: int = 12, around: int = 8, *, shapes: int = 0, size: float = 1.0) -> Template:
    """A closed tube along y from -0.5 to 0.5 times `size`, with `joints` bones along it, each bent by the next."""
    heights = np.linspace(-0.5, 0.5, rings)
    angles = np.arange(around) * (2 * np.pi / around)
    # thicker at one end, and flat, so that no turn leaves it as it is
    width = 0.12 + 0.05 * heights
    tube = np.stack(
        [
            width[:, None] * np.cos(angles) * 1.4,
            np.broadcast_to(heights[:, None], (rings, around)),
            width[:, None] * np.sin(angles),
        ],
        axis=-1,
    )
    vertices = np.concatenate([tube.reshape(-1, 3), [[0, -0.56, 0], [0, 0.56, 0]]])
    ring, step = np.meshgrid(np.arange(rings - 1) * around, np.arange(around), indexing="ij")
    a, b = ring + step, ring + (step + 1) % around
    sides = np.concatenate(
        [np.stack([a, a + around, b], -1).reshape(-1, 3), np.stack([b, a + around, b + around], -1).reshape(-1, 3)]
    )
    first, last = rings * around, rings * around + 1
    ends = np.arange(around)
    low = np.stack([np.full(around, first), ends, (ends + 1) % around], -1)
    top = (rings - 1) * around
    high = np.stack([np.full(around, last), top + (ends + 1) % around, top + ends], -1)
    faces = np.concatenate([sides, low, high]).astype(np.int32)
    places = np.stack([np.zeros(joints), np.linspace(-0.5, 0.5, joints, endpoint=False), np.zeros(joints)], -1)
    nearness = np.exp(-(((vertices[:, None, 1] - places[None, :, 1] - 0.5 / joints) * joints) ** 2) * 2)
    weights = nearness / nearness.sum(axis=1, keepdims=True)
    canonical = np.zeros((joints + 1, 3))
    canonical[1:-1, 2] = 0.1
    extra: dict[str, Any] = {}
    if shapes:
        directions = np.stack([vertices * np.eye(3)[k % 3] * 0.3 for k in range(shapes)])
        moved = np.stack([places * np.eye(3)[k % 3] * 0.3 for k in range(shapes)])
        extra = {"shape_vertices": directions.astype(np.float32) * size, "shape_joints": moved.astype(np.float32) * size}
    return Template(
        (vertices * size).astype(np.float32),
        faces,
        (places * size).astype(np.float32),
        np.arange(-1, joints - 1, dtype=np.int32),
        weights.astype(np.float32),
        tuple(f"bone{k}" for k in range(joints)),
        canonical.astype(np.float32),
        **extra,
    )


def worm_rig(share: float = 1.0, **of_worm: Any) -> Rig:
    """The tube with its coarse meshes."""
    return coarse_meshes(worm(**of_worm), share)


def tiny_config(rig: Rig, scale: float = 1.0, projector: Any = "surface_field", **changes: Any) -> GnarfConfig:
    """A narrow generator for a body about `scale` world units long."""
    config = GnarfConfig(
        name="tiny-gnarf",
        image_size=128,
        mapping=MappingConfig(z_dim=16, w_dim=32),
        backbone=BackboneConfig(resolution=32, channel_base=256, channel_max=32, plane_channels=16),
        triplane=CanonicalPlanesConfig(box_warp=1.4 * scale),
        rays=RayConfig(32, 12, 12, 1.5 * scale, 4.5 * scale),
        superresolution=SuperResolutionConfig(kind="2X", channels=(16, 8)),
        cameras=CameraConfig(radius=3.0 * scale, pivot=(0.0, 0.0, 0.0), focal=2.0),
        body=rig.config(scale),
        warp=WarpConfig(projector),
        posed_side=2.0 * scale,
    )
    return dataclasses.replace(config, **changes)


def tiny_generator(rig: Rig, config: GnarfConfig, steepness: float = 200.0) -> Gnarf:
    """A frozen generator of random weights, its density steep, above 0 in most of the body's box, so that the clip mesh shows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator = Gnarf(config).eval().requires_grad_(False)
    generator.wear(rig)
    last: Any = generator.decoder.net[2]
    last.weight[0] *= steepness
    side = config.triplane.box_warp
    points = (torch.rand(2000, 3, generator=torch.Generator().manual_seed(6)) - 0.5) * side
    ws = generator.mapping(torch.randn(1, 16, generator=torch.Generator().manual_seed(1)), torch.zeros(1, 25))
    last.bias[0] -= generator.canonical_field(generator.planes(ws)).raw_density(points, None).quantile(0.1)
    return generator


def bent(rig: Rig, seed: int = 0, strength: float = 0.5) -> torch.Tensor:
    """A pose [1, K + 1, 3] of random turns and a small translation."""
    random = np.random.default_rng(seed)
    pose = random.standard_normal((rig.template.num_joints + 1, 3)) * strength
    pose[-1] *= 0.1
    return torch.from_numpy(pose.astype(np.float32))[None]
