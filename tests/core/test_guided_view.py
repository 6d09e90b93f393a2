"""A guided view's compositing: no pixel misses more of its colour than is said, also where the density grid is wrong."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from dnerf_core.generator.packed_field import PackedField
from dnerf_core.rendering.compositing import interval_weights
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided_view import UNREAD_WEIGHT, VALUE_EPSILON, GuidedView, guided_view
from dnerf_core.rendering.limits import longest_ray
from dnerf_core.rendering.packed.planes import PackedPlanes
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.rendering.volume import RaySamples, composite, sample_rays
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.subject import Subject
from tests.core.semantic_cases import camera_tensors, tiny_camera
from tests.core.test_subject import tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

COLOR = 1.001
"""What a decoder of a large bias answers everywhere."""


def one_colored(field: PackedField) -> PackedField:
    """The field with the same colour everywhere, so that a pixel's colour is the share of its light that was read."""
    bias = torch.full_like(field.decoder.color_bias, 40.0)
    return dataclasses.replace(field, decoder=dataclasses.replace(field.decoder, color=field.decoder.color * 0, color_bias=bias))


def view_with(subject: Subject, field: PackedField, grid: DensityGrid, semantics: PackedSemantics | None = None) -> GuidedView:
    model, side = subject.model, subject.model.config.rays.neural_resolution
    rays, hit = ray_bundle(model.generator, subject.planes, ViewRays.from_cameras(*camera_tensors(tiny_camera(0.4)), side))
    pixel = hit.nonzero()[:, 0]
    return guided_view(field, semantics, grid, rays.select(pixel), pixel, side, model.config.rays)


def color_of(view: GuidedView) -> Tensor:
    """[R, R], lowest of the channels."""
    assert view.color is not None
    return view.color.amin(dim=1).view_as(view.opacity)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return tiny_model(white_back=False).subject(2)


@pytest.mark.parametrize("nodes", [3, 6, 12, 64])
@torch.no_grad()
def test_all_light_is_colored(subject: Subject, nodes: int) -> None:
    """Also with grids so coarse that their walls are nowhere near the field's."""
    grid = subject.field.density_grid(nodes, longest_ray(subject.model.config.rays, 1.6), 0.0)
    view = view_with(subject, one_colored(subject.field), grid)
    missing = view.opacity - color_of(view) / COLOR
    samples = subject.model.config.rays.samples_coarse + subject.model.config.rays.samples_fine
    assert float(missing.max()) <= UNREAD_WEIGHT + samples * VALUE_EPSILON + 1e-5
    assert float((view.opacity > 0.9).float().mean()) > 0.2


@torch.no_grad()
def test_a_wall_that_is_only_the_grids_hides_nothing(subject: Subject) -> None:
    """A grid that claims a solid box: all that is behind its face is hidden, and read all the same, because the light gets there."""
    solid = DensityGrid.build(torch.full((18, 18, 18), 2000.0), 1.6, longest_ray(subject.model.config.rays, 1.6), 0.0)
    view = view_with(subject, one_colored(subject.field), solid)
    missing = view.opacity - color_of(view) / COLOR
    assert float(missing.max()) <= UNREAD_WEIGHT + 32 * VALUE_EPSILON + 1e-5


@torch.no_grad()
def test_rays_read_in_whole_are_what_the_field_says_there(subject: Subject) -> None:
    """Where a solid grid sends all rays to be read again: opacity and colours from every sample at the plan's own distances."""
    solid = DensityGrid.build(torch.full((18, 18, 18), 2000.0), 1.6, longest_ray(subject.model.config.rays, 1.6), 0.0)
    view, generator = view_with(subject, subject.field, solid), subject.model.generator
    rays, hit = ray_bundle(generator, subject.planes, ViewRays.from_cameras(*camera_tensors(tiny_camera(0.4)), 32))
    pixel = hit.nonzero()[:, 0]
    bundle, field = rays.select(pixel), generator.field(subject.planes)
    distances = sample_rays(lambda points, _: solid.estimate(points.t().contiguous())[0], bundle, 16, 16).distances
    raw = field.raw_density(bundle.points(distances).reshape(-1, 3), None).view_as(distances)
    expected = RaySamples(distances, interval_weights(distances, raw))
    torch.testing.assert_close(view.opacity.flatten()[pixel], expected.opacity, rtol=0, atol=1e-3)
    assert view.color is not None
    colors = view.color[pixel]
    # colours are not read under a weight of 1e-4, 32 times at most
    torch.testing.assert_close(colors, composite(field.colors, bundle, expected), rtol=0, atol=UNREAD_WEIGHT)
    assert expected.opacity.std() > 0.3


@torch.no_grad()
def test_semantics_make_up_for_the_samples_that_are_left_out(subject: Subject) -> None:
    """With the same scores everywhere a ray has its opacity's share of them, and the background the rest; or it is background."""
    branch, planes = subject.semantics.branch, subject.semantics.table
    assert isinstance(planes, PackedPlanes)
    same = PackedSemantics(branch, dataclasses.replace(planes, table=torch.ones_like(planes.table)))
    view = view_with(subject, subject.field, subject.grid, same)
    assert view.semantic_map is not None
    found, opacity = view.semantic_map[0].flatten(1).t(), view.opacity.flatten()[:, None]
    hidden = torch.nn.functional.softplus(len(planes.axes) + branch.hidden_bias)  # each plane reads 1, its rim too
    scores = hidden @ branch.out_weight.t() / 8 + branch.out_bias
    expected = opacity * scores + (1 - opacity) * branch.background
    lit = opacity[:, 0] > 32 * branch.config.weight_epsilon  # then some sample is above it
    assert lit.float().mean() > 0.3
    torch.testing.assert_close(found[lit], expected[lit], rtol=0, atol=1e-3)
    dark = opacity[:, 0] == 0
    torch.testing.assert_close(found[dark], branch.background.expand(int(dark.sum()), -1))
