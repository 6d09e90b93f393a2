"""Reading a view's samples: what the renderer asks of whatever does it, and plain torch, which is the reference and the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import SubjectField
from dnerf_core.rendering.guided import points_along
from dnerf_core.rendering.segments import segment_sum
from dnerf_core.semantic.packed import PackedSemantics


@dataclass(frozen=True)
class Samples:
    """K samples along M rays.

    Attributes:
        origins, directions: [3, M], world frame; directions of unit length.
        distances: [M, S], along the unit ray.
        place: int64 [K], increasing, which of the M * S samples (row-major) they are; None: all of them, K = M * S.
    """

    origins: Tensor
    directions: Tensor
    distances: Tensor
    place: Tensor | None

    def place_of(self, keep: Tensor | None) -> Tensor:
        """Which of the M * S samples those are that `keep` (int64 [L], into the K; None: all K) names."""
        if keep is None:
            return torch.arange(self.distances.numel(), device=self.distances.device) if self.place is None else self.place
        return keep if self.place is None else self.place[keep]

    def ray_of(self, keep: Tensor | None) -> Tensor:
        """The ray, int64 [L], of the samples that `keep` (int64 [L], into the K; None: all K) names."""
        return self.place_of(keep).div(self.distances.shape[1], rounding_mode="floor")

    def points(self) -> Tensor:
        """World points [3, K]."""
        if self.place is None:
            return points_along(self.origins, self.directions, self.distances)
        ray = self.place.div(self.distances.shape[1], rounding_mode="floor")
        return self.origins[:, ray] + self.distances.flatten()[self.place] * self.directions[:, ray]


class SampleReader(Protocol):
    """What reads K samples of a field, and of its semantics if there are any."""

    def __init__(self, field: Any, semantics: PackedSemantics | None, samples: Samples) -> None:
        """field: a `SubjectField`, of a family that names these kernels."""

    def raw_density(self) -> Tensor:
        """Raw density [K] of every sample; asked for first."""
        ...

    def color_sums(self, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
        """Weighted sums [M, C] of colour features, each ray's in the order of its samples.

        Args:
            keep: int64 [L], increasing, which of the K samples; None: all, L = K; weights: [L]; ray: int64 [L], `Samples.ray_of(keep)`.
        """
        ...

    def hidden_sums(self, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
        """Weighted sums [M, 64] of the semantics' hidden activations; arguments as `color_sums`."""
        ...


class TorchSamples:
    """Plain torch; the taps of all samples and their hidden activations stay in memory from the first step to the last."""

    def __init__(self, field: SubjectField, semantics: PackedSemantics | None, samples: Samples) -> None:
        self.field, self.semantics, self.rays = field, semantics, samples.distances.shape[0]
        self.taps = field.taps(samples.points())
        self.hidden = field.hidden(self.taps)

    def raw_density(self) -> Tensor:
        """Raw density [K] of every sample."""
        return self.field.raw_density(self.hidden, self.taps)

    def color_sums(self, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
        """Weighted sums [M, C] of colour features."""
        hidden = self.hidden if keep is None else self.hidden[keep]
        return segment_sum(self.field.colors(hidden), weights, ray, self.rays)

    def hidden_sums(self, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
        """Weighted sums [M, 64] of the semantics' hidden activations."""
        assert self.semantics is not None
        taps = self.taps if keep is None else self.taps.select(keep)
        return segment_sum(self.semantics.hidden(taps), weights, ray, self.rays)
