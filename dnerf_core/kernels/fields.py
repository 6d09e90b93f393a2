"""What the fused kernels read of a family's packed field: planes or grids, and a decoder of two layers. A family that has it names
"triton".
"""

from __future__ import annotations

from typing import Literal, Protocol

from torch import Tensor

from dnerf_core.rendering.packed.grids import PackedGrids
from dnerf_core.rendering.packed.planes import PackedPlanes
from dnerf_core.rendering.sample_reading import Samples

ColorActivation = Literal["sigmoid", "lrelu", "none"]
"""What colours go through: EG3D's scaled sigmoid, StyleGAN2's leaky ReLU, or nothing."""


class PlaneDecoder(Protocol):
    """softplus between two linear layers of H hidden activations."""

    @property
    def first(self) -> Tensor:
        """[C, H], of the sum over planes."""

    @property
    def first_bias(self) -> Tensor:
        """[H]."""

    @property
    def density(self) -> Tensor:
        """[H]: hidden activations to raw density."""

    @property
    def density_bias(self) -> Tensor:
        """A single number."""

    @property
    def color(self) -> Tensor:
        """[H, C]: hidden activations to colour features."""

    @property
    def color_bias(self) -> Tensor:
        """[C]."""


class PlaneField(Protocol):
    """The radiance field of one subject whose features at a point are the sum over planes or grids of linear reads."""

    @property
    def planes(self) -> PackedPlanes | PackedGrids:
        """The planes or grids."""

    @property
    def decoder(self) -> PlaneDecoder:
        """What follows."""

    @property
    def color_activation(self) -> ColorActivation:
        """What colours go through."""

    def placed(self, samples: Samples) -> tuple[Samples, Tensor | None]:
        """Samples of rays as places of the planes: as they are, or carried there, K rays of one sample each; and which of the K are void,
        bool [K] (None: none)."""

    def without_void(self, raw_density: Tensor, void: Tensor) -> Tensor:
        """Raw densities [K] as views have them where some are void."""
