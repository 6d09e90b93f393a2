"""What a generator is made of, as data: frozen dataclasses, and the published releases as presets.

Nothing here imports torch, so that a command that only reads a header stays quick.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Literal

from dnerf_core.backbone.specs import LatentSpec, SourceSpec
from dnerf_core.backbone.viewing import CameraConfig, RayConfig
from dnerf_core.errors import CheckpointError

__all__ = [
    "ORBITS",
    "PRESETS",
    "RELEASED_PLANE_AXES",
    "VARIANTS",
    "VIDEO_CAMERAS",
    "BackboneConfig",
    "CameraConfig",
    "GeneratorConfig",
    "MappingConfig",
    "PlaneAxes",
    "RayConfig",
    "SuperResolutionConfig",
    "SuperResolutionKind",
    "SuperResolutionVariant",
    "TriplaneConfig",
    "preset",
]

PlaneAxes = Literal["xy", "xz", "yz", "zx"]
SuperResolutionKind = Literal["8XDC", "8X", "4X", "2X"]

RELEASED_PLANE_AXES: tuple[PlaneAxes, ...] = ("xy", "xz", "zx")
"""Planes as the published checkpoints were trained: the third repeats the second, transposed."""


@dataclass(frozen=True)
class MappingConfig:
    """The mapping network (z, camera) -> w (StyleGAN2, CVPR 2020; EG3D section 4.3).

    Attributes:
        z_dim, w_dim: width of the latent and of the intermediate latent.
        c_dim: width of the conditioning, 25 = cam2world row-major (16) + intrinsics (9); 0: unconditioned.
        layers: number of fully connected layers `fc0..`.
        c_scale: factor on the conditioning before its embedding.
        c_zero: the conditioning is replaced by zeros first.
    """

    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 25
    layers: int = 2
    c_scale: float = 1.0
    c_zero: bool = False


@dataclass(frozen=True)
class BackboneConfig:
    """The StyleGAN2 synthesis network that paints the planes: blocks at 4, 8, .. `resolution` pixels.

    A block has min(channel_base / resolution, channel_max) channels; `conv_clamp` limits activations (None: no limit).
    """

    resolution: int = 256
    channel_base: int = 32768
    channel_max: int = 512
    plane_channels: int = 32
    conv_clamp: float | None = None

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """Side of every block in pixels, 4 first."""
        return tuple(2**k for k in range(2, int(math.log2(self.resolution)) + 1))

    def channels(self, resolution: int) -> int:
        """Hidden channels of the block at `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def num_ws(self) -> int:
        """Number of w vectors the synthesis network takes: one a convolution and one for the last torgb."""
        return 2 * len(self.block_resolutions)


@dataclass(frozen=True)
class TriplaneConfig:
    """The tri-plane field: planes span [-box_warp/2, box_warp/2]^3; `plane_axes` names the width and height axis of each plane."""

    box_warp: float = 1.0
    plane_axes: tuple[PlaneAxes, ...] = RELEASED_PLANE_AXES
    hidden_dim: int = 64
    decoder_lr_mul: float = 1.0


@dataclass(frozen=True)
class SuperResolutionVariant:
    """One row of the releases' table of super-resolutions (EG3D section 4.2): two StyleGAN2 blocks on the rendered features.

    Attributes:
        input_size, output_size: sides in pixels.
        channels: widths of the two blocks.
        up_first: whether the first block upsamples; the second always does.
        shrinks_input: whether an input above `input_size` is resized to it.
    """

    input_size: int
    output_size: int
    channels: tuple[int, int]
    up_first: bool
    shrinks_input: bool = True

    @property
    def block_sizes(self) -> tuple[int, int]:
        """Side of what each block makes, pixels."""
        return self.output_size // 2, self.output_size


VARIANTS: dict[SuperResolutionKind, SuperResolutionVariant] = {
    "8XDC": SuperResolutionVariant(128, 512, (256, 128), up_first=True),
    "8X": SuperResolutionVariant(128, 512, (128, 64), up_first=True),
    "4X": SuperResolutionVariant(128, 256, (128, 64), up_first=False, shrinks_input=False),
    "2X": SuperResolutionVariant(64, 128, (128, 64), up_first=False),
}
"""The super-resolutions of the releases, by the last part of their published name."""


@dataclass(frozen=True)
class SuperResolutionConfig:
    """The super-resolution after volume rendering.

    Attributes:
        kind: the last part of the published module's name, without "SuperresolutionHybrid".
        conv_clamp: activation limit of its convolutions (256 in releases that train it in half precision).
        noise_mode: "none" in every release. "random" tells how it was trained; here it samples as "none", so that views repeat.
        antialias: antialiased resize of the input to the size that `kind` takes.
        channels: widths of the two blocks; None takes the published ones of `kind`.
    """

    kind: SuperResolutionKind = "8XDC"
    conv_clamp: float | None = 256.0
    noise_mode: Literal["none", "const", "random"] = "none"
    antialias: bool = True
    channels: tuple[int, int] | None = None


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything that decides what function a generator's weights are. `image_size` is the output's side in pixels."""

    name: str = "ffhq512-128"
    image_size: int = 512
    mapping: MappingConfig = field(default_factory=MappingConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    triplane: TriplaneConfig = field(default_factory=TriplaneConfig)
    rays: RayConfig = field(default_factory=RayConfig)
    superresolution: SuperResolutionConfig = field(default_factory=SuperResolutionConfig)
    cameras: CameraConfig = field(default_factory=CameraConfig)

    # what any family's configuration says of itself, see `BackboneConfig`

    @property
    def box_side(self) -> float:
        """Side of the planes' cube, world units."""
        return self.triplane.box_warp

    @property
    def feature_channels(self) -> int:
        """Channels of rendered features: those of a plane."""
        return self.backbone.plane_channels

    @property
    def planes_text(self) -> str:
        """The planes, for people."""
        return (
            f"{self.backbone.resolution} px, {self.backbone.plane_channels} channels, axes {' '.join(self.triplane.plane_axes)}"
        )

    @property
    def superresolution_text(self) -> str:
        """The super-resolution, for people."""
        return self.superresolution.kind

    @property
    def latent(self) -> LatentSpec:
        """What makes a subject."""
        return LatentSpec(self.mapping.z_dim, self.backbone.num_ws, self.mapping.w_dim)

    @property
    def source(self) -> SourceSpec:
        """What a semantic branch reads: every block."""
        backbone, scales = self.backbone, self.backbone.block_resolutions
        widths = tuple(backbone.channels(scale) for scale in scales)
        return SourceSpec(scales, widths, len(self.triplane.plane_axes), backbone.plane_channels, backbone.resolution)


_FFHQ = GeneratorConfig(name="ffhq512-128")
_CATS = CameraConfig(pivot=(0.0, 0.0, -0.06))
_CARS = CameraConfig(
    radius=1.3,
    pivot=(0.0, 0.0, 0.0),
    focal=1.0254,
    world_up="z",
    pitch_deg=20.0,  # the horizon is the edge of what it was trained on
    yaw_range_deg=(-180.0, 180.0),
    pitch_range_deg=(0.0, 90.0),
)

PRESETS: dict[str, GeneratorConfig] = {
    "ffhq512-128": _FFHQ,
    "ffhqrebalanced512-128": dataclasses.replace(_FFHQ, name="ffhqrebalanced512-128"),
    "ffhq512-64": dataclasses.replace(_FFHQ, name="ffhq512-64", rays=RayConfig(neural_resolution=64)),
    "afhqcats512-128": dataclasses.replace(_FFHQ, name="afhqcats512-128", cameras=_CATS),
    "shapenetcars128-64": GeneratorConfig(
        name="shapenetcars128-64",
        image_size=128,
        triplane=TriplaneConfig(box_warp=1.6),
        rays=RayConfig(64, 64, 64, 0.1, 2.6, white_back=True),
        superresolution=SuperResolutionConfig(kind="2X"),
        cameras=_CARS,
    ),
}
"""Every published release, by the name of its file, with the cameras it was trained with."""

_VIDEO_CARS = CameraConfig(radius=1.7, pivot=(0.0, 0.0, 0.0), focal=1.7074, world_up="z")

VIDEO_CAMERAS: dict[str, CameraConfig] = {
    name: _VIDEO_CARS if name == "shapenetcars128-64" else config.cameras for name, config in PRESETS.items()
}
"""The cameras of the published video script, by release: of the cars a closer view than the trained one."""

ORBITS: dict[str, tuple[float, tuple[float, float, float]]] = {
    name: (cameras.radius, cameras.pivot) for name, cameras in VIDEO_CAMERAS.items()
}
"""What a release's own file says of cameras, `avg_camera_radius` and `avg_camera_pivot`, by release: the video script's orbit."""


def preset(name: str) -> GeneratorConfig:
    """The configuration of a published release.

    Raises:
        CheckpointError: no release has that name.
    """
    if name not in PRESETS:
        raise CheckpointError(f"preset {name!r}: expected one of {', '.join(sorted(PRESETS))}; pass one of these names")
    return PRESETS[name]
