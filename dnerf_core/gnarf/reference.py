"""GNARF's literal method: slow and plain. The judge of the fast path, never part of production.

As EG3D's (`generator.reference`), but that every sample is carried to canonical space before the planes are read, and that nothing counts
before and past the clip mesh. The projectors and the rasterised clip mesh are the same function on both sides.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.generator.reference import LiteralSubject, literal_triplane, literal_values, read_plane
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.gnarf.planes import BodyPlanes
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.semantic.branch import SemanticBranch


class LiteralBody(LiteralSubject):
    """One posed subject, ready to be seen by the literal method."""

    def __init__(self, generator: Gnarf, branch: SemanticBranch | None, planes: BodyPlanes) -> None:
        """planes: of one subject."""
        self.generator, self.branch, self.planes = generator, branch, planes
        self.plane_features = planes.canonical.triplane[0]
        own = None if branch is None else literal_triplane(branch, planes.canonical)
        self.semantic_planes = None if own is None else [plane[0] for plane in own]

    def _decode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [M, S] and colours [M, S, C]: carried to canonical space, then as EG3D's."""
        field = self.generator.config.triplane
        place, void = self.planes.warp(points.reshape(-1, 3), None)
        reads = [
            read_plane(plane, place * 2 / field.box_warp, axes)
            for plane, axes in zip(self.plane_features, field.plane_axes, strict=True)
        ]
        out = self.generator.decoder.net(torch.stack(reads).mean(dim=0).t())
        density, color = out[:, 0] - 1000.0 * void, torch.sigmoid(out[:, 1:]) * 1.002 - 0.001
        return density.reshape(points.shape[:2]), color.reshape(*points.shape[:2], -1)

    def _counted(self, density: Tensor, distances: Tensor, rays: RayBundle) -> Tensor:
        warp = self.generator.config.warp
        if warp.mask == "none" or (warp.mask == "cube" and not warp.project_inside_only):
            return density
        start, end = (rays.start, rays.end) if rays.within is None else rays.within
        inside = (distances >= start[:, None]) & (distances <= end[:, None])
        return torch.where(inside, density, density - 1000.0)

    def _semantics_at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        assert self.branch is not None
        assert self.semantic_planes is not None
        return literal_values(self.branch, self.semantic_planes, self.planes.warp(points, None)[0])
