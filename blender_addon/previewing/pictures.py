"""Pictures of the preview: how large they are asked for, and what is drawn of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import LabelSet

_LEAST_PX, _STEP_PX = 32, 32


def shown_size_px(square_side_px: float, max_px: int) -> int:
    """The side that is asked for: no more pixels than are shown, in steps, so that a slow zoom does not ask for every size."""
    return max(_LEAST_PX, min(max_px, math.ceil(square_side_px / _STEP_PX) * _STEP_PX))


def preview_pixels(rgb: NDArray[np.uint8], mask: NDArray[np.uint8] | None, overlay: LabelSet | None) -> NDArray[np.float32]:
    """What is drawn, float32 [H, W, 4] from the bottom row up: the picture, clear where the mask has background."""
    shown = rgb if overlay is None or mask is None else overlay.overlay(rgb, mask)
    pixels = np.ones((*rgb.shape[:2], 4), np.float32)
    pixels[..., :3] = shown.astype(np.float32) / np.float32(255.0)
    if mask is not None:
        pixels[..., 3] = mask != 0
        pixels[..., :3] *= pixels[..., 3:]
    return pixels[::-1]
