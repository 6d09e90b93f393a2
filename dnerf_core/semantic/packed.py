"""The semantic tri-plane of one subject, packed so that it is read with the taps of the radiance field."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dnerf_core.generator.packed_field import softplus_
from dnerf_core.rendering.packed_planes import PackedPlanes, Taps
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.triplane import ProjectedPlanes


@dataclass(frozen=True)
class PackedSemantics:
    """One subject's projected planes as a `PackedPlanes`, and the branch that made them."""

    branch: SemanticBranch
    planes: PackedPlanes

    @classmethod
    def pack(cls, branch: SemanticBranch, projected: ProjectedPlanes) -> PackedSemantics:
        """From the projected planes of one subject."""
        field, side = branch.generator_config.triplane, projected.resolution
        pictures = projected.table[0].view(side, side, len(field.plane_axes), -1).permute(2, 0, 1, 3)
        return cls(branch, PackedPlanes.pack(pictures, field.plane_axes, field.box_warp))

    def hidden(self, taps: Taps) -> Tensor:
        """Hidden activations [N, 64] of points' taps."""
        return softplus_(self.planes.read(taps).add_(self.branch.hidden_bias))
