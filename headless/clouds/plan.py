"""What a `pointcloud` call is going to make, as data: how views are fused, and what is written. Touches neither model nor disk."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dnerf_core.files.cloud_formats import CloudFormat
from dnerf_core.files.clouds import CloudColor
from dnerf_core.pointcloud.fusion import FusionOptions
from headless.datasets.splits import Splits, format_splits, split_of


@dataclass(frozen=True)
class CloudPlan:
    """The options of a call that decide what its results are.

    Attributes:
        source: where the views come from, as JSON values: a `ViewPlan`'s, or a folder's (`cloud_sources.FolderSource`).
        formats: what each cloud is written as, in the order of the command's help.
        color: the colours of PLY and GLB.
        voxel, points: see `FusionOptions`.
        category: ShapeNetPart's name for the objects.
        splits: what subjects are dealt out to, as data sets have it (`headless.datasets.splits`).
    """

    source: dict[str, Any]
    formats: tuple[CloudFormat, ...]
    color: CloudColor
    voxel: float | None
    points: int | None
    category: str
    splits: Splits = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the source's among them."""
        own = {key: value for key, value in dataclasses.asdict(self).items() if key != "source"}
        by_name = {"part_numbers": "the benchmark's"} if "shapenetpart" in self.formats and self.category == "Car" else {}
        return {**self.source, **own, **by_name, "formats": list(self.formats), "splits": format_splits(self.splits)}

    def split_of(self, name: str) -> str:
        """The split of an object by its name, such as `s0003` or `s0003_p01`; "" where there are no splits."""
        return split_of(self.splits, int(name[1:].partition("_")[0])) if self.splits else ""

    def fusion(self) -> FusionOptions:
        """How views are fused."""
        return FusionOptions(voxel=self.voxel, points=self.points)
