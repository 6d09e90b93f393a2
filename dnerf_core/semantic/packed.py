"""The semantic tri-plane of one subject, packed so that it is read with the taps of the radiance field."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dnerf_core.backbone.protocols import SubjectField, Taps, TapTable
from dnerf_core.rendering.softplus import softplus_
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.triplane import ProjectedPlanes


@dataclass(frozen=True)
class PackedSemantics:
    """One subject's projected planes, packed by its field, and the branch that made them."""

    branch: SemanticBranch
    table: TapTable

    @classmethod
    def pack(cls, branch: SemanticBranch, projected: ProjectedPlanes, field: SubjectField) -> PackedSemantics:
        """From the projected planes of one subject, and the field whose taps they are read with."""
        side = projected.resolution
        pictures = projected.table[0].view(side, side, branch.triplane.num_planes, -1).permute(2, 0, 1, 3)
        return cls(branch, field.table(pictures))

    def hidden(self, taps: Taps) -> Tensor:
        """Hidden activations [N, 64] of points' taps."""
        return softplus_(self.table.read(taps).add_(self.branch.hidden_bias))
