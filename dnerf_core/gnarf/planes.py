"""The canonical tri-planes of subjects, and the bodies that carry points of their poses there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dnerf_core.backbone.protocols import TapFinder
from dnerf_core.generator.eg3d import Triplanes
from dnerf_core.gnarf.body.posed import PosedBody, pose_body
from dnerf_core.gnarf.body.tables import BodyTable
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.gnarf.warp.projectors import Projection, project
from dnerf_core.rendering.triplane import table_taps

if TYPE_CHECKING:
    from dnerf_core.semantic.config import FeatureKind


@dataclass(frozen=True, eq=False)
class BodyPlanes:
    """B subjects, each in its pose; a semantic branch reads the planes at the same canonical points (`SemanticSource`).

    Attributes:
        canonical: the tri-planes, which serve every pose.
        bodies: B posed bodies.
        shape: [B, S], coefficients of the bodies' shape that follow from the latents.
        table: the body's numbers.
        config: of the generator.
        prepared: what is made of the planes once, whatever the pose, by the name of who makes it; all poses share it.
    """

    canonical: Triplanes
    bodies: tuple[PosedBody, ...]
    shape: Tensor
    table: BodyTable
    config: GnarfConfig
    prepared: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.canonical)

    @classmethod
    def make(cls, canonical: Triplanes, pose: Tensor | None, shape: Tensor, table: BodyTable, config: GnarfConfig) -> BodyPlanes:
        """Of planes, a pose [B or 1, K + 1, 3] (None: the canonical one) and the latents' shape coefficients [B, S]."""
        return cls(canonical, _bodies(len(canonical), pose, shape, table, config), shape, table, config)

    def posed(self, pose: Tensor | None, shape: Tensor | None = None) -> BodyPlanes:
        """The same subjects in another pose [B or 1, K + 1, 3]; the planes are shared. See `PosablePlanes`."""
        bodies = _bodies(len(self), pose, self.shape if shape is None else shape, self.table, self.config)
        return dataclasses.replace(self, bodies=bodies)

    def maps(self, kind: FeatureKind) -> list[Tensor]:
        """See `SemanticSource`."""
        return self.canonical.maps(kind)

    @property
    def finder(self) -> TapFinder:
        """See `SemanticSource`; it keeps the bodies alone."""
        warp, config, resolution = Warp(self.bodies, self.config), self.config.triplane, self.canonical.triplane.shape[-1]

        def find(points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
            canonical, _ = warp(points, subject)
            return table_taps(canonical, config.plane_axes, config.box_warp, resolution)

        return find

    @property
    def warp(self) -> Warp:
        """From the posed world to the planes' box."""
        return Warp(self.bodies, self.config)


@dataclass(frozen=True, eq=False)
class Warp:
    """Posed points -> where the planes are read: canonical, stretched, in the box [-box_warp/2, box_warp/2]^3."""

    bodies: Sequence[PosedBody]
    config: GnarfConfig

    def __call__(self, points: Tensor, subject: Tensor | None) -> Projection:
        """Where points [N, 3] (world frame) of subjects int64 [N] (None: the only one) read the planes, and which are void, bool [N]."""
        settings, half = self.config.warp, self.config.triplane.box_warp / 2
        if settings.box_warp_pre_deform:
            points = points / half
        if subject is None:
            canonical, void = project(self.bodies[0], points, settings)
        else:
            canonical, void = torch.empty_like(points), torch.zeros(len(points), dtype=torch.bool, device=points.device)
            for index, body in enumerate(self.bodies):
                own = (subject == index).nonzero()[:, 0]
                if len(own):
                    moved, empty = project(body, points[own], settings)
                    canonical, void = canonical.index_copy(0, own, moved), void.index_copy(0, own, empty)
        if settings.box_warp_pre_deform:
            canonical = canonical * half
        return stretched(canonical, self.config), void


def stretched(canonical: Tensor, config: GnarfConfig) -> Tensor:
    """Canonical points [N, 3] as the planes lie."""
    stretch = config.triplane.axis_stretch
    return (
        canonical if stretch == (1.0, 1.0, 1.0) else canonical * torch.stack([canonical.new_full((), share) for share in stretch])
    )


def _bodies(count: int, pose: Tensor | None, shape: Tensor, table: BodyTable, config: GnarfConfig) -> tuple[PosedBody, ...]:
    """`count` bodies of a pose [count or 1, K + 1, 3] or the canonical one, and shape coefficients [count or 1, S]."""
    poses = None if pose is None else pose.expand(count, -1, -1)
    shapes = shape.expand(count, -1) if shape.shape[1] else None
    return tuple(
        pose_body(config.body, table, None if poses is None else poses[index], None if shapes is None else shapes[index])
        for index in range(count)
    )
