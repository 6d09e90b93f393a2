"""What every family's module does with the published weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dnerf_core.backbone.poses import RiggedPoints
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.errors import CheckpointError


class PublishedWeights(nn.Module):
    """A generator whose state has the published names."""

    config: BackboneConfig

    def load_published(self, state: dict[str, Tensor]) -> None:
        """Load a flat published state; the FIR filters in it are constants and are passed over.

        Raises:
            CheckpointError: a missing or surplus tensor, or one of another shape.
        """
        wanted = {name: tensor for name, tensor in state.items() if not name.endswith("resample_filter")}
        own = self.state_dict()
        for name in sorted(own.keys() | wanted.keys()):
            expected = tuple(own[name].shape) if name in own else None
            found = tuple(wanted[name].shape) if name in wanted else None
            if expected != found:
                raise CheckpointError(
                    f"tensor {name}: expected shape {expected}, found {found}; the weights are not of {self.config.name}"
                )
        # the tensors take the place of the module's own, which may have been made on "meta" and never filled
        self.load_state_dict(wanted, assign=True)

    def joints(self, planes: Any) -> Tensor | None:
        """Where the joints of the subjects are, [B, K, 3], world frame; a family whose subjects move has them."""
        return None

    def posed_vertices(self, planes: Any) -> Tensor | None:
        """Where the vertices of the subjects' template mesh are, [B, V, 3], world frame; a family whose subjects are bodies has them."""
        return None

    def vertices_in(self, ws: Tensor, pose: Tensor) -> Tensor | None:
        """None: it has none."""
        return None

    def rig(self, planes: Any, points: Tensor) -> RiggedPoints | None:
        """Points of a subject's surface with the skeleton that moves them; a family whose subjects move has one."""
        return None

    def canonical(self, planes: Any, points: Tensor) -> Tensor | None:
        """Points of a subject in its canonical pose; a family whose subjects move has one."""
        return None
