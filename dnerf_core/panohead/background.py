"""What lies behind a head: a picture of features that a second synthesis paints (PanoHead section 3.3), seen where the head is not."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def background_ws(ws: Tensor, count: int) -> Tensor:
    """The first `count` of ws [B, num_ws, w_dim], its last repeated where it has fewer."""
    lacking = count - ws.shape[1]
    if lacking > 0:
        ws = F.pad(ws.transpose(1, 2), (0, lacking), mode="replicate").transpose(1, 2)
    return ws[:, :count]


def resize_background(picture: Tensor, resolution: int) -> Tensor:
    """A painted background [B, C, S, S] at `resolution` pixels a side."""
    if picture.shape[-1] == resolution:
        return picture
    return F.interpolate(picture, size=(resolution, resolution), mode="bilinear", align_corners=False, antialias=True)


def mask_of(opacity: Tensor) -> Tensor:
    """The published mask of a head, [..] in [-0.001, 1.001], of opacity [..]: the sum of a ray's weights, stretched."""
    return opacity * 1.002 - 0.001
