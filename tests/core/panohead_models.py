"""Tiny PanoHead models in memory: random weights, a cloud with clear inside and outside, a branch whose labels are several."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnerf_core.camera import sphere_camera
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.generator.config import BackboneConfig, MappingConfig, RayConfig, SuperResolutionConfig
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.panohead.config import PanoHeadConfig, TrigridConfig
from dnerf_core.panohead.generator import PanoHead
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig

TINY = PanoHeadConfig(
    name="tiny-panohead",
    image_size=128,
    mapping=MappingConfig(z_dim=16, w_dim=32),
    backbone=BackboneConfig(resolution=32, channel_base=256, channel_max=32, plane_channels=16),
    rays=RayConfig(32, 16, 16, 2.25, 3.3),
    superresolution=SuperResolutionConfig(kind="2X", channels=(16, 8)),
)
LABELS = LabelSet.from_names(("skin", "hair", "eyes", "neck"))


def tiny_generator(config: PanoHeadConfig = TINY) -> PanoHead:
    """A frozen generator of random weights with steep densities, above 0 in a fifth of what pictures show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator = PanoHead(config).eval().requires_grad_(False)
    last: Any = generator.decoder.net[2]
    last.weight[0] *= 200
    rig = config.cameras
    front = sphere_camera(0.0, 0.0, radius=rig.radius, pivot=rig.pivot, focal=rig.focal, world_up=rig.world_up)
    camera = torch.from_numpy(front.conditioning()).float().expand(4, 25)
    ws = generator.mapping(
        torch.from_numpy(np.stack([np.random.RandomState(seed).randn(16) for seed in range(4)])).float(), camera
    )
    points = (torch.rand(1000, 3, generator=torch.Generator().manual_seed(6)) - 0.5) * 0.7
    subject = torch.arange(4).repeat_interleave(250)
    last.bias[0] -= generator.field(generator.planes(ws)).shape_density(points, subject).quantile(0.8)
    return generator


def tiny_model(config: PanoHeadConfig = TINY, semantic: SemanticConfig | None = None, *, exact: bool = False) -> Model:
    """A model, with a branch of `semantic` if there is one."""
    generator = tiny_generator(config)
    labels = None if semantic is None else LABELS
    header = ModelHeader(Path("tiny"), 1, config, None, labels, None, None, {}, 0)
    model = Model(generator, None, header, "0" * 64, torch.device("cpu"), exact=exact)
    if semantic is not None:
        model.branch = _branch(semantic, model)
    return model


@torch.no_grad()
def _branch(semantic: SemanticConfig, model: Model) -> SemanticBranch:
    branch = SemanticBranch(semantic, model.config, seed=3)
    branch.triplane.measure([branch.triplane.inputs(model.generator.source(model.subject(seed).planes)) for seed in range(2)])
    branch.hidden_bias.normal_(generator=torch.Generator().manual_seed(2))
    branch.out_weight.mul_(10)
    if semantic.refiner.kind == "light":
        branch.refiner.out.weight.normal_(generator=torch.Generator().manual_seed(1)).mul_(0.3)
    if not semantic.density_prior:
        branch.density_weight.mul_(20)
    return branch.eval().requires_grad_(False)


def with_field(**changes: Any) -> PanoHeadConfig:
    """The tiny configuration with another field."""
    field: TrigridConfig = dataclasses.replace(TINY.triplane, **changes)
    return dataclasses.replace(TINY, triplane=field)
