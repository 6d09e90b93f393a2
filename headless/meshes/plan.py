"""What a `mesh` call is going to make, as data. Touches neither model nor disk."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dnerf_core.files.clouds import CloudColor
from dnerf_core.files.meshes.formats import MeshFormat
from dnerf_core.mesh.options import MeshOptions


@dataclass(frozen=True)
class MeshPlan:
    """The options of a call that decide what its results are.

    Attributes:
        source: the views that paint the meshes, as a `ViewPlan`'s JSON values.
        formats: what each mesh is written as, in the order of the command's help.
        color: the vertices' colours.
        options: how the surfaces are made.
        rigged: whether meshes lie at rest, with the skeleton that moves them; what tells of it is among `source`.
    """

    source: dict[str, Any]
    formats: tuple[MeshFormat, ...]
    color: CloudColor
    options: MeshOptions
    rigged: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the source's among them."""
        return {**self.source, "formats": list(self.formats), "color": self.color, **dataclasses.asdict(self.options)}
