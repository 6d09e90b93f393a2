"""Models of every family, small, and moved to the device that is not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dnerf_core.backbone.formula_weights import load_formula_weights
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.embedded import model_path
from dnerf_core.generator.config import BackboneConfig, SuperResolutionConfig, preset
from dnerf_core.generator.eg3d import Generator
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from tests.core import panohead_models, test_subject
from tests.core.gnarf import test_views
from tests.core.gnarf.cases import bent
from tests.device.audit import DEVICE


def moved(model: Model) -> Model:
    """The model on the device, the one given included: its modules go there. Within `audit.no_device` alone."""
    branch = None if model.branch is None else model.branch.to(DEVICE)
    there = Model(model.generator.to(DEVICE), branch, model.header, model.sha256, DEVICE, exact=model.exact)
    there.convolutions = model.convolutions  # what differs otherwise is bfloat16's, and not the device's
    return there


def embedded(name: str) -> Model:
    """An embedded model."""
    if not model_path(name).is_file():
        pytest.skip("the embedded model is not here")
    return Model.load(name)


def release() -> Model:
    """The ffhq releases' rays and plane axes, small and narrow, of formula weights: fog, which no ray is clear of."""
    shape = preset("ffhq512-64")
    config = dataclasses.replace(
        shape,
        backbone=BackboneConfig(resolution=64, channel_base=1024, channel_max=16),
        rays=dataclasses.replace(shape.rays, neural_resolution=32),
        superresolution=SuperResolutionConfig(channels=(8, 8)),
    )
    generator = Generator(config).eval().requires_grad_(False)
    load_formula_weights(generator)
    branch = SemanticBranch(SemanticConfig(num_classes=6), config, seed=3).eval().requires_grad_(False)
    with torch.no_grad():
        branch.out_weight.mul_(10)
    return Model(
        generator, branch, ModelHeader(Path("formula"), 1, config, None, None, None, None, {}, 0), "", torch.device("cpu")
    )


def worm(projector: str) -> Model:
    """A body, carried by one of the projectors."""
    config = test_views.config_of(projector=projector, reach=0.05 if projector == "closest" else None)
    return test_views.model_of(config, semantic=SemanticConfig(num_classes=3))


def bent_worm() -> Tensor:
    """A pose of such a body."""
    return bent(test_views.RIG)


def edged_worm() -> Model:
    """A body whose edges get rays of their own."""
    model = worm("closest")
    rays = dataclasses.replace(model.config.rays, edge_rays=True)
    config = dataclasses.replace(model.config, rays=rays)
    model.generator.config = config
    model.header = dataclasses.replace(model.header, generator_config=config)
    return model


FAMILIES: dict[str, Callable[[], Model]] = {
    "cars": lambda: embedded("demo-cars"),
    "people": lambda: embedded("demo-people"),
    "fog": release,
    "cloud": test_subject.tiny_model,
    "two distances": lambda: test_subject.tiny_model(ray_start=1.8, ray_end=3.4),
    "head": lambda: panohead_models.tiny_model(semantic=SemanticConfig(num_classes=5)),
    "worm, surface field": lambda: worm("surface_field"),
    "worm, skinning": lambda: worm("skinning"),
    "worm, closest, edges": edged_worm,
}
"""Every family, field and limits that views differ by."""
