"""The fused kernels as the renderer asks for them. Importing this imports Triton."""

from __future__ import annotations

from torch import Tensor

from dnerf_core.kernels.density import raw_density
from dnerf_core.kernels.fields import PlaneField
from dnerf_core.kernels.sums import color_sums, hidden_sums
from dnerf_core.rendering.sample_reading import Samples
from dnerf_core.semantic.packed import PackedSemantics


class TritonSamples:
    """As `TorchSamples`, to float32 rounding; what is read of a sample is read again where it is needed again, and never stored."""

    def __init__(self, field: PlaneField, semantics: PackedSemantics | None, samples: Samples) -> None:
        self.field, self.semantics, self.rays = field, semantics, len(samples.distances)
        self.placed, self.void = field.placed(samples)

    def raw_density(self) -> Tensor:
        """Raw density [K] of every sample."""
        raw = raw_density(self.field, self.placed)
        return raw if self.void is None else self.field.without_void(raw, self.void)

    def color_sums(self, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
        """Weighted sums [M, C] of colour features."""
        return color_sums(self.field, self.placed, keep, weights, ray, self.rays)

    def hidden_sums(self, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
        """Weighted sums [M, 64] of the semantics' hidden activations."""
        assert self.semantics is not None
        return hidden_sums(self.semantics, self.placed, keep, weights, ray, self.rays)
