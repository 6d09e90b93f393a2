"""From the super-resolved image to the picture of a file."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def resized(image: Tensor, size_px: int) -> Tensor:
    """Image [B, C, S, S] at another size (bilinear, antialiased)."""
    if image.shape[-1] == size_px:
        return image
    return F.interpolate(image, size=(size_px, size_px), mode="bilinear", align_corners=False, antialias=True)


def uint8_pixels(image: Tensor, size_px: int) -> Tensor:
    """Image [B, 3, S, S] in [-1, 1] as uint8 [B, H, W, 3] at another size (bilinear, antialiased), where it is."""
    image = resized(image, size_px)
    return (image * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def to_uint8(image: Tensor, size_px: int) -> NDArray[np.uint8]:
    """The same as an array."""
    pixels: NDArray[np.uint8] = uint8_pixels(image, size_px).cpu().numpy()
    return pixels
