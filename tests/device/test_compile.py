"""The two halves of a view on a device, before and after the number of samples is known, are one graph each, whatever that number.

torch.compile traces them here on the CPU, with the branches that a CUDA device takes: nothing in them asks for a number.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.camera import arc_cameras
from dnerf_core.convolutions.forms import FLOAT32
from dnerf_core.rendering import segments
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.depth import planar_depth
from dnerf_core.rendering.final_picture import uint8_pixels
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.seeing.device_view import DeviceView, RayPlan, plan_rays, read_plan
from dnerf_core.semantic.branch import label_mask
from dnerf_core.subject import Subject
from tests.device.models import FAMILIES

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def branches_of_a_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `is_cuda` would choose, and nothing compiled before."""

    def softplus(x: Tensor, *, bounded: bool = False) -> Tensor:
        return F.softplus(x)

    for module in ("dnerf_core.generator.packed_field", "dnerf_core.semantic.packed"):
        monkeypatch.setattr(f"{module}.softplus_", softplus)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(segments, "run_starts", segments.searched_starts)
    monkeypatch.setattr("dnerf_core.seeing.device_view.segment_total", segments.summed_total)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def seen(name: str) -> tuple[Subject, tuple[Tensor, Tensor], RayBundle, Tensor]:
    """A subject, and its rays from somewhere."""
    model = FAMILIES[name]()
    model.convolutions = FLOAT32
    subject = model.subject(1)
    with model.inference():
        subject.prepare()
        where = camera_tensors(arc_cameras(model.config.cameras, (25, 25), (10, 10), count=1)[0])
        rays, hit = ray_bundle(
            model.generator, subject.planes, ViewRays.from_cameras(*where, model.config.rays.neural_resolution)
        )
    return subject, where, rays, hit


@pytest.mark.parametrize("name", ["fog", "cloud", "head"])
@torch.no_grad()
def test_both_halves_are_one_graph_each(name: str) -> None:
    subject, (_, intrinsics), rays, hit = seen(name)
    model, settings = subject.model, subject.model.config.rays
    branch = model.branch
    assert branch is not None

    def plan_of(rays: RayBundle, hit: Tensor) -> RayPlan:
        return plan_rays(subject.grid, rays, hit, settings.samples_coarse, settings.samples_fine)

    def picture(plan: RayPlan, place: Tensor) -> tuple[DeviceView, Tensor, Tensor, Tensor]:
        view = read_plan(subject.field, subject.semantics, plan, place)
        side, pixels = settings.neural_resolution, view.pixels
        assert pixels.color is not None and pixels.semantic is not None
        raw = model.generator.compose(pixels.color, pixels.opacity, subject.planes, side)
        maps = branch.split_map(pixels.semantic.view(1, side, side, -1).permute(0, 3, 1, 2))
        scores = model.prepared_refiner(maps.scores, maps.features)
        square = (1, side, side)
        depth = planar_depth(pixels.distance.view(square), pixels.opacity.view(square), intrinsics, 96, model.config.box_side)
        image = uint8_pixels(subject.superresolution(raw), model.config.image_size)
        return view, image, label_mask(scores), depth

    planned = plan_of(rays, hit)
    place = planned.read.flatten().nonzero()[:, 0]
    expected = picture(planned, place)
    first = torch.compile(plan_of, backend="eager", fullgraph=True)(rays, hit)
    assert torch.equal(first.read, planned.read) and torch.equal(first.distances, planned.distances)
    compiled = torch.compile(picture, backend="eager", fullgraph=True, dynamic=False)
    torch._dynamo.mark_dynamic(place, 0)
    found = compiled(first, place)
    for one, other in zip(expected[1:], found[1:], strict=True):
        assert torch.equal(one, other)
    assert torch.equal(expected[0].pixels.opacity, found[0].pixels.opacity)
    # another number of samples takes the same graph
    fewer = first.read.clone()
    fewer[: len(fewer) // 2] = False
    less = RayPlan(first.rays, first.distances, first.estimate, fewer, fewer.any(dim=1), first.clear)
    with torch.compiler.set_stance("fail_on_recompile"):
        again = compiled(less, fewer.flatten().nonzero()[:, 0])
    assert not torch.equal(again[0].pixels.opacity, found[0].pixels.opacity)
