"""The same subjects as if they could not move: their canonical planes read where points are. What a posed view's time is held against."""

from __future__ import annotations

import dataclasses

from dnerf_core.backbone.protocols import RayLimits
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.gnarf.planes import BodyPlanes
from dnerf_core.gnarf.warp.limits import posed_limits
from dnerf_core.model import Model
from dnerf_core.rendering.rays import ViewRays


class RigidGnarf(Gnarf):
    """No point is carried anywhere; rays are cut by the clip mesh, found as the moving subject's is, of the canonical pose."""

    def limits(self, view: ViewRays, planes: BodyPlanes) -> RayLimits:
        """See `Gnarf.limits`."""
        warp = dataclasses.replace(self.config.warp, projector="closest")
        return posed_limits(view, planes.bodies, dataclasses.replace(self.config, warp=warp))


def rigid_model(model: Model) -> Model:
    """A model of this family with the same weights, whose subjects do not move."""
    generator = model.generator
    assert isinstance(generator, Gnarf)
    config = dataclasses.replace(generator.config, warp=dataclasses.replace(generator.config.warp, projector="none"))
    rigid = RigidGnarf(config)
    rigid.load_state_dict(generator.state_dict(), assign=True)
    rigid.eval().requires_grad_(False)
    header: ModelHeader = dataclasses.replace(model.header, generator_config=config)
    return Model(rigid, model.branch, header, model.sha256, model.device)
