"""The radiance field of posed bodies, and the canonical one that it is read from."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.generator.eg3d import Decoder
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.gnarf.planes import BodyPlanes, Warp, stretched
from dnerf_core.rendering.triplane import plane_table, sample_planes
from dnerf_core.rendering.volume import VOID


class CanonicalField:
    """The field of B subjects' planes as they are, in canonical space; a `backbone.protocols.Field` of canonical points [N, 3]."""

    def __init__(self, triplane: Tensor, decoder: Decoder, config: GnarfConfig) -> None:
        """triplane [B, 3, C, R, R]."""
        self.table, self.size = plane_table(triplane), (triplane.shape[-2], triplane.shape[-1])
        self.decoder, self.config = decoder, config

    def in_box(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Mean plane features [N, C] at points [N, 3] of the planes' box (stretched)."""
        field = self.config.triplane
        return sample_planes(self.table, points, subject, field.plane_axes, field.box_warp, self.size) / len(field.plane_axes)

    def features(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Mean plane features [N, C]."""
        return self.in_box(stretched(points, self.config), subject)

    def raw_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Raw density [N]."""
        return self.decoder.raw_density(self.features(points, subject))

    def colors(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Colour features [N, C]."""
        return self.decoder.colors(self.features(points, subject))

    def density_and_colors(self, points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both, of one read."""
        read = self.features(points, subject)
        return self.decoder.raw_density(read), self.decoder.colors(read)


class PosedField:
    """The field of B posed subjects: their planes, read where points of the world have their canonical place."""

    def __init__(self, planes: BodyPlanes, decoder: Decoder) -> None:
        self.canonical = CanonicalField(planes.canonical.triplane, decoder, planes.config)
        self.warp = Warp(planes.bodies, planes.config)

    def raw_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Raw density [N]."""
        place, void = self.warp(points, subject)
        return voided(self.canonical.decoder.raw_density(self.canonical.in_box(place, subject)), void)

    def colors(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Colour features [N, C]."""
        place, _ = self.warp(points, subject)
        return self.canonical.decoder.colors(self.canonical.in_box(place, subject))

    def density_and_colors(self, points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both, of one warp and one read."""
        place, void = self.warp(points, subject)
        read = self.canonical.in_box(place, subject)
        return voided(self.canonical.decoder.raw_density(read), void), self.canonical.decoder.colors(read)


def voided(raw_density: Tensor, void: Tensor) -> Tensor:
    """Raw densities [N] without what is void."""
    return torch.where(void, raw_density - VOID, raw_density)
