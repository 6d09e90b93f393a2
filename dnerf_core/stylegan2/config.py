"""What generators are made of whose StyleGAN2 backbone paints planes, as data: frozen dataclasses. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, Protocol

from dnerf_core.backbone.specs import LatentSpec, SourceSpec
from dnerf_core.backbone.viewing import CameraConfig, RayConfig

SuperResolutionKind = Literal["8XDC", "8X", "4X", "2X", "16X"]


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
    "16X": SuperResolutionVariant(256, 1024, (128, 64), up_first=True, shrinks_input=False),
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


class PlanesConfig(Protocol):
    """A field of planes that fill [-box_warp/2, box_warp/2]^3, read by a decoder of two layers; a frozen dataclass of the family."""

    @property
    def box_warp(self) -> float:
        """Side of the box, world units."""

    @property
    def plane_axes(self) -> tuple[str, ...]:
        """The world axes along width and height of each plane (and along depth, where it has slices), such as "xy"."""

    @property
    def hidden_dim(self) -> int:
        """Width of the decoder's hidden layer."""

    @property
    def decoder_lr_mul(self) -> float:
        """Learning-rate multiplier of the decoder's layers, which scales its weights and biases at run time."""


@dataclass(frozen=True)
class PlaneGeneratorConfig:
    """What the configurations of such families have in common; the order of fields is that of a model file's JSON.

    Attributes:
        image_size: the output's side, pixels.
        triplane: the field; the family's own.
    """

    name: str
    image_size: int = 512
    mapping: MappingConfig = field(default_factory=MappingConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    triplane: PlanesConfig = field(kw_only=True)
    rays: RayConfig = field(default_factory=RayConfig)
    superresolution: SuperResolutionConfig = field(default_factory=SuperResolutionConfig)
    cameras: CameraConfig = field(default_factory=CameraConfig)

    # what any family's configuration says of itself, see `backbone.specs.BackboneConfig`

    @property
    def box_side(self) -> float:
        """Side of the planes' cube, world units."""
        return self.triplane.box_warp

    @property
    def ray_limits(self) -> tuple[float, float] | None:
        """Between which distances from a camera rays are sampled, world units; None: wherever the subject is."""
        start, end = self.rays.ray_start, self.rays.ray_end
        return None if isinstance(start, str) or isinstance(end, str) else (start, end)

    @property
    def feature_channels(self) -> int:
        """Channels of rendered features: those of a plane, or of a slice of one."""
        return self.backbone.plane_channels

    @property
    def planes_text(self) -> str:
        """The planes, for people."""
        return (
            f"{self.backbone.resolution} px, {self.backbone.plane_channels} channels, axes {' '.join(self.triplane.plane_axes)}"
        )

    @property
    def superresolution_text(self) -> str:
        """The super-resolution, for people: the variant's name."""
        return self.superresolution.kind

    @property
    def latent(self) -> LatentSpec:
        """What makes a subject."""
        return LatentSpec(self.mapping.z_dim, self.backbone.num_ws, self.mapping.w_dim)

    @property
    def source(self) -> SourceSpec:
        """What a semantic branch reads: every block, a picture a slice of each plane."""
        backbone, scales = self.backbone, self.backbone.block_resolutions
        widths = tuple(backbone.channels(scale) for scale in scales)
        return SourceSpec(
            scales, widths, len(self.triplane.plane_axes) * self.slices, backbone.plane_channels, backbone.resolution
        )

    # of these families alone

    @property
    def slices(self) -> int:
        """Slices a plane."""
        return 1

    @property
    def image_channels(self) -> int:
        """Channels that the backbone paints: planes x slices x features."""
        return len(self.triplane.plane_axes) * self.slices * self.backbone.plane_channels
