"""A view as a subject gives it, on the CPU: its channels as arrays, and where it was seen from (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera


@dataclass(frozen=True, eq=False, repr=False)
class LabeledView:
    """One view with all its channels, on the CPU.

    Attributes:
        camera: where it was seen from.
        rgb: uint8 [H, W, 3].
        mask: uint8 [H, W] of label ids, 0 background; None when the model has no semantic branch.
        depth_planar: float32 [H, W], along the optical axis, world units, +inf at background.
        sample_px: side in pixels of what one ray measured; above 1 where the depth was upsampled to the picture's size.
    """

    camera: Camera
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    depth_planar: NDArray[np.float32]
    sample_px: int = 1

    def __repr__(self) -> str:
        height, width = self.depth_planar.shape
        channels = "rgb, depth" if self.mask is None else "rgb, mask, depth"
        return f"LabeledView({width} x {height} px, {channels}, {self.camera!r})"


@dataclass(frozen=True, eq=False)
class PartialView:
    """Some channels of a view; None for what was not asked for, and for mask and uncertainty of a model without labels.

    Attributes:
        rgb, mask, depth_planar: as `LabeledView` has them.
        uncertainty: float32 [H, W], entropy of the class probabilities as a share of its highest: 0 certain, 1 all classes alike.
    """

    rgb: NDArray[np.uint8] | None
    mask: NDArray[np.uint8] | None
    depth_planar: NDArray[np.float32] | None
    uncertainty: NDArray[np.float32] | None = None
