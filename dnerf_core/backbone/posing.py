"""Subjects in a pose and of a shape, by what any family gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.protocols import PosablePlanes

if TYPE_CHECKING:
    from torch import Tensor

    from dnerf_core.backbone.protocols import Backbone, Planes


def posed_planes(backbone: Backbone[Any], ws: Tensor, pose: Tensor | None, shape: Tensor | None) -> Planes:
    """The planes of subjects ws [B, num_ws, w_dim].

    Args:
        pose: [B or 1, *pose_shape]; None: the family's usual one, or it has none.
        shape: [B or 1, shape_size], of a family whose subjects have one; None: that of the latents.
    """
    planes: Planes = backbone.planes(ws, pose)
    if shape is None:
        return planes
    assert isinstance(planes, PosablePlanes)
    return planes.posed(pose, shape)
