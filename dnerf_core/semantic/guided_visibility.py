"""Which points of a view the semantic decoder has to look at, found as a guided view finds them, for branches with the density prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import Backbone, Planes, SubjectField
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided_view import SeenSamples, seen_samples
from dnerf_core.rendering.limits import subject_grid
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.segments import segment_total
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.semantic.visibility import VisibleSamples, join_visible


@dataclass(frozen=True, eq=False)
class GuidedPlanes:
    """One subject's planes with what its views are guided by: the packed field and its density grid."""

    backbone: Backbone[Any]
    planes: Planes
    field: SubjectField
    grid: DensityGrid

    @classmethod
    def pack(cls, backbone: Backbone[Any], planes: Planes) -> GuidedPlanes:
        """Of planes of one subject; they are packed here."""
        field = backbone.pack(planes)
        return cls(backbone, planes, field, subject_grid(field, backbone.config))

    def samples(self, cam2world: Tensor, intrinsics: Tensor, resolution: int, weight_epsilon: float) -> VisibleSamples:
        """The samples that `rendering.guided_view` reads for the labels of a view, with the weights that it gives them.

        It takes about a tenth of the time of `visibility.density_pass` where there is little but one surface, and reads the importance
        samples alone in fog.

        Args:
            cam2world, intrinsics: [1, 4, 4] and [1, 3, 3] (OpenCV axes; normalised).
            weight_epsilon: samples of more weight are kept, scaled up so that a ray keeps its opacity.
        """
        footprint = self.grid.footprint(cam2world[0], intrinsics[0], resolution)
        pixel = None if footprint is None else footprint.nonzero()[:, 0]
        rays, hit = ray_bundle(self.backbone, self.planes, ViewRays.from_cameras(cam2world, intrinsics, resolution, pixel))
        met = hit.nonzero()[:, 0]
        rays, pixel = rays.select(met), met if pixel is None else pixel[met]
        none = pixel[:0]
        pieces = [VisibleSamples(1, resolution, none, rays.origins[none], rays.start[none])]
        for seen in seen_samples(self.field, None, self.grid, rays, self.backbone.config.rays):
            kept = _kept(seen, weight_epsilon)
            ray, place = seen.ray[kept.row], seen.samples.place_of(kept.sample)
            points = rays.origins[ray] + seen.samples.distances.flatten()[place, None] * rays.directions[ray]
            pieces.append(VisibleSamples(1, resolution, pixel[ray], points, kept.weight))
        found = join_visible(pieces)
        order = found.ray.argsort(stable=True)  # foggy rays come before the clear ones of their piece
        return VisibleSamples(1, resolution, found.ray[order], found.points[order], found.weight[order])


@dataclass(frozen=True, eq=False)
class _Kept:
    """Which of the samples that were read are kept, int64 [L], the row and the weight [L] of each."""

    sample: Tensor
    row: Tensor
    weight: Tensor


def _kept(seen: SeenSamples, weight_epsilon: float) -> _Kept:
    """Samples of some weight of the rows that lack nothing; those of the others come with the rows in whole."""
    whole = torch.ones(len(seen.ray), dtype=torch.bool, device=seen.ray.device).index_fill(0, seen.lacking, value=False)
    row = seen.samples.ray_of(None)
    sample = ((seen.own > weight_epsilon) & whole[row]).nonzero()[:, 0]
    row, weight = row[sample], seen.own[sample]
    sums = segment_total(weight, row, len(seen.ray))
    scale = seen.weights.sum(dim=1) / torch.where(sums > 0, sums, torch.ones_like(sums))
    return _Kept(sample, row, weight * scale[row])
