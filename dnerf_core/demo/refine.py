"""The last phase of the demo's training: the super-resolution alone, on whole views of the field that will be released.

The field is frozen, so each view is rendered once and kept; steps are then cheap. Whole views, not patches: background and the
picture's rim, where the convolutions see zeros, are learned too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.demo.losses import random_cameras
from dnerf_core.demo.trace import render_truth
from dnerf_core.demo.world import Z_DIM, Cars
from dnerf_core.generator.eg3d import Generator
from dnerf_core.rendering.guided_view import VALUE_EPSILON
from dnerf_core.rendering.view import render_view


@dataclass(frozen=True)
class RefineRecipe:
    """How the super-resolution is refined: kept views, Adam steps and their views, first learning rate (cosine to 0), seed."""

    views: int = 200
    steps: int = 1200
    views_per_step: int = 4
    learning_rate: float = 2e-3
    elevation_deg: tuple[float, float] = (-5.0, 40.0)
    seed: int = 7


@dataclass(frozen=True, eq=False)
class RefineViews:
    """Kept views: features float16 [V, C, R, R] in [-1, 1], ws [V, num_ws, w_dim], truth uint8 [V, 3, S, S]."""

    features: Tensor
    ws: Tensor
    truth: Tensor


@torch.no_grad()
def keep_views(generator: Generator, recipe: RefineRecipe, progress: Callable[[int], None] | None = None) -> RefineViews:
    """Render random views of random cars, and their truth."""
    rng = torch.Generator().manual_seed(recipe.seed)
    config = generator.config
    focal = config.cameras.focal
    intrinsics = torch.tensor([[[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]])
    features, ws, truth = [], [], []
    for number in range(recipe.views):
        z = torch.randn(1, Z_DIM, generator=rng)
        cam2world = random_cameras(1, config.cameras.radius, rng, recipe.elevation_deg)
        w = generator.mapping(z)
        rendered = render_view(generator, generator.planes(w), cam2world, intrinsics, epsilon=VALUE_EPSILON).raw
        view = render_truth(Cars.from_latent(z), cam2world, intrinsics, config.image_size)
        features.append(rendered.features.half())
        ws.append(w)
        truth.append((view.rgb * 255).round().to(torch.uint8).permute(0, 3, 1, 2))
        if progress is not None:
            progress(number + 1)
    return RefineViews(torch.cat(features), torch.cat(ws), torch.cat(truth))


def refine_superresolution(
    generator: Generator, views: RefineViews, recipe: RefineRecipe, progress: Callable[[int, float], None] | None = None
) -> None:
    """Train the generator's super-resolution in place on kept views: squared error plus a tenth of the absolute one."""
    module = generator.superresolution
    module.requires_grad_(True)
    optimizer = torch.optim.Adam(module.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99))
    rng = torch.Generator().manual_seed(recipe.seed)
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * step / recipe.steps)) * min(1, (step + 1) / 20)
        chosen = torch.randint(len(views.ws), (recipe.views_per_step,), generator=rng)
        image = module(views.features[chosen].float(), views.ws[chosen])
        difference = image * 0.5 + 0.5 - views.truth[chosen].float() / 255
        loss = difference.square().mean() + 0.1 * difference.abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if progress is not None:
            progress(step + 1, float(difference.detach().square().mean()))
    module.requires_grad_(False)
