"""Which points of a view the semantic decoder has to look at, found as a guided view finds them, for branches with the density prior."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import Backbone, Planes, SubjectField
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided_view import seen_samples
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.segments import segment_total
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.semantic.visibility import VisibleSamples, join_visible


def guided_samples(
    backbone: Backbone[Any],
    planes: Planes,
    field: SubjectField,
    grid: DensityGrid,
    cam2world: Tensor,
    intrinsics: Tensor,
    resolution: int,
    weight_epsilon: float,
) -> VisibleSamples:
    """The samples that `rendering.guided_view` reads of one subject for its labels, with the weights that it gives them.

    It takes about a tenth of the time of `visibility.density_pass` where there is little but one surface, and reads the importance samples
    alone in fog.

    Args:
        planes: of one subject; field, grid: packed of them.
        cam2world, intrinsics: [1, 4, 4] and [1, 3, 3] (OpenCV axes; normalised).
        weight_epsilon: samples of more weight are kept, scaled up so that a ray keeps its opacity.
    """
    footprint = grid.footprint(cam2world[0], intrinsics[0], resolution)
    pixel = None if footprint is None else footprint.nonzero()[:, 0]
    rays, hit = ray_bundle(backbone, planes, ViewRays.from_cameras(cam2world, intrinsics, resolution, pixel))
    met = hit.nonzero()[:, 0]
    rays, pixel = rays.select(met), met if pixel is None else pixel[met]
    none = pixel[:0]
    pieces = [VisibleSamples(1, resolution, none, rays.origins[none], rays.start[none])]
    for seen in seen_samples(field, None, grid, rays, backbone.config.rays):
        whole = torch.ones(len(seen.ray), dtype=torch.bool, device=pixel.device).index_fill(0, seen.lacking, value=False)
        row = seen.samples.ray_of(None)
        keep = ((seen.own > weight_epsilon) & whole[row]).nonzero()[:, 0]
        row, weight = row[keep], seen.own[keep]
        kept = segment_total(weight, row, len(seen.ray))
        scale = seen.weights.sum(dim=1) / torch.where(kept > 0, kept, torch.ones_like(kept))
        ray, place = seen.ray[row], seen.samples.place_of(keep)
        points = rays.origins[ray] + seen.samples.distances.flatten()[place, None] * rays.directions[ray]
        pieces.append(VisibleSamples(1, resolution, pixel[ray], points, weight * scale[row]))
    found = join_visible(pieces)
    order = found.ray.argsort(stable=True)  # foggy rays come before the clear ones of their piece
    return VisibleSamples(1, resolution, found.ray[order], found.points[order], found.weight[order])
