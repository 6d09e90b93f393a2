"""PanoHead's views: exact ones against the literal method, fast ones against exact ones, and what its model file keeps."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.backbone.config_json import config_from_json, config_to_json
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.checkpoints.model_file import read_header, save_model
from dnerf_core.errors import CheckpointError
from dnerf_core.model import Model
from dnerf_core.panohead.config import PANOHEAD, PanoHeadConfig
from dnerf_core.panohead.field import CROPPED
from dnerf_core.panohead.packed_field import CroppedGrid
from dnerf_core.panohead.ranges import check_panohead_ranges
from dnerf_core.panohead.reference import LiteralHead, literal_values, literal_volumes
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided import plan_samples
from dnerf_core.rendering.view import render_view
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.semantic.config import FeatureKind, RefinerConfig, SemanticConfig
from dnerf_core.semantic.visibility import density_pass
from tests.core.panohead_models import LABELS, TINY, tiny_generator, tiny_model, with_field
from tests.core.semantic_cases import camera_tensors

pytestmark = pytest.mark.usefixtures("one_thread")


def orbit(config: PanoHeadConfig = TINY, count: int = 6) -> list[Camera]:
    """Cameras all around."""
    return arc_cameras(config.cameras, (-180.0, 180.0 - 360.0 / count), (0.0, 0.0), count=count)


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        with_field(depth=1, activation="sigmoid"),
        with_field(depth=2, activation="lrelu"),
        dataclasses.replace(TINY, use_background=False, use_torgb_raw=False),
        dataclasses.replace(with_field(activation="sigmoid"), use_torgb_raw=False),
    ],
    ids=["published", "sigmoid-1", "lrelu-2", "bare", "sigmoid-3"],
)
@torch.no_grad()
def test_exact_views_are_the_literal_ones(config: PanoHeadConfig) -> None:
    model = tiny_model(config)
    generator: Any = model.generator
    planes = model.subject(1).planes
    literal = LiteralHead(generator, None, planes)
    seen = 0.0
    for camera in orbit(config, 3):
        cam2world, intrinsics = camera_tensors(camera)
        found, expected = render_view(generator, planes, cam2world, intrinsics), literal.view(cam2world[0], intrinsics[0])
        torch.testing.assert_close(found.opacity[0], expected.opacity, rtol=0, atol=1e-4)
        torch.testing.assert_close(found.raw.features, expected.picture.features, rtol=0, atol=1e-3)
        torch.testing.assert_close(found.raw.image, expected.picture.image, rtol=0, atol=1e-3)
        lit = expected.opacity > 0.01
        torch.testing.assert_close(found.distance[0][lit], expected.distance[lit], rtol=0, atol=1e-4)
        seen += float((expected.opacity > 0.5).float().mean()) / 3
    assert 0.05 < seen < 0.95


@pytest.mark.parametrize("kind", ["features", "planes"])
@pytest.mark.parametrize("depth", [1, 3])
@torch.no_grad()
def test_projected_semantics_are_the_literal_ones(kind: FeatureKind, depth: int) -> None:
    """Folding, upsampling and reading slice by slice equals reading all channels trilinearly."""
    model = tiny_model(with_field(depth=depth), SemanticConfig(feature_kind=kind, density_prior=False))
    assert model.branch is not None
    planes = model.subject(1).planes
    points = (torch.rand(400, 3, generator=torch.Generator().manual_seed(4)) - 0.5) * 1.2
    scores, features = model.branch.decode(model.branch.project(model.generator.source(planes)), points)
    expected, _ = literal_values(model.branch, literal_volumes(model.branch, planes), points)
    torch.testing.assert_close(torch.cat([scores, features], dim=1), expected, rtol=1e-4, atol=1e-3)
    assert float(expected.std()) > 0.1


@pytest.mark.parametrize("kind", ["features", "planes"])
@torch.no_grad()
def test_exact_semantics_are_the_literal_ones(kind: FeatureKind) -> None:
    model = tiny_model(semantic=SemanticConfig(feature_kind=kind))
    subject, branch = model.subject(0), model.branch
    assert branch is not None
    literal = LiteralHead(model.generator, branch, subject.planes)
    cam2world, intrinsics = camera_tensors(orbit()[1])
    every = dataclasses.replace(branch.config, weight_epsilon=0.0)
    visible = density_pass(model.generator, subject.planes, cam2world, intrinsics, 32, every)
    maps = branch.maps(subject.projected, visible)
    expected = literal.view(cam2world[0], intrinsics[0], colors=False).semantic_map
    torch.testing.assert_close(torch.cat([maps.scores, maps.features], dim=1), expected, rtol=1e-4, atol=2e-3)


def agreement(model: Model, cameras: list[Camera], seed: int = 0) -> tuple[float, float, float]:
    """Share of equal labels, PSNR in dB and median depth difference as a share of the box, of fast views against exact ones."""
    subject = model.subject(seed)
    same, squares, depths = [], [], []
    for camera in cameras:
        fast, exact = subject.render(camera), subject.render(camera, exact=True)
        assert fast.mask is not None and exact.mask is not None
        same.append((fast.mask == exact.mask).mean())
        squares.append(((fast.rgb.astype(float) - exact.rgb) ** 2).mean())
        both = np.isfinite(fast.depth_planar) & np.isfinite(exact.depth_planar)
        depths.append(np.abs(fast.depth_planar[both] - exact.depth_planar[both]))
    psnr = 10 * np.log10(255**2 / max(float(np.mean(squares)), 1e-9))
    return float(np.mean(same)), float(psnr), float(np.median(np.concatenate(depths)))


@pytest.mark.parametrize("guide", ["none", "rendered", "rgb"])
def test_fast_views_all_around_agree_with_exact_ones(guide: Any) -> None:
    """By the bars of docs/performance.md: 99.8 % of labels, 42 dB, 0.2 % of the box's side."""
    model = tiny_model(semantic=SemanticConfig(refiner=RefinerConfig(guide=guide)))
    labels, psnr, depth = agreement(model, orbit())
    assert labels > 0.998 and psnr > 42 and depth < 0.002, (labels, psnr, depth)


