"""Edges of pictures larger than neural resolution see by rays of their own: `RayConfig.edge_rays`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from dnerf_core.backbone.config_json import config_from_json, config_to_json
from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.model import Model
from dnerf_core.rendering.depth import SAME_SURFACE, coarse_edges, edge_pixels, ray_cosines, solid_depth
from dnerf_core.semantic.config import RefinerConfig, SemanticConfig
from dnerf_core.subject import Subject
from headless.bench.literal_view import literal_channels, literal_subject
from tests.core.semantic_cases import camera_tensors
from tests.core.test_subject import CAMERA, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

BILINEAR = SemanticConfig(refiner=RefinerConfig(kind="bilinear"))


def pair(config: SemanticConfig = BILINEAR) -> tuple[Subject, Subject]:
    """One subject of a model as it was, and of one that gives edges rays of their own."""
    return tiny_model(config).subject(2), tiny_model(config, edge_rays=True).subject(2)


def test_edges_are_where_neighbours_see_different_surfaces() -> None:
    depth = torch.full((1, 4, 4), torch.inf)
    depth[0, 1:3, 1:3] = 2.0
    depth[0, 2, 2] = 2.5
    found = torch.zeros(64, dtype=torch.bool)
    found[edge_pixels(depth, 8, 0.1)] = True
    expected = torch.zeros(8, 8, dtype=torch.bool)
    # rays at 0.5, 2.5, 4.5, 6.5 (pixels of the larger picture, centres at half): the rim of the object, both sides, and its own step
    for row in range(8):
        for column in range(8):
            around = [
                float(depth[0, min(max(i, 0), 3), min(max(j, 0), 3)])
                for i in ((row - 1) // 2, (row - 1) // 2 + 1)
                for j in ((column - 1) // 2, (column - 1) // 2 + 1)
            ]
            finite = [value for value in around if np.isfinite(value)]
            expected[row, column] = 0 < len(finite) < 4 or (len(finite) == 4 and max(finite) - min(finite) > 0.1)
    assert torch.equal(found.view(8, 8), expected)
    assert not len(edge_pixels(torch.full((1, 4, 4), torch.inf), 8, 0.1))
    assert not len(edge_pixels(torch.full((1, 4, 4), 3.0), 8, 0.1))


@torch.no_grad()
def seen_whole(subject: Subject, size_px: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Depth [S, S], class scores [C, S, S], raw picture [3, S, S] with a ray for every pixel, and the edges [E] by the ordinary view."""
    camera = camera_tensors(CAMERA)
    fine = subject._see(*camera, subject.model.branch, True, size_px)
    coarse = subject._see(*camera, None, False)
    assert fine.maps is not None and fine.picture is not None
    depth = solid_depth(fine.distance, fine.opacity, ray_cosines(camera[1], size_px))[0]
    edges = coarse_edges(coarse.distance, coarse.opacity, camera[1], size_px, subject.model.config.box_side)
    return depth, fine.maps.scores[0], fine.picture.image[0], edges


@pytest.mark.parametrize("density_prior", [True, False])
def test_edges_show_what_a_ray_for_every_pixel_shows(density_prior: bool) -> None:
    config = dataclasses.replace(BILINEAR, density_prior=density_prior, density_samples=12)
    plain, subject = pair(config)
    size = plain.model.config.image_size
    larger = (3 if density_prior else 2) * size  # a branch of its own density takes far longer
    before, beyond = plain.render(CAMERA), plain.render(CAMERA, larger)
    for side, old in ((size, before), (larger, beyond)):
        depth, scores, _, edges = seen_whole(subject, side)
        assert 0 < len(edges) < 0.9 * side**2
        view = subject.render(CAMERA, side)
        edge = np.zeros(side * side, bool)
        edge[edges.numpy()] = True
        edge = edge.reshape(side, side)
        assert view.mask is not None and old.mask is not None
        np.testing.assert_allclose(view.depth_planar[edge], depth.numpy()[edge], rtol=1e-5)
        found, expected = view.mask[edge], scores.max(dim=0).indices.numpy()[edge]
        assert (found == expected).mean() > 0.999  # float32 near ties
        assert (old.mask[edge] != expected).mean() > 0.01, "the case shows nothing"
        # what is no edge is as it was
        np.testing.assert_array_equal(view.depth_planar[~edge], old.depth_planar[~edge])
        np.testing.assert_array_equal(view.mask[~edge], old.mask[~edge])
        np.testing.assert_array_equal(view.rgb[~edge], old.rgb[~edge])


def test_colours_of_edges_are_the_mean_of_both() -> None:
    plain, subject = pair()
    size = plain.model.config.image_size
    before = plain.render(CAMERA).rgb.astype(float)
    _, _, image, edges = seen_whole(subject, size)
    own = ((image * 127.5 + 127.5).clamp(0, 255)).permute(1, 2, 0).reshape(-1, 3).numpy()[edges.numpy()]
    found = subject.render(CAMERA).rgb.reshape(-1, 3)[edges.numpy()].astype(float)
    inside = (before.reshape(-1, 3)[edges.numpy()] > 0) & (before.reshape(-1, 3)[edges.numpy()] < 255)  # else it was cut off
    expected = (own + before.reshape(-1, 3)[edges.numpy()]) / 2
    assert inside.mean() > 0.2
    assert np.abs(found - expected)[inside].max() <= 1.01


def test_no_edges_at_neural_resolution_and_channels_do_not_change_each_other() -> None:
    plain, subject = pair()
    neural = plain.model.config.rays.neural_resolution
    before = plain.render(CAMERA, neural)
    view = subject.render(CAMERA, neural)
    for name in ("rgb", "mask", "depth_planar"):
        np.testing.assert_array_equal(getattr(view, name), getattr(before, name))
    whole = subject.render(CAMERA)
    np.testing.assert_array_equal(subject.channels(CAMERA, channels=("depth",)).depth_planar, whole.depth_planar)
    np.testing.assert_array_equal(subject.channels(CAMERA, channels=("mask",)).mask, whole.mask)
    np.testing.assert_array_equal(subject.channels(CAMERA, channels=("rgb",)).rgb, whole.rgb)


def test_the_literal_method_gives_edges_rays_too() -> None:
    _, subject = pair(SemanticConfig())
    size, channels = subject.model.config.image_size, ("rgb", "mask", "depth")
    literal = literal_channels(literal_subject(subject, channels), subject, CAMERA, size, channels)
    exact = subject.channels(CAMERA, size, channels, exact=True)
    assert literal.mask is not None and exact.mask is not None and literal.rgb is not None and exact.rgb is not None
    assert (literal.mask == exact.mask).mean() > 0.999
    assert np.abs(literal.rgb.astype(int) - exact.rgb).mean() < 0.1
    both = np.isfinite(literal.depth_planar) & np.isfinite(exact.depth_planar)
    assert (np.isfinite(literal.depth_planar) == np.isfinite(exact.depth_planar)).mean() > 0.999
    assert np.quantile(np.abs(literal.depth_planar[both] - exact.depth_planar[both]), 0.99) < SAME_SURFACE * 0.1


def test_files_without_the_name_stay_as_they_are() -> None:
    assert "edge_rays" not in config_to_json(RayConfig())
    assert config_from_json(RayConfig, config_to_json(RayConfig(edge_rays=True))).edge_rays is True
    assert Model.load("demo-people").config.rays.edge_rays is True
    assert Model.load("demo-cars").config.rays.edge_rays is None
