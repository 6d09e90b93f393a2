"""Subjects in a pose and of a shape, by what any family gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.protocols import PosablePlanes
from dnerf_core.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from dnerf_core.backbone.protocols import Backbone, Planes
    from dnerf_core.pointcloud.cloud import PointCloud


def posed_planes(
    backbone: Backbone[Any],
    ws: Tensor,
    pose: Tensor | None,
    shape: Tensor | None,
    others: Planes | None = None,
    *,
    until: int | None = None,
) -> Planes:
    """The planes of subjects ws [B, num_ws, w_dim].

    Args:
        pose: [B or 1, *pose_shape]; None: the family's usual one, or it has none.
        shape: [B or 1, shape_size], of a family whose subjects have one; None: that of the latents.
        others: planes of the same latents in another pose; if they serve every pose they are shared. None: there are none.
        until: of new planes, see `Backbone.planes`.

    Raises:
        UsageError: a shape of another size than the generator's subjects have, or of one whose subjects have none.
    """
    size, config = backbone.config.latent.shape_size, backbone.config
    if shape is not None and (not size or shape.ndim != 2 or shape.shape[1] != size):
        expected = f"{size} coefficients" if size else "none, since its subjects have no shape"
        raise UsageError(f"shape: {config.name} expected {expected}, found {list(shape.shape)}; correct it or leave it out")
    if isinstance(others, PosablePlanes):
        return others.posed(pose, shape)
    planes: Planes = backbone.planes(ws, pose, until=until)
    return planes.posed(pose, shape) if shape is not None and isinstance(planes, PosablePlanes) else planes


def canonical_cloud(cloud: PointCloud, backbone: Backbone[Any], planes: Planes, device: torch.device) -> PointCloud:
    """A cloud of the only subject of planes where its points are in the canonical pose.

    Of subjects that do not move it is the cloud as it is.
    """
    import torch

    from dnerf_core.pointcloud.carrying import carried_cloud

    if backbone.config.latent.pose_shape is None:
        return cloud

    def carry(points: NDArray[np.float32]) -> NDArray[np.float32]:
        carried = backbone.canonical(planes, torch.from_numpy(points).to(device))
        assert carried is not None  # a pose is to go along with it
        return carried.float().cpu().numpy()

    return carried_cloud(cloud, carry)
