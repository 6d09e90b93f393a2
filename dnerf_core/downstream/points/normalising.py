"""A cloud of any unit and place as networks take it: centred and of about the size of the unit ball, y up.

Convention: points are right-handed; headings turn about +y, positive from +z towards +x, as yaw does elsewhere.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dnerf_core.shapes import check_shapes

Normalisation = Literal["ball", "robust"]

BOX_SHARE = 0.02
"""Of the points on either side of each axis that the robust box leaves out."""
RADIUS_SHARE = 0.95
"""Of the points within the robust radius."""
TINY = 1e-12


def normalised(points: Tensor, how: Normalisation) -> Tensor:
    """Clouds centred and scaled, each by itself.

    "ball": the centre of the bounding box, and the largest distance to it becomes 1. "robust": the centre of the box of the 2nd to 98th
    percentile, and the 95th percentile of the distances becomes 1, which a few stray points do not move. A cloud of one place stays at 0.

    Args:
        points: `[B, N, 3]`, float32, any unit.
    """
    check_shapes(points=(points, "float B N 3"))
    share = BOX_SHARE if how == "robust" else 0.0
    box = _at_share(points, torch.tensor([share, 1.0 - share]), dim=1)
    centred = points - box.mean(dim=1, keepdim=True)
    distance = centred.norm(dim=-1)
    radius = _at_share(distance, torch.tensor([RADIUS_SHARE if how == "robust" else 1.0]), dim=1)
    return centred / radius[..., None].clamp_min(TINY)


def _at_share(values: Tensor, shares: Tensor, dim: int) -> Tensor:
    """The values that so large shares of the others along a dimension lie below, `[.., len(shares), ..]`, without values in between."""
    count = values.shape[dim]
    ranks = (shares * (count - 1)).round().long()
    return ordered(values, dim).index_select(dim, ranks.to(values.device))


def ordered(values: Tensor, dim: int) -> Tensor:
    """Values in rising order along a dimension. On a CPU NumPy orders float32 by vector instructions, in a tenth of torch's time."""
    if values.device.type != "cpu" or values.requires_grad:
        return values.sort(dim=dim).values
    return torch.from_numpy(np.sort(values.numpy(), axis=dim))


def turned(points: Tensor, angles_rad: Tensor) -> Tensor:
    """Clouds turned about +y.

    Args:
        points: `[B, N, 3]`.
        angles_rad: `[B]`; a quarter turn takes +z to +x.
    """
    check_shapes(points=(points, "float B N 3"), angles_rad=(angles_rad, "float B"))
    cosine, sine = angles_rad.cos()[:, None], angles_rad.sin()[:, None]
    x, y, z = points.unbind(-1)
    return torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], dim=-1)


def headings_rad(count: int) -> Tensor:
    """`count` angles at even steps all around, float32, 0 first."""
    return torch.arange(count, dtype=torch.float32) * (2 * math.pi / count)
