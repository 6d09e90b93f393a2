"""What is known of a generator before it is built, as data. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dnerf_core.backbone.viewing import CameraConfig, RayConfig

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LatentSpec:
    """What makes a subject.

    Attributes:
        z_dim: of z, which a seed draws and the mapping network takes.
        num_ws, w_dim: of ws [num_ws, w_dim], which the mapping network gives.
        pose_shape: of a pose, which the family lays out; None: its subjects have none.
        shape_size: coefficients of a body's shape, which follow from ws and may be set instead (`protocols.PosablePlanes`); 0: none.
    """

    z_dim: int
    num_ws: int
    w_dim: int
    pose_shape: Shape | None = None
    shape_size: int = 0


@dataclass(frozen=True)
class SourceSpec:
    """What a semantic branch reads of a generator: pictures of several sides (scales), which are looked up at a point by taps.

    Upsampled to R and projected, they become P pictures of R x R texels; a point reads a few texels of each (`SemanticSource.finder`).
    A tri-plane has P = 3 with four texels a picture; a tri-grid has a picture a slice of each plane, with eight texels a plane.

    Attributes:
        scales: sides of the pictures, pixels, rising.
        block_channels: channels of each scale's hidden features.
        num_planes: P.
        plane_channels: channels that each scale's own output has for each of the P pictures.
        resolution: R.
    """

    scales: tuple[int, ...]
    block_channels: tuple[int, ...]
    num_planes: int
    plane_channels: int
    resolution: int

    def channels(self, scale: int) -> int:
        """Hidden channels of a scale."""
        return self.block_channels[self.scales.index(scale)]


class BackboneConfig(Protocol):
    """A family's configuration: a frozen dataclass, which may have any further fields; its JSON is `config_to_json`'s.

    Fields are ones of the dataclass; properties follow from them.
    """

    @property
    def name(self) -> str:
        """Field: the generator's name, for people."""

    @property
    def image_size(self) -> int:
        """Field: side of an image, pixels."""

    @property
    def rays(self) -> RayConfig:
        """Field: neural resolution, samples a ray, white background. Limits of "auto" are those that `Backbone.limits` finds."""

    @property
    def cameras(self) -> CameraConfig:
        """Field: where subjects are looked at from, world frame."""

    @property
    def box_side(self) -> float:
        """Property: side of the cube about the world's origin that all of a subject lies in, world units."""

    @property
    def ray_limits(self) -> tuple[float, float] | None:
        """Property: between which distances from a camera rays are sampled, world units; None: wherever the subject is."""

    @property
    def feature_channels(self) -> int:
        """Property: channels of rendered features, `RawPicture.features`."""

    @property
    def planes_text(self) -> str:
        """Property: what subjects are made of, for people, such as "256 px, 32 channels, axes xy xz zx"."""

    @property
    def superresolution_text(self) -> str:
        """Property: its super-resolution, for people, in a word."""

    @property
    def latent(self) -> LatentSpec:
        """Property: what makes a subject."""

    @property
    def source(self) -> SourceSpec:
        """Property: what a semantic branch reads."""
