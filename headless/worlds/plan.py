"""What a `world` call is going to make, as data: a plan of views that also tells its world and its photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dnerf_core.photographs.strengths import Level
from headless.datasets.plan import ViewPlan


@dataclass(frozen=True)
class WorldPlan(ViewPlan):
    """A `ViewPlan` of an exact world, which stands in for the model.

    Attributes:
        photograph: how strongly pictures are made photographs, see `dnerf_core.photographs.strengths.draw_strengths`.
    """

    photograph: Level = "none"

    @property
    def world(self) -> str:
        """The world's name, one of `dnerf_core.demo.exact_worlds.EXACT_WORLDS`."""
        return self.model_name

    def to_json(self) -> dict[str, Any]:
        """See `ViewPlan.to_json`; what only models have is left out."""
        data = super().to_json()
        for key in ("model_name", "truncation", "exact", "reject_uncertain", "consistent"):
            del data[key]
        return {"world": self.world, "world_sha256": data.pop("model_sha256"), **data}