@pytest.mark.parametrize("config", [with_field(depth=1, activation="sigmoid"), with_field(depth=2, activation="lrelu")])
def test_other_fields_agree_too(config: PanoHeadConfig) -> None:
    labels, psnr, depth = agreement(tiny_model(config, SemanticConfig()), orbit(config, 3))
    # edges are a larger share of 32 x 32 rays than of the releases' 128 x 128
    assert labels > 0.995 and psnr > 42 and depth < 0.002, (labels, psnr, depth)


@torch.no_grad()
def test_the_packed_field_is_the_field() -> None:
    generator = tiny_generator()
    planes = generator.planes(generator.mapping(torch.ones(1, 16), torch.zeros(1, 25)))
    points = (torch.rand(3000, 3, generator=torch.Generator().manual_seed(7)) - 0.5) * 1.2
    field, packed = generator.field(planes), generator.pack(planes)
    taps = packed.taps(points.t().contiguous())
    hidden = packed.hidden(taps)
    raw, colors = field.density_and_colors(points, None)
    torch.testing.assert_close(packed.raw_density(hidden.clone(), taps), raw, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(packed.colors(hidden), colors, rtol=1e-4, atol=1e-4)
    assert 0.1 < float((raw == CROPPED).float().mean()) < 0.9


@torch.no_grad()
def test_the_grid_is_cropped_to_the_point() -> None:
    """Between nodes on both sides of the crop it neither fades in nor starts late."""
    generator = tiny_generator()
    planes = generator.planes(generator.mapping(torch.ones(1, 16), torch.zeros(1, 25)))
    grid = generator.pack(planes).density_grid(24, 1.05, None)
    assert isinstance(grid, CroppedGrid)
    spots = torch.rand(2000, generator=torch.Generator().manual_seed(8)) * 0.6 - 0.3
    at = torch.stack([torch.full((2000,), 0.3999), spots, spots.flip(0)])
    inside, bound = grid.estimate(at)
    exact = generator.field(planes).shape_density(at.t(), None)
    assert float((inside - exact).abs().median()) < 0.1 * float(exact.std())
    assert (bound >= inside - 1e-3).all()
    outside, bound = grid.estimate(at + torch.tensor([[0.0002], [0.0], [0.0]]))
    assert (outside == CROPPED).all() and (bound == CROPPED).all()


def test_fog_is_read_at_every_second_coarse_sample_too() -> None:
    fog = DensityGrid.build(torch.full((10, 10, 10), 3.0), 1.0, 1.05, None)
    grid = CroppedGrid(**vars(fog), limit=0.4)
    origins, directions = torch.tensor([[0.0, 0.0, 2.7]]), torch.tensor([[0.0, 0.0, -1.0]])
    rays = RayBundle(origins, directions, torch.tensor([2.25]), torch.tensor([3.3]))
    plain, cropped = (next(iter(plan_samples(one, rays, 16, 12))) for one in (fog, grid))
    assert plain.read is None and cropped.read is None
    assert plain.distances.shape == (1, 14) and cropped.distances.shape == (1, 14 + 8)
    assert (cropped.distances.diff() >= 0).all()


@torch.no_grad()
def test_what_is_behind_is_label_0_and_painted() -> None:
    """Where no light is stopped, the label is 0 and the features are the background's, wherever the camera is."""
    model = tiny_model(semantic=SemanticConfig(refiner=RefinerConfig(kind="bilinear")))
    subject = model.subject(0)
    for camera in orbit():
        cam2world, intrinsics = camera_tensors(camera)
        rendering = render_view(model.generator, subject.planes, cam2world, intrinsics)
        view = subject.channels(camera, 32, exact=True)
        empty = rendering.opacity[0] == 0
        assert view.mask is not None
        assert (view.mask[empty.numpy()] == 0).all()
        assert (view.mask[(rendering.opacity[0] > 0.99).numpy()] != 0).any()
        behind = torch.nn.functional.interpolate(subject.planes.background, size=32, mode="bilinear", antialias=True)
        torch.testing.assert_close(rendering.raw.features[0][:, empty], behind[0][:, empty])


def test_gradients_reach_latents_and_cameras() -> None:
    generator = tiny_generator()
    ws = generator.mapping(torch.ones(1, 16), torch.zeros(1, 25)).requires_grad_()
    cam2world, intrinsics = camera_tensors(orbit()[2])
    cam2world.requires_grad_()
    rendering = render_view(generator, generator.planes(ws), cam2world, intrinsics, 8)
    generator.superresolve(rendering.raw, ws).square().sum().backward()
    for tensor in (ws, cam2world):
        assert tensor.grad is not None
        assert float(tensor.grad.abs().sum()) > 0


def test_a_model_file_names_its_family(tmp_path: Path) -> None:
    model = tiny_model(semantic=SemanticConfig())
    assert model.branch is not None
    path = tmp_path / "head.safetensors"
    save_model(
        path,
        model.config,
        model.generator.state_dict(),
        semantic_config=config_to_json(model.branch.config),
        semantic_state=model.branch.state_dict(),
        labels=LABELS,
    )
    text = path.read_bytes()[8:200_000].decode("utf-8", "ignore")
    assert '\\"family\\": \\"panohead\\"' in text
    assert read_header(path).generator_config == model.config
    loaded = Model.load(path)
    camera = orbit()[3]
    expected, found = model.subject(5).render(camera), loaded.subject(5).render(camera)
    np.testing.assert_array_equal(expected.rgb, found.rgb)
    np.testing.assert_array_equal(expected.mask, found.mask)


def test_configurations_go_through_json() -> None:
    for config in (PANOHEAD, TINY, with_field(depth=1, activation="sigmoid")):
        assert config_from_json(PanoHeadConfig, json.loads(json.dumps(config_to_json(config)))) == config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (with_field(depth=0), "triplane.depth: expected 1 to 64, found 0"),
        (with_field(crop_margin=0.5), "triplane.crop_margin: expected 0 to less than half of box_warp 1.0, found 0.5"),
        (with_field(plane_axes=("xyz", "xzy")), "triplane.plane_axes: expected 3 planes, found 2"),
        (with_field(box_warp=float("nan")), "triplane.box_warp: expected a finite number"),
        (dataclasses.replace(TINY, rays=dataclasses.replace(TINY.rays, white_back=True)), "rays.white_back: expected false"),
    ],
)
def test_ranges(config: PanoHeadConfig, expected: str) -> None:
    with pytest.raises(CheckpointError, match=r"^file.*remedy$") as caught:
        check_panohead_ranges(config, "file", "remedy")
    assert expected in str(caught.value)
