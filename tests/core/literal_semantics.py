"""The semantic branch's literal form, as the paper writes it (section 3.1): slow, plain, and independent of the engine's projection.

Every block's output is normalised, upsampled to the last resolution and concatenated; each plane is read by grid_sample; the reads are
summed through the first linear layer; every sample is decoded to its end before it is composited. Only weights are shared.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.generator.eg3d import Planes
from dnerf_core.semantic.branch import SemanticBranch

COLUMN = {"x": 0, "y": 1, "z": 2}


def literal_triplane(branch: SemanticBranch, planes: Planes) -> list[Tensor]:
    """The concatenated tri-plane: for each plane [B, C_total, R, R]."""
    side = branch.generator_config.backbone.resolution
    channels = branch.generator_config.backbone.plane_channels
    num_planes = len(branch.generator_config.triplane.plane_axes)
    state = branch.state_dict()
    stacks: list[list[Tensor]] = [[] for _ in range(num_planes)]
    source = planes.features if branch.config.feature_kind == "features" else planes.images
    for picture in source:
        size = picture.shape[-1]
        if branch.config.scales is not None and size not in branch.config.scales:
            continue
        mean, std = state[f"triplane.mean_{size}"], state[f"triplane.std_{size}"]
        normal = (picture - mean[:, None, None]) / std[:, None, None]
        large = F.interpolate(normal, size=(side, side), mode="bilinear", align_corners=False)
        for plane in range(num_planes):
            of_plane = large if branch.config.feature_kind == "features" else large[:, plane * channels : (plane + 1) * channels]
            stacks[plane].append(of_plane)
    return [torch.cat(stack, dim=1) for stack in stacks]


def literal_first_layer(branch: SemanticBranch) -> list[Tensor]:
    """The decoder's first weight for each plane: [64, C_total]."""
    state, hidden = branch.state_dict(), branch.config.hidden_dim
    num_planes = len(branch.generator_config.triplane.plane_axes)
    names = [f"triplane.weight.{scale}" for scale in sorted(int(name.split(".")[-1]) for name in state if ".weight." in name)]
    total = torch.cat([state[name] for name in names], dim=1)
    per_plane = [total] * num_planes if branch.config.feature_kind == "planes" else list(total.split(hidden, dim=0))
    fan_in = total.shape[1] * num_planes
    return [weight / fan_in**0.5 for weight in per_plane]


def literal_point_values(branch: SemanticBranch, planes: Planes, subject: int, points: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and features [K, C + 32] and raw density [K] (zeros without one) at points [K, 3] of one subject."""
    box = branch.generator_config.triplane.box_warp
    state = branch.state_dict()
    hidden = state["hidden_bias"]
    large, weights = literal_triplane(branch, planes), literal_first_layer(branch)
    for stack, weight, axes in zip(large, weights, branch.generator_config.triplane.plane_axes, strict=True):
        where = torch.stack([points[:, COLUMN[axes[0]]], points[:, COLUMN[axes[1]]]], dim=-1) * 2 / box
        read = F.grid_sample(
            stack[subject : subject + 1], where[None, None], mode="bilinear", padding_mode="zeros", align_corners=False
        )
        hidden = hidden + read[0, :, 0].t() @ weight.t()
    hidden = torch.log1p(torch.exp(-hidden.abs())) + hidden.clamp_min(0)
    values = hidden @ state["out_weight"].t() / hidden.shape[1] ** 0.5 + state["out_bias"]
    density = hidden.new_zeros(len(points))
    if not branch.config.density_prior:
        density = hidden @ state["density_weight"] / hidden.shape[1] ** 0.5 + state["density_bias"]
    return values, density


def literal_map(branch: SemanticBranch, planes: Planes, subject: int, points: Tensor, weights: Tensor) -> Tensor:
    """Composite [M, C + 32] of M rays with S samples each, over the learned background.

    Args:
        points: [M, S, 3]; weights: [M, S], each sample's own.
    """
    values, _ = literal_point_values(branch, planes, subject, points.reshape(-1, 3))
    values = values.reshape(*weights.shape, -1)
    seen = (weights[..., None] * values).sum(dim=1)
    return seen + (1 - weights.sum(dim=1))[:, None] * branch.state_dict()["background"]
