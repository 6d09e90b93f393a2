"""The samples that a training keeps of a view are those that a labelled view of the trained branch reads."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from dnerf_core.model import Model
from dnerf_core.pointcloud.own_cameras import own_cloud_cameras
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.limits import longest_ray
from dnerf_core.seeing.raw_view import guided_raw
from dnerf_core.semantic.guided_visibility import GuidedPlanes
from dnerf_core.semantic.visibility import VisibleSamples, density_pass
from dnerf_core.subject import Subject
from tests.core.semantic_cases import camera_tensors, tiny_camera
from tests.core.test_subject import tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")


def samples_of(subject: Subject, where: tuple[Any, Any], grid: DensityGrid | None = None) -> VisibleSamples:
    model = subject.model
    assert model.branch is not None
    guided = GuidedPlanes.pack(model.generator, subject.planes)
    if grid is not None:
        guided = dataclasses.replace(guided, grid=grid)
    return guided.samples(*where, model.config.rays.neural_resolution, model.branch.config.weight_epsilon)


@pytest.fixture(scope="module", params=["demo-cars", "demo-people", "fog"])
def seen(request: pytest.FixtureRequest) -> tuple[Subject, tuple[Any, Any]]:
    """A subject and a camera; formula weights are fog all over."""
    if request.param == "fog":
        return tiny_model(white_back=False).subject(2), camera_tensors(tiny_camera(0.4))
    model = Model.load(request.param, device="cpu")
    return model.subject(3), camera_tensors(own_cloud_cameras(model.config.cameras)[0])


@torch.no_grad()
def test_maps_of_the_samples_are_the_labelled_view(seen: tuple[Subject, tuple[Any, Any]]) -> None:
    subject, where = seen
    branch = subject.model.branch
    assert branch is not None
    found = samples_of(subject, where)
    maps = branch.maps(subject.projected, found)
    view = guided_raw(subject, *where, branch, colors=False)
    assert view.maps is not None
    torch.testing.assert_close(maps.scores, view.maps.scores, rtol=0, atol=2e-3)
    torch.testing.assert_close(maps.features, view.maps.features, rtol=0, atol=2e-3)
    assert bool((found.ray[1:] >= found.ray[:-1]).all())
    assert len(found.ray) > 500


@torch.no_grad()
def test_a_rays_weights_sum_to_its_opacity_and_labels_are_those_of_every_sample(seen: tuple[Subject, tuple[Any, Any]]) -> None:
    subject, where = seen
    branch = subject.model.branch
    assert branch is not None
    side = subject.model.config.rays.neural_resolution
    found = samples_of(subject, where)
    exact = density_pass(
        subject.model.generator, subject.planes, *where, side, dataclasses.replace(branch.config, weight_epsilon=0.0)
    )
    sums, expected = (torch.zeros(side * side).index_add(0, each.ray, each.weight) for each in (found, exact))
    assert float((sums - expected).abs().mean()) < 0.003
    labels = [branch.maps(subject.projected, each).scores.argmax(dim=1) for each in (found, exact)]
    assert float((labels[0] == labels[1]).float().mean()) > 0.99


@torch.no_grad()
def test_rays_that_a_wrong_grid_hides_are_read_in_whole() -> None:
    """A grid that claims a solid box: what lies behind its face is found, once."""
    subject = tiny_model(white_back=False).subject(2)
    rays = subject.model.config.rays
    solid = DensityGrid.build(torch.full((18, 18, 18), 2000.0), 1.6, longest_ray(rays, 1.6), 0.0)
    where = camera_tensors(tiny_camera(0.4))
    found, usual = samples_of(subject, where, solid), samples_of(subject, where)
    side = rays.neural_resolution
    sums, expected = (torch.zeros(side * side).index_add(0, each.ray, each.weight) for each in (found, usual))
    assert float(sums.max()) < 1.001
    assert float((sums - expected).abs().mean()) < 0.05
    assert float(expected.mean()) > 0.2


@torch.no_grad()
def test_a_view_past_everything_has_no_samples() -> None:
    subject = Model.load("demo-cars", device="cpu").subject(3)
    cam2world, intrinsics = camera_tensors(own_cloud_cameras(subject.model.config.cameras)[0])
    turned = cam2world.clone()
    turned[0, :3, :3] = turned[0, :3, :3] @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # half a turn about x: it looks away
    found = samples_of(subject, (turned, intrinsics))
    assert len(found.ray) == len(found.weight) == 0
    assert found.points.shape == (0, 3)
    branch = subject.model.branch
    assert branch is not None
    assert bool(
        (branch.maps(subject.projected, found).scores == branch.background[: branch.config.num_classes].view(1, -1, 1, 1)).all()
    )
