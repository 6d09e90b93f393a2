"""What a PanoHead generator is made of, as data (no torch): the tri-grid and the background."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.stylegan2.config import VARIANTS, BackboneConfig, PlaneGeneratorConfig

GridAxes = Literal["xyz", "xzy", "yzx", "yxz", "zxy", "zyx"]
Activation = Literal["none", "lrelu", "sigmoid"]

PUBLISHED_GRID_AXES: tuple[GridAxes, ...] = ("xyz", "xzy", "yzx")
"""Planes as PanoHead was trained: the third is yz, where EG3D's releases have zx."""


MAX_DEPTH = 64
"""Slices a plane; the published generator has 3."""


@dataclass(frozen=True)
class TrigridConfig:
    """The tri-grid field (PanoHead section 3.2): planes of `depth` slices each, which fill [-box_warp/2, box_warp/2]^3.

    Attributes:
        box_warp: side of the box, world units.
        plane_axes: the axes along width, height and depth of each plane.
        depth: D, slices a plane.
        hidden_dim, decoder_lr_mul: as EG3D's `TriplaneConfig`.
        activation: what the decoder's colours go through: nothing, leaky ReLU (0.2) times sqrt(2), or EG3D's scaled sigmoid.
        crop_margin: pictures show nothing nearer than this to the box's faces along x and z, world units; y is free. It is no part
            of the shape.
    """

    box_warp: float = 1.0
    plane_axes: tuple[GridAxes, ...] = PUBLISHED_GRID_AXES
    depth: int = 3
    hidden_dim: int = 64
    decoder_lr_mul: float = 1.0
    activation: Activation = "none"
    crop_margin: float = 0.1


def _elevation_deg(eg3d_pitch_rad: float) -> float:
    """True elevation of EG3D's published pitch, which is positive below the horizon; see `camera_arcs`."""
    return math.degrees(math.asin(-2.0 * eg3d_pitch_rad / math.pi))


PANOHEAD_CAMERAS = CameraConfig(
    radius=2.7,
    pivot=(0.0, 0.0, 0.0),
    focal=4.2647,
    world_up="y",
    pitch_deg=_elevation_deg(-0.05),
    yaw_range_deg=(-180.0, 180.0),
    pitch_range_deg=(_elevation_deg(-0.05 + 0.5), _elevation_deg(-0.05 - 0.5)),
)
"""Where the published generator was trained to be seen from: all around, at published pitch -0.05 +- 0.5."""


@dataclass(frozen=True)
class PanoHeadConfig(PlaneGeneratorConfig):
    """Everything that decides what function a PanoHead generator's weights are.

    Attributes:
        rays: `rays.white_back` is of no effect, since the background is made.
        triplane: the field.
        use_torgb_raw: the raw image is a modulated 1x1 convolution of the rendered features; else their first three channels.
        use_background: a second synthesis paints what is behind the head.
        background_clamp: limit of that synthesis' activations, as `backbone.conv_clamp`.
    """

    name: str = "panohead"
    triplane: TrigridConfig = field(default_factory=TrigridConfig)
    cameras: CameraConfig = PANOHEAD_CAMERAS
    use_torgb_raw: bool = True
    use_background: bool = True
    background_clamp: float | None = None

    @property
    def planes_text(self) -> str:
        """The grids, for people."""
        field, size = self.triplane, self.backbone.resolution
        behind = "painted background" if self.use_background else "no background"
        return f"{size} px, {self.backbone.plane_channels} channels, {field.depth} slices, axes {' '.join(field.plane_axes)}, {behind}"

    @property
    def slices(self) -> int:
        """Slices a plane."""
        return self.triplane.depth

    @property
    def background(self) -> BackboneConfig:
        """The synthesis that paints the background: as the backbone at half the width, at the super-resolution's input size."""
        return BackboneConfig(
            resolution=VARIANTS[self.superresolution.kind].input_size,
            channel_base=self.backbone.channel_base // 2,
            channel_max=self.backbone.channel_max,
            plane_channels=self.backbone.plane_channels,
            conv_clamp=self.background_clamp,
        )


PANOHEAD = PanoHeadConfig()
"""The published generator, after its second stage."""
