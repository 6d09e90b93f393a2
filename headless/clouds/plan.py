"""What a `pointcloud` call is going to make, as data: how views are fused, and what is written. Touches neither model nor disk."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dnerf_core.files.cloud_formats import CloudFormat
from dnerf_core.files.clouds import CloudColor
from dnerf_core.pointcloud.fusion import FusionOptions


@dataclass(frozen=True)
class CloudPlan:
    """The options of a call that decide what its results are.

    Attributes:
        source: where the views come from, as JSON values: a `ViewPlan`'s, or a folder's (`cloud_sources.FolderSource`).
        formats: what each cloud is written as, in the order of the command's help.
        color: the colours of PLY and GLB.
        voxel, points: see `FusionOptions`.
        category: ShapeNetPart's name for the objects.
    """

    source: dict[str, Any]
    formats: tuple[CloudFormat, ...]
    color: CloudColor
    voxel: float | None
    points: int | None
    category: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the source's among them."""
        own = {key: value for key, value in dataclasses.asdict(self).items() if key != "source"}
        return {**self.source, **own, "formats": list(self.formats)}

    def fusion(self) -> FusionOptions:
        """How views are fused."""
        return FusionOptions(voxel=self.voxel, points=self.points)
