"""The samples of a labelled view, kept through a training in 4 bytes each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.rendering.volume import RayBundle
from dnerf_core.semantic.visibility import VisibleSamples

_LEVELS = 65535
"""Steps of a ray's range that a distance is rounded to: below 1% of a texel's side at full size."""

_RANGE = 1.5
"""What the steps cover, in lengths from start to end: the last bin's midpoint lies half a bin past the end, with two bins or more."""


@dataclass(frozen=True, eq=False)
class KeptSamples:
    """The visible samples of one view at raw resolution R: what is left of their points is where they lie on their rays.

    Attributes:
        resolution: R.
        counts: int32 [R*R], samples a ray.
        place: int16 [K], from -32768 at a ray's start to 32767 at 1.5 times the way to its end.
        weight: float16 [K], the RGB branch's.
        per_ray: samples of each ray that has any, when the branch has its own density (then their distances are asked for); else None.
    """

    resolution: int
    counts: Tensor
    place: Tensor
    weight: Tensor
    per_ray: int | None

    @classmethod
    def from_visible(cls, visible: VisibleSamples, rays: RayBundle) -> KeptSamples:
        """The samples of one view along its rays (all R*R), ready to be kept."""
        assert visible.views == 1
        ray = visible.ray
        along = ((visible.points - rays.origins[ray]) * rays.directions[ray]).sum(dim=1)
        share = (along - rays.start[ray]) / (_RANGE * (rays.end - rays.start)[ray])
        place = ((share.clamp(0, 1) * _LEVELS).round() - 32768).to(torch.int16)
        counts = torch.bincount(ray, minlength=visible.num_rays).int()
        per_ray = None if visible.distances is None else visible.distances.shape[1]
        return cls(visible.resolution, counts, place, visible.weight.half(), per_ray)

    def samples(self, rays: RayBundle) -> VisibleSamples:
        """The samples again."""
        every = torch.arange(len(self.counts), device=self.counts.device)
        ray = every.repeat_interleave(self.counts, output_size=len(self.place))
        share = (self.place.to(rays.start.dtype) + 32768) / _LEVELS
        along = rays.start[ray] + share * (_RANGE * (rays.end - rays.start)[ray])
        points = rays.origins[ray] + along[:, None] * rays.directions[ray]
        distances = None if self.per_ray is None else along.reshape(-1, self.per_ray)
        return VisibleSamples(1, self.resolution, ray, points, self.weight.to(points.dtype), distances)

    def of_rays(self, inside: Tensor, ray: Tensor) -> KeptSamples:
        """Those of a square of rays, which are the ones `inside`, bool [R*R], and `ray`, int64 and rising, as a view of its own."""
        kept = inside.repeat_interleave(self.counts, output_size=len(self.place)).nonzero()[:, 0]
        counts = self.counts[ray]
        return KeptSamples(math.isqrt(len(counts)), counts, self.place[kept], self.weight[kept], self.per_ray)

    @property
    def num_bytes(self) -> int:
        """Memory of all of it."""
        return sum(x.numel() * x.element_size() for x in (self.counts, self.place, self.weight))
