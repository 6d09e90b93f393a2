"""A posed view on the CPU: what a subject gives, what point clouds are fused from and labels are carried by (numpy only).

Convention: OpenCV cameras with normalised intrinsics, pixel centres at +0.5, planar depth, +inf at background (`dnerf_core.camera`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, pixel_centers_uv
from dnerf_core.errors import UsageError
from dnerf_core.shapes import check_shapes


@dataclass(frozen=True, eq=False, repr=False)
class LabeledView:
    """One view with its camera, its picture, its labels and its depth, checked.

    Attributes:
        camera: where it was seen from.
        rgb: uint8 [H, W, 3].
        mask: uint8 [H, W] of label ids, 0 background, 255 no label; None: the view has no labels, such as one of a model without a
            semantic branch.
        depth_planar: float [H, W], along the optical axis, world units, +inf at background; float32 where a subject gives it.
        sample_px: side in pixels of what one measured depth covers; above 1 where the depth was upsampled to the picture's size.

    Raises:
        UsageError: an array of another type or shape, a depth that is NaN, zero or negative.
    """

    camera: Camera
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    depth_planar: NDArray[np.floating]
    sample_px: int = 1

    def __post_init__(self) -> None:
        check_depth(self.depth_planar)
        check_shapes(depth_planar=(self.depth_planar, "H W"), rgb=(self.rgb, "uint8 H W 3"), mask=(self.mask, "uint8 H W"))
        if self.sample_px < 1:
            raise UsageError(f"sample_px: expected at least 1 pixel, found {self.sample_px}; 1 means depth at full resolution")

    @classmethod
    def without_picture(
        cls, camera: Camera, mask: NDArray[np.uint8], depth_planar: NDArray[np.floating], sample_px: int = 1
    ) -> LabeledView:
        """A view for what reads depth and labels only: its picture is black, and takes no memory."""
        return cls(camera, np.broadcast_to(np.uint8(0), (*depth_planar.shape, 3)), mask, depth_planar, sample_px)

    def __repr__(self) -> str:
        width, height = self.size_px
        channels = "rgb, depth" if self.mask is None else "rgb, mask, depth"
        return f"LabeledView({width} x {height} px, {channels}, {self.camera!r})"

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height)."""
        height, width = self.depth_planar.shape
        return width, height

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the geometric mean of both axes: at depth z neighbouring pixels are z / focal_px apart."""
        (width, height), intrinsics = self.size_px, self.camera.intrinsics
        return float(np.sqrt(intrinsics[0, 0] * width * intrinsics[1, 1] * height))

    def label_ids(self) -> NDArray[np.uint8]:
        """Its mask, uint8 [H, W].

        Raises:
            UsageError: it has none.
        """
        if self.mask is None:
            raise UsageError("views: expected masks in all of them, found one without; leave it out")
        return self.mask

    def points_of(self, pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
        """World points [M, 3] of the chosen pixels bool [H, W], row by row; their depths must be finite."""
        return self.camera.unproject(pixel_centers_uv(self.size_px)[pixels], self.depth_planar[pixels])

    def has_surface(self) -> NDArray[np.bool_]:
        """bool [H, W], where a point can come from: finite depth, and a part where there is a mask (255 is a part without label)."""
        finite = np.isfinite(self.depth_planar)
        return finite if self.mask is None else finite & (self.mask != 0)


@dataclass(frozen=True, eq=False)
class PartialView:
    """Some channels of a view; None for what was not asked for, and for mask and uncertainty of a model without labels.

    Attributes:
        rgb: uint8 [H, W, 3].
        mask: uint8 [H, W] of label ids, 0 background.
        depth_planar: float32 [H, W], along the optical axis, world units, +inf at background.
        uncertainty: float32 [H, W], entropy of the class probabilities as a share of its highest: 0 certain, 1 all classes alike.
        joints: float32 [K, 3], where the subject's joints are, world frame; None for a subject that has none, too.
        vertices: float32 [V, 3], where those of the subject's template mesh are, world frame; None for a subject that has none, too.
        coverage: float32 [H, W] in [0, 1], how much of each pixel's light the subject stops.
    """

    rgb: NDArray[np.uint8] | None
    mask: NDArray[np.uint8] | None
    depth_planar: NDArray[np.float32] | None
    uncertainty: NDArray[np.float32] | None = None
    joints: NDArray[np.float32] | None = None
    vertices: NDArray[np.float32] | None = None
    coverage: NDArray[np.float32] | None = None


def sample_side_px(size_px: int, neural_resolution: int) -> int:
    """`LabeledView.sample_px` of a picture of this side whose depth comes of so many rays a side."""
    return max(1, -(-size_px // neural_resolution))


def check_depth(depth_planar: NDArray[np.floating]) -> None:
    """Refuse what is no planar depth of one picture.

    Raises:
        UsageError: another type or shape, or a depth that is NaN, zero or negative.
    """
    check_shapes(depth_planar=(depth_planar, "float H W", "pass one image"))
    if not (depth_planar > 0).all():  # false for NaN, too
        raise UsageError("depth_planar: expected depths above 0, +inf at background, found others; set background to inf")
