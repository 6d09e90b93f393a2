"""The ways from posed to canonical space, by the name that a configuration has.

A projector is a function

    projector(body: PosedBody, points: Tensor [N, 3], settings: WarpConfig) -> (canonical: Tensor [N, 3], void: Tensor bool [N])

of one body in one pose. `points` lie in the world frame of `body.vertices`, float32 on the body's device, N from 0 to millions: a projector
bounds its own memory. `canonical` lies in the frame of `body.canonical_vertices`, finite for every finite point; `void` says where nothing
is, whatever the planes hold (past `settings.reach` of "closest"; the published ones void nothing). A projector is differentiable in the
points, the pose and the shape where they ask for gradients; it leaves what it prepares of a body (a tree of its triangles) in
`body.prepared`, under its own name, so that it is made once a pose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from dnerf_core.backbone.family import named
from dnerf_core.gnarf.body.posed import PosedBody
from dnerf_core.gnarf.config import Projector, WarpConfig

Projection = tuple[Tensor, Tensor]
"""Canonical points [N, 3], and which of them are void, bool [N]."""

ProjectorFunction = Callable[[PosedBody, Tensor, WarpConfig], Projection]

PROJECTORS: dict[Projector, str] = {
    "closest": "dnerf_core.gnarf.warp.nearest:closest",
    "surface_field": "dnerf_core.gnarf.warp.surface_field:surface_field",
    "skinning": "dnerf_core.gnarf.warp.bones:skinning",
    "mvc": "dnerf_core.gnarf.warp.mean_values:mvc",
    "mvc_grid": "dnerf_core.gnarf.warp.mean_values:mvc_grid",
    "none": "dnerf_core.gnarf.warp.projectors:unmoved",
}
"""Where each stands, "module:name"; it is imported when it is first used."""
assert set(PROJECTORS) == set(get_args(Projector))


def project(body: PosedBody, points: Tensor, settings: WarpConfig) -> Projection:
    """Points [N, 3] of the world of one posed body in canonical space, by the projector that the configuration names."""
    function: ProjectorFunction = named(PROJECTORS[settings.projector])
    return function(body, points, settings)


def unmoved(body: PosedBody, points: Tensor, settings: WarpConfig) -> Projection:
    """Points as they are: the world is canonical space."""
    return points, torch.zeros(len(points), dtype=torch.bool, device=points.device)
