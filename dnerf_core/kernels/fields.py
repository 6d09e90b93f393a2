"""What the fused kernels read of a family's packed field: planes, and a decoder of two layers. A family that has it names "triton"."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from dnerf_core.rendering.packed_planes import PackedPlanes


class PlaneDecoder(Protocol):
    """softplus between two linear layers of H hidden activations; colours go through EG3D's scaled sigmoid."""

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
    """The radiance field of one subject whose features at a point are the sum over planes of bilinear reads."""

    @property
    def planes(self) -> PackedPlanes:
        """The planes."""

    @property
    def decoder(self) -> PlaneDecoder:
        """What follows."""
