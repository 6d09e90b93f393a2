"""Bodies on any device: nothing is made on another than the inputs', and a GPU's numbers are the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.gnarf.config import WarpConfig
from dnerf_core.gnarf.planes import BodyPlanes
from dnerf_core.gnarf.warp.projectors import project
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import render_view
from tests.core.gnarf.cases import bent, tiny_config, tiny_generator, worm_rig
from tests.core.gnarf.test_views import config_of, model_of, orbit
from tests.core.gnarf.test_warp import PROJECTORS, body_of, near
from tests.core.semantic_cases import camera_tensors

pytestmark = pytest.mark.usefixtures("one_thread")
RIG = worm_rig()


@pytest.mark.parametrize("projector", PROJECTORS)
def test_projectors_make_nothing_elsewhere(projector: Any) -> None:
    """With "meta" for the usual device, what is made without saying where cannot be joined with the rest."""
    body = body_of(RIG, bent(RIG))
    points = near(body, 50)
    with torch.device("meta"):
        found, void = project(body, points, WarpConfig(projector, reach=0.05))
    expected, _ = project(body_of(RIG, bent(RIG)), points, WarpConfig(projector, reach=0.05))
    torch.testing.assert_close(found, expected)
    assert void.device == points.device


@pytest.mark.parametrize("projector", ["surface_field", "closest"])
@torch.no_grad()
def test_limits_fields_and_grids_make_nothing_elsewhere(projector: str) -> None:
    rig = worm_rig(shapes=1)
    generator = tiny_generator(rig, tiny_config(rig, projector=projector))
    ws, pose = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(1)), bent(rig).expand(2, -1, -1)
    cam2world, intrinsics = camera_tensors(orbit(generator.config)[1])
    rays = ViewRays.from_cameras(cam2world.expand(2, -1, -1), intrinsics.expand(2, -1, -1), 16)
    points, subject = torch.full((6, 3), 0.05), torch.tensor([0, 1, 0, 1, 1, 0])
    triplanes = generator.planes(ws).canonical
    with torch.device("meta"):
        generator.body._table = None
        planes = BodyPlanes.make(triplanes, pose, generator.shape(ws), generator.body.table(), generator.config)
        limits = generator.limits(rays, planes)
        raw, color = generator.field(planes).density_and_colors(points, subject)
        rows, weights = planes.finder(points, subject)
    for tensor in (limits.start, limits.end, limits.hit, raw, color, rows, weights):
        assert tensor.device.type == "cpu"
    assert limits.hit.any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, torch sees none")
@pytest.mark.parametrize("projector", ["surface_field", "closest", "skinning"])
def test_a_posed_view_on_a_gpu_is_the_cpus(projector: str) -> None:
    reach = 0.05 if projector == "closest" else None
    model = model_of(config_of(projector=projector, reach=reach))
    camera, seen = orbit(model.config)[1], []
    for device in ("cpu", "cuda"):
        model.generator.to(torch.device(device))
        with torch.no_grad():
            ws = torch.randn(1, 8, 32, generator=torch.Generator().manual_seed(1)).to(device)
            planes = model.generator.planes(ws, bent(RIG).to(device))
            cam2world, intrinsics = (tensor.to(device) for tensor in camera_tensors(camera))
            rendering = render_view(model.generator, planes, cam2world, intrinsics)
            grid = model.generator.pack(planes).density_grid(16, 3.0, None)
        seen.append([x.cpu().numpy() for x in (rendering.raw.image, rendering.opacity, grid.values)])
    for expected, found, most in zip(*seen, (1e-3, 1e-3, 1.0), strict=True):
        assert np.quantile(np.abs(expected - found), 0.99) < most
