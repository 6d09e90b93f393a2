"""What the claims are measured on: a release's size with weights from a formula, and the embedded demo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dnerf_core.backbone.family import named
from dnerf_core.backbone.formula_weights import load_formula_weights
from dnerf_core.backbone.registry import family_of
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.generator.config import preset
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.panohead.config import PANOHEAD
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import FeatureKind, SemanticConfig

PARTS = ("skin", "eyes", "brows", "nose", "mouth", "hair", "neck")


FULL_SIZE = {"full-size": preset("ffhq512-128"), "panohead": PANOHEAD}
"""Releases whose weights come from a formula, by the name of the model in a claim."""


EMBEDDED = {"demo": "demo-cars", "people": "demo-people"}
"""The embedded models, likewise."""


def bench_model(name: str, device: str | torch.device) -> Model:
    """A claim's model, by `Claim.model`."""
    place = torch.device(device)
    return Model.load(EMBEDDED[name], place) if name in EMBEDDED else full_size_model(place, release=name)


def rigid_model(model: Model) -> Model:
    """A model whose subjects move, as if they did not: the same weights and sizes."""
    place = family_of(model.config).rigid
    assert place is not None
    rigid: Model = named(place)(model)
    return rigid


def full_size_model(
    device: torch.device,
    feature_kind: FeatureKind = "planes",
    num_parts: int = len(PARTS),
    release: str = "full-size",
    **rays: Any,
) -> Model:
    """A release, `ffhq512-128` unless another is named, with formula weights and a branch of random ones.

    `rays` replaces fields of its `RayConfig`.

    Its field is fog from one end of the rays to the other, so that nothing can be skipped: the hardest case. `planes` is the
    feature kind whose literal form is the cheaper one (3 x 224 channels for 3 x 2,944), so ratios against it are the smaller ones.
    """
    config: Any = FULL_SIZE[release]
    config = replace(config, rays=replace(config.rays, **rays))
    parts = PARTS if num_parts == len(PARTS) else tuple(f"part{number}" for number in range(num_parts))
    generator = family_of(config).build(config)
    assert isinstance(generator, torch.nn.Module)
    load_formula_weights(generator)
    branch = SemanticBranch(SemanticConfig(num_classes=1 + len(parts), feature_kind=feature_kind), config, seed=0)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in branch.refiner.layers:  # a fresh refiner adds nothing, which would hide what is wrong with it
            layer.bias.copy_(0.1 * torch.randn(layer.bias.shape, generator=rng))
        branch.refiner.out.weight.copy_(0.1 * torch.randn(branch.refiner.out.weight.shape, generator=rng))
    generator.to(device).eval().requires_grad_(False)
    branch.to(device).eval().requires_grad_(False)
    header = ModelHeader(Path("formula weights"), 1, config, None, LabelSet.from_names(parts), None, None, {}, 0)
    model = Model(generator, branch, header, "0" * 64, device)
    branch.triplane.measure([branch.triplane.inputs(generator.source(model.subject(0).planes))])
    return model
